/** Two pods with redirection and sidecars, and a machine outside of the mesh, each in a network namespace. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAuthorityFiles } from '../../control-plane/identity/authority.ts';
import { CLIENT_ID, SERVER_ID } from '../integration/proxy/configuration.ts';
import type { SidecarOptions } from './proxy-pod.ts';

const tag = process.pid.toString(36);
const bridge = `tulle-net-${tag}`;
const hosts = {
  client: { namespace: `tulle-client-${tag}`, ip: '10.199.8.1', ip6: 'fd00:8::1' },
  server: { namespace: `tulle-server-${tag}`, ip: '10.199.8.2', ip6: 'fd00:8::2' },
  outside: { namespace: `tulle-outside-${tag}`, ip: '10.199.8.3', ip6: 'fd00:8::3' },
} as const;
type Host = keyof typeof hosts;

const APP_UID = 1000;
const PROXY_UID = 14337;
const program = new URL('./proxy-pod.ts', import.meta.url).pathname;
const tulle = new URL('../../cli/tulle.ts', import.meta.url).pathname;

const missing =
  process.getuid?.() !== 0
    ? 'needs root for network namespaces'
    : ['/usr/sbin/iptables-restore', '/usr/sbin/ip6tables-restore', '/usr/sbin/ip'].find(
        path => !existsSync(path),
      );
if (missing !== undefined) console.log(`proxy.test.ts is skipped: ${missing}`);

const ip = (...args: string[]): void => {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
};

const processes: ChildProcess[] = [];

async function start(host: Host, uid: number, args: readonly string[]): Promise<ChildProcess> {
  const { namespace } = hosts[host];
  const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'], UID: String(uid) },
  });
  processes.push(child);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

interface Reply {
  readonly status?: number;
  readonly failure?: string;
  readonly error?: string;
  readonly headers?: Record<string, string>;
  readonly text?: string;
}

async function ask(
  host: Host,
  command: 'call' | 'talk',
  address: string,
  port: number,
  timeout = 5000,
): Promise<Reply> {
  const child = spawn(
    'ip',
    ['netns', 'exec', hosts[host].namespace, process.execPath, program, command, address, String(port)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env['PATH'], UID: String(APP_UID), TIMEOUT: String(timeout) },
    },
  );
  let output = '';
  child.stdout.on('data', chunk => (output += chunk));
  await once(child, 'close');
  return JSON.parse(output) as Reply;
}

function join(host: Host): void {
  const { namespace, ip: address, ip6 } = hosts[host];
  const link = `t${host.slice(0, 3)}${tag}`;
  ip('netns', 'add', namespace);
  ip('-n', bridge, 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
  ip('-n', bridge, 'link', 'set', link, 'master', 'br0', 'up');
  ip('-n', namespace, 'link', 'set', 'lo', 'up');
  ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
  ip('-n', namespace, 'addr', 'add', `${ip6}/64`, 'dev', 'eth0', 'nodad');
  ip('-n', namespace, 'link', 'set', 'eth0', 'up');
}

const { client, server, outside } = hosts;
/** A Service's address: nobody has it. */
const SERVICE = '10.199.8.100';

describe.skipIf(missing !== undefined)('sidecars behind redirection', () => {
  beforeAll(async () => {
    ip('netns', 'add', bridge);
    ip('-n', bridge, 'link', 'add', 'br0', 'type', 'bridge');
    ip('-n', bridge, 'link', 'set', 'br0', 'up');
    for (const host of Object.keys(hosts) as Host[]) join(host);
    for (const host of [client, server]) {
      execFileSync('ip', ['netns', 'exec', host.namespace, process.execPath, tulle, 'init'], {
        env: { PATH: process.env['PATH'] },
      });
    }
    const authority = createAuthorityFiles(Date.now());
    const identity = SERVER_ID;
    const destinations: SidecarOptions['destinations'] = [
      ...[8080, 8081, 9000, 9999].map(port => ({ host: server.ip, port, address: server.ip, identity })),
      { host: server.ip6, port: 8080, address: server.ip6, identity },
      { host: SERVICE, port: 8080, address: server.ip, identity },
    ];
    const sidecar = (options: Pick<SidecarOptions, 'podIp' | 'spiffe'>): string =>
      JSON.stringify({ ...options, authority, mtls: 'permissive', destinations } satisfies SidecarOptions);
    await Promise.all([
      start('client', PROXY_UID, ['sidecar', sidecar({ podIp: client.ip, spiffe: CLIENT_ID })]),
      start('server', PROXY_UID, ['sidecar', sidecar({ podIp: server.ip, spiffe: SERVER_ID })]),
      start('server', APP_UID, ['app', '127.0.0.1', '8080']),
      start('server', APP_UID, ['app', '::1', '8080']),
      start('server', APP_UID, ['app', server.ip, '8081']),
      start('server', APP_UID, ['app', '127.0.0.1', '9000', 'tcp']),
      start('outside', APP_UID, ['app', '::', '8080']),
      start('outside', APP_UID, ['app', '::', '9000', 'tcp']),
    ]);
  });

  afterAll(() => {
    for (const child of processes) child.kill();
    for (const namespace of [...Object.values(hosts).map(host => host.namespace), bridge])
      ip('netns', 'del', namespace);
  });

  const forwarded = `By=${SERVER_ID};URI=${CLIENT_ID}`;

  test.each([[server.ip], [server.ip6]])(
    'a request of an application to %s arrives with its identity',
    async address => {
      const reply = await ask('client', 'call', address, 8080);
      expect(reply).toMatchObject({ status: 200, headers: { 'x-forwarded-client-cert': forwarded } });
    },
  );

  test('an application that listens on the address of its pod only is found', async () => {
    const reply = await ask('client', 'call', server.ip, 8081);
    expect(reply).toMatchObject({ status: 200, headers: { 'x-forwarded-client-cert': forwarded } });
  });

  test('a server that speaks first is heard through the mesh', async () => {
    expect(await ask('client', 'talk', server.ip, 9000)).toEqual({ text: '220 ready' });
  });

  test('a pod that calls its own Service comes back to itself through the mesh', async () => {
    const reply = await ask('server', 'call', SERVICE, 8080);
    expect(reply).toMatchObject({ status: 200, headers: { 'tulle-client-id': SERVER_ID } });
  });

  test('a client outside the mesh reaches the application without an identity', async () => {
    const reply = await ask('outside', 'call', server.ip, 8080);
    expect(reply.status).toBe(200);
    expect(reply.headers).not.toHaveProperty('x-forwarded-client-cert');
    expect(await ask('outside', 'talk', server.ip, 9000)).toEqual({ text: '220 ready' });
  });

  test('a destination outside the mesh is passed through untouched', async () => {
    const reply = await ask('client', 'call', outside.ip, 8080);
    expect(reply.status).toBe(200);
    expect(Object.keys(reply.headers ?? {}).sort()).toEqual(['connection', 'host']);
    expect(await ask('client', 'talk', outside.ip6, 9000)).toEqual({ text: '220 ready' });
  });

  test('a port on which nothing listens says so', async () => {
    const reply = await ask('client', 'call', server.ip, 9999);
    expect([reply.status, reply.failure?.split(';')[0]]).toEqual([503, 'CONNECT_FAILED']);
  });

  test("the sidecar's own ports lead nowhere", async () => {
    for (const port of [14001, 14006])
      expect((await ask('outside', 'call', server.ip, port)).error).toBe('ECONNRESET');
    // From the pod itself, past the redirection by way of loopback.
    expect((await ask('client', 'call', '127.0.0.1', 14001)).error).toBe('ECONNRESET');
  });

  test('a peer that falls silent is given up within 20 s', async () => {
    expect((await ask('client', 'call', server.ip, 8080)).status).toBe(200);
    const drop = ['-t', 'filter', '-I', 'INPUT', '-s', client.ip, '-j', 'DROP'];
    execFileSync('ip', ['netns', 'exec', server.namespace, 'iptables', ...drop]);
    try {
      const reply = await ask('client', 'call', server.ip, 8080, 25_000);
      expect(reply).toMatchObject({ status: 503 });
    } finally {
      execFileSync('ip', [
        'netns',
        'exec',
        server.namespace,
        'iptables',
        ...drop.map(word => (word === '-I' ? '-D' : word)),
      ]);
    }
    expect((await ask('client', 'call', server.ip, 8080)).status).toBe(200);
  });
});
