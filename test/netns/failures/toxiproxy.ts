/** Delay between pods: Toxiproxy (github.com/Shopify/toxiproxy), since netem is not in every kernel. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { EndpointConfig } from '../../../proxy/cluster/cluster-config.ts';
import { findGoProgram } from '../../peers/go-program.ts';
import { ports } from './ports.ts';
import type { World } from './world.ts';

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

/** Runs in the pod `outside` and delays each way by so much. */
export async function startToxiproxy(world: World, delayMs: number): Promise<Toxiproxy> {
  // `TOXIPROXY` names the program; otherwise Go builds it.
  const found = await findGoProgram('TOXIPROXY', 'github.com/Shopify/toxiproxy/v2/cmd/server', 'v2.12.0');
  const { outside, one } = world.pods;
  const through = (port: number): EndpointConfig => ({
    ...world.at('one', 'echo'),
    address: outside.ip,
    port: port + LISTEN_OFFSET,
  });
  if (found.kind === 'missing') return { missing: found.reason, through, close() {} };
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
