/** The sidecar as a process: start, readiness with reasons, configuration, secrets, a lost control plane, and its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import {
  Installation,
  type RunningControlPlane,
  SERVER_NAME,
  startControlPlane,
} from './identity-fixture.ts';
import {
  cluster,
  endpoints,
  INBOUND,
  inbound,
  listener,
  routes,
  ScriptedAds,
  type ScriptedStream,
} from './xds-client-fixture.ts';

const TULLE = resolve(import.meta.dirname, '../../cli/tulle.ts');
const WEB = { namespace: 'shop', serviceAccount: 'web', pod: 'web-1' };

let installation: Installation;
let plane: RunningControlPlane;
let ads: ScriptedAds;
let tokenFile: string;
const children: Sidecar[] = [];

beforeAll(async () => {
  installation = new Installation();
  tokenFile = installation.token(WEB);
  ads = new ScriptedAds();
  plane = await startControlPlane(installation, { services: ads.service });
});
afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
});
afterAll(async () => {
  await plane.stop();
  installation.remove();
});

class Sidecar {
  readonly lines: Record<string, unknown>[] = [];
  output = '';
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown[]>;

  constructor(environment: Record<string, string>) {
    this.#child = spawn(process.execPath, [TULLE, 'sidecar'], {
      env: {
        TULLE_MODE: 'explicit',
        TULLE_POD_NAME: WEB.pod,
        TULLE_POD_NAMESPACE: WEB.namespace,
        TULLE_POD_IP: '127.0.0.1',
        TULLE_SERVICE_ACCOUNT: WEB.serviceAccount,
        TULLE_CONTROL_PLANE: `127.0.0.1:${plane.port}`,
        TULLE_CONTROL_PLANE_NAME: SERVER_NAME,
        TULLE_TRUST_BUNDLE: join(installation.folder, 'ca', 'ca.crt'),
        TULLE_TOKEN: tokenFile,
        TULLE_LISTEN_ADDRESS: '127.0.0.1',
        TULLE_ADMIN_PORT: '0',
        TULLE_OUTBOUND_PORT: '0',
        TULLE_INBOUND_LISTENERS: '127.0.0.1:0=127.0.0.1:1',
        TULLE_LOG_LEVEL: 'trace',
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#exit = once(this.#child, 'exit');
    let rest = '';
    const take = (bytes: Buffer): void => {
      this.output += bytes.toString();
      const lines = (rest + bytes.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.startsWith('{')) this.lines.push(JSON.parse(line));
    };
    this.#child.stdout?.on('data', take);
    this.#child.stderr?.on('data', take);
    children.push(this);
  }

  /** The log line with a message, when it comes. */
  line(message: string): Promise<Record<string, unknown>> {
    return vi.waitFor(() => {
      const found = this.lines.find(({ msg }) => msg === message);
      if (found === undefined) throw new Error(`no line "${message}" in\n${this.output}`);
      return found;
    }, 20_000);
  }

  /** `http://127.0.0.1:PORT` of a listening port. */
  async url(port: 'admin' | 'outbound'): Promise<string> {
    const line = await this.line('sidecar listens');
    const [address] = [line[port]].flat() as { port: number }[];
    return `http://127.0.0.1:${address.port}`;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async exited(): Promise<unknown> {
    const [code] = await this.#exit;
    return code;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.#exit;
  }
}

function start(environment: Record<string, string> = {}): Sidecar {
  return new Sidecar(environment);
}

async function text(url: string, init?: RequestInit): Promise<{ status: number; body: string }> {
  const response = await fetch(url, init);
  return { status: response.status, body: await response.text() };
}

/** Sends a request for a host through the sidecar's proxy port; answers the `tulle-error` field. */
function through(proxy: string, host: string, headers: Record<string, string> = {}): Promise<string> {
  const { hostname, port } = new URL(proxy);
  const options = { hostname, port, path: `http://${host}/`, headers: { ...headers, host }, agent: false };
  return new Promise((resolve, reject) => {
    const sent = request(options, response => {
      response.resume();
      resolve(String(response.headers['tulle-error']));
    });
    sent.on('error', reject);
    sent.end();
  });
}

async function serve(stream: ScriptedStream, name: string): Promise<void> {
  expect(await stream.subscribed('listener')).toEqual([name]);
  await stream.push('listener', [listener(name, 'route/shop/api:80')]);
  await stream.push('routes', [routes('route/shop/api:80', ['service/shop/api:80'])]);
  await stream.push('cluster', [cluster('service/shop/api:80')]);
  await stream.push('endpoints', [endpoints('service/shop/api:80', [])]);
}

test('it becomes ready with identity and configuration, and says what it waits for until then', async () => {
  const sidecar = start();
  const admin = await sidecar.url('admin');
  const stream = await ads.stream();
  expect(await stream.subscribed('listener')).toEqual([INBOUND]);
  expect(await text(`${admin}/ready`)).toEqual({
    status: 503,
    body: 'waiting for:\nconfiguration of this pod\n',
  });
  expect(await stream.push('listener', [inbound('v7')])).toBe('');
  expect(await text(`${admin}/ready`)).toEqual({ status: 200, body: 'ready\n' });

  const proxied = through(await sidecar.url('outbound'), 'api');
  await serve(stream, 'outbound/api.shop.svc.cluster.local:80');
  expect(await proxied).toMatch(/^NO_HEALTHY_ENDPOINT/);

  const config = JSON.parse((await text(`${admin}/config`)).body) as Record<string, unknown>;
  expect(config).toMatchObject({
    node: 'shop/web-1',
    controlPlane: { connected: true },
    identity: { state: 'issued', spiffe: 'spiffe://cluster.local/ns/shop/sa/web', generation: 1 },
    inbound: { name: INBOUND, version: 'v7', ports: { 8080: { mtls: 'strict' } } },
    outbound: [{ name: 'outbound/api.shop.svc.cluster.local:80', state: 'found', warming: false }],
    clusters: [{ name: 'service/shop/api:80', endpoints: [] }],
  });

  const metrics = (await text(`${admin}/metrics`)).body;
  expect(metrics).toMatch(/^tulle_control_plane_connected 1$/m);
  expect(metrics).toMatch(/^tulle_config_age_seconds [\d.]+$/m);
  expect(metrics).toMatch(/^tulle_certificate_expiry_timestamp_seconds \d+$/m);

  // A rejected configuration is counted, and the last good one stays.
  expect(await stream.push('listener', [inbound('v8', 'lax')])).toMatch(/mtls is "lax"/);
  expect((await text(`${admin}/metrics`)).body).toMatch(
    /^tulle_config_rejected_total\{type="listener"\} 1$/m,
  );
  expect((await text(`${admin}/config`)).body).toContain('"v7"');
});

test('no secret is in its logs, metrics or configuration, whatever the level', async () => {
  const sidecar = start();
  const admin = await sidecar.url('admin');
  const stream = await ads.stream();
  await stream.subscribed('listener');
  const proxied = through(await sidecar.url('outbound'), 'api', {
    authorization: 'Bearer canary-authorization',
    cookie: 'canary-cookie',
  });
  await stream.push('listener', [inbound()]);
  await serve(stream, 'outbound/api.shop.svc.cluster.local:80');
  await proxied;
  const shown = [
    sidecar.output,
    (await text(`${admin}/config`)).body,
    (await text(`${admin}/metrics`)).body,
    (await text(`${admin}/ready`)).body,
  ].join('\n');
  expect(sidecar.lines.length).toBeGreaterThan(5);
  expect(shown).not.toContain(readFileSync(tokenFile, 'utf8'));
  expect(shown).not.toMatch(/canary|PRIVATE KEY/);
});

test('a token that is refused is a reason of readiness', async () => {
  const forged = installation.path('forged.token');
  writeFileSync(forged, 'forged');
  const sidecar = start({ TULLE_TOKEN: forged });
  const admin = await sidecar.url('admin');
  await sidecar.line('no new certificate');
  const { status, body } = await text(`${admin}/ready`);
  expect(status).toBe(503);
  expect(body).toMatch(/^identity: UNAUTHENTICATED: the token belongs to none of/m);
});

test('the control plane may go and come back', async () => {
  const sidecar = start();
  const admin = await sidecar.url('admin');
  let stream = await ads.stream();
  await stream.subscribed('listener');
  await stream.push('listener', [inbound('v1')]);
  const { port } = plane;
  await plane.stop();
  await vi.waitFor(async () => {
    expect((await text(`${admin}/metrics`)).body).toMatch(/^tulle_control_plane_connected 0$/m);
  });
  expect(await text(`${admin}/ready`)).toMatchObject({ status: 200 });
  plane = await startControlPlane(installation, { port, services: ads.service });
  stream = await ads.stream();
  const again = await stream.next();
  expect({ ...again.initialResourceVersions }).toEqual({ [INBOUND]: 'v1' });
  await vi.waitFor(async () => {
    expect(await stream.push('listener', [])).toBe('');
    expect((await text(`${admin}/metrics`)).body).toMatch(/^tulle_control_plane_connected 1$/m);
  });
});

test('it ends when it is told to, after a drain', async () => {
  const sidecar = start({ TULLE_DRAIN_SECONDS: '5' });
  const admin = await sidecar.url('admin');
  const stream = await ads.stream();
  await stream.subscribed('listener');
  await stream.push('listener', [inbound()]);
  expect(await text(`${admin}/drain`, { method: 'POST' })).toEqual({ status: 202, body: 'draining\n' });
  expect(await text(`${admin}/live`)).toMatchObject({ status: 200 });
  sidecar.signal('SIGTERM');
  expect(await sidecar.exited()).toBe(0);
  await sidecar.line('stopped');
});

test('it does not start with settings that are not valid, and names them all', async () => {
  const sidecar = start({ TULLE_MODE: 'sideways', NODE_EXTRA_CA_CERTS: '/dev/null' });
  expect(await sidecar.exited()).toBe(1);
  expect(sidecar.output).toContain('NODE_EXTRA_CA_CERTS is set, which would weaken TLS; remove it');
  expect(sidecar.output).toContain('TULLE_MODE is "sideways"; use one of redirect, explicit');
});
