/** Delay between pods: Toxiproxy (github.com/Shopify/toxiproxy), since netem is not in every kernel. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { EndpointConfig } from '../../../proxy/cluster/cluster-config.ts';
import { ports } from './ports.ts';
import type { World } from './world.ts';

const run = promisify(execFile);
const MODULE = 'github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0';
const INSTALL_TIMEOUT_MS = 240_000;
const API_PORT = 8474;
/** Toxiproxy listens at these besides the ports that it stands for. */
const LISTEN_OFFSET = 10_000;

export interface Toxiproxy {
  /** Why there is none, '' if there is. */
  readonly missing: string;
  /** An endpoint that is the port of pod `one`, behind the delay. */
  through(port: number): EndpointConfig;
  close(): unknown;
}

/** `TOXIPROXY` names the program; otherwise Go builds it once per machine, as test/h2spec has its tool. */
async function find(): Promise<{ readonly path: string } | { readonly missing: string }> {
  const given = process.env['TOXIPROXY'];
  if (given !== undefined)
    return existsSync(given) ? { path: given } : { missing: `TOXIPROXY is ${given}, which does not exist` };
  const folder = join(process.env['TULLE_TOOLS'] ?? join(tmpdir(), 'tulle-tools'), 'toxiproxy');
  const path = join(folder, 'server');
  if (existsSync(path)) return { path };
  try {
    await run('go', ['version']);
  } catch {
    return { missing: 'Go is not installed, which builds Toxiproxy' };
  }
  try {
    await mkdir(folder, { recursive: true });
    await run('go', ['install', MODULE], {
      env: { ...process.env, GOBIN: folder },
      timeout: INSTALL_TIMEOUT_MS,
    });
    return { path };
  } catch (error) {
    return { missing: `go install of Toxiproxy failed: ${String(error).slice(0, 300)}` };
  }
}

/** Runs in the pod `outside` and delays each way by so much. */
export async function startToxiproxy(world: World, delayMs: number): Promise<Toxiproxy> {
  const found = await find();
  const { outside, one } = world.pods;
  const through = (port: number): EndpointConfig => ({
    ...world.at('one', 'echo'),
    address: outside.ip,
    port: port + LISTEN_OFFSET,
  });
  if ('missing' in found) return { missing: found.missing, through, close() {} };
  const child = spawn('ip', ['netns', 'exec', outside.namespace, found.path, '-port', String(API_PORT)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  child.stdout?.resume();
  for (const port of [ports.echo, ports.bytes]) await addProxy(world, port, `${one.ip}:${port}`, delayMs);
  return { missing: '', through, close: () => child.kill('SIGKILL') };
}

async function addProxy(world: World, port: number, upstream: string, delayMs: number): Promise<void> {
  const api = `http://127.0.0.1:${API_PORT}/proxies`;
  const listen = `${world.pods.outside.ip}:${port + LISTEN_OFFSET}`;
  const name = String(port);
  // Its first line says that it starts; the API is there a moment later.
  while ((await world.post('outside', api, JSON.stringify({ name, listen, upstream }))) === 0);
  for (const stream of ['upstream', 'downstream']) {
    const toxic = { type: 'latency', stream, attributes: { latency: delayMs, jitter: 5 } };
    await world.post('outside', `${api}/${name}/toxics`, JSON.stringify(toxic));
  }
}
