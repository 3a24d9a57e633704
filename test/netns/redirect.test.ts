/** The redirection rules in a real network namespace: who answers, and what the kernel says of the destination. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { applicationSource } from '../../api/ports.ts';

const tag = process.pid.toString(36);
const pod = `tulle-pod-${tag}`;
const peer = `tulle-peer-${tag}`;
const POD = '10.199.7.1';
const PEER = '10.199.7.2';
const POD6 = 'fd00:7::1';
const PEER6 = 'fd00:7::2';
const PROXY_UID = 14337;
const APP_UID = 1000;

const answer = new URL('./answer.ts', import.meta.url).pathname;
const tulle = new URL('../../cli/tulle.ts', import.meta.url).pathname;

const missing =
  process.getuid?.() !== 0
    ? 'needs root for network namespaces'
    : ['/usr/sbin/iptables-restore', '/usr/sbin/ip6tables-restore', '/usr/sbin/ip'].find(
        path => !existsSync(path),
      );
if (missing !== undefined) console.log(`redirect.test.ts is skipped: ${missing}`);

const ip = (...args: string[]): void => {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
};

const inside = (namespace: string, args: readonly string[], env: Record<string, string> = {}): string =>
  execFileSync('ip', ['netns', 'exec', namespace, ...args], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...env },
  });

const processes: ChildProcess[] = [];

async function serve(namespace: string, ports: readonly number[]): Promise<void> {
  const args = ['netns', 'exec', namespace, process.execPath, answer, 'serve', '::', ...ports.map(String)];
  const child = spawn('ip', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  processes.push(child);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
}

interface Reply {
  listener?: number;
  original?: string;
  error?: string;
}

function dial(namespace: string, uid: number, address: string, port: number, source?: string): Reply {
  const output = inside(namespace, [process.execPath, answer, 'dial', address, String(port)], {
    UID: String(uid),
    ...(source === undefined ? {} : { SOURCE: source }),
  });
  return JSON.parse(output) as Reply;
}

const init = (env: Record<string, string> = {}): string =>
  inside(pod, [process.execPath, tulle, 'init'], env);

/** That it was not redirected: the kernel then gives the destination itself, or nothing. */
const direct = (reply: Reply): number | undefined => {
  expect(reply.error).toBeUndefined();
  return reply.listener;
};

describe.skipIf(missing !== undefined)('redirection', () => {
  beforeAll(async () => {
    ip('netns', 'add', pod);
    ip('netns', 'add', peer);
    ip('link', 'add', 'eth0', 'netns', pod, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', peer);
    for (const [namespace, address, address6, other] of [
      [pod, POD, POD6, PEER],
      [peer, PEER, PEER6, POD],
    ]) {
      ip('-n', namespace, 'link', 'set', 'lo', 'up');
      ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
      ip('-n', namespace, 'addr', 'add', `${address6}/64`, 'dev', 'eth0', 'nodad');
      ip('-n', namespace, 'link', 'set', 'eth0', 'up');
      ip('-n', namespace, 'route', 'add', 'default', 'via', other);
    }
    await serve(peer, [80, 5432, 7000]);
    // Before the sidecar listens: the check of `init` needs its port.
    const log = init({ TULLE_SKIP_INBOUND_PORTS: '22', TULLE_SKIP_OUTBOUND_PORTS: '5432' });
    expect(log).toContain('"kind":"redirected"');
    await serve(pod, [22, 8080, 14001, 14006, 14020]);
  });

  afterAll(() => {
    for (const child of processes) child.kill();
    for (const namespace of [pod, peer]) ip('netns', 'del', namespace);
  });

  test.each([
    [POD, `${POD}:8080`],
    [POD6, '[fd00:7:0:0:0:0:0:1]:8080'],
  ])(
    'a connection from outside to %s reaches the inbound port, with its destination',
    (address, original) => {
      expect(dial(peer, APP_UID, address, 8080)).toEqual({ listener: 14006, original });
    },
  );

  test('a port that nobody listens on, and the ports of the sidecar itself, lead to the inbound port too', () => {
    for (const port of [9, 14001, 14006]) {
      expect(dial(peer, APP_UID, POD, port)).toEqual({ listener: 14006, original: `${POD}:${port}` });
    }
  });

  test('the admin port and skipped ports are reached from outside', () => {
    expect(direct(dial(peer, APP_UID, POD, 14020))).toBe(14020);
    expect(direct(dial(peer, APP_UID, POD, 22))).toBe(22);
    expect(direct(dial(peer, APP_UID, POD6, 22))).toBe(22);
  });

  test.each([
    [PEER, 80, `${PEER}:80`],
    ['10.96.0.1', 443, '10.96.0.1:443'],
    [PEER6, 80, '[fd00:7:0:0:0:0:0:2]:80'],
  ])('a connection of the application to %s:%i reaches the outbound port', (address, port, original) => {
    for (const uid of [0, APP_UID])
      expect(dial(pod, uid, address, port)).toEqual({ listener: 14001, original });
  });

  test('connections of the sidecar go where it wants', () => {
    expect(direct(dial(pod, PROXY_UID, PEER, 80))).toBe(80);
    expect(direct(dial(pod, PROXY_UID, PEER6, 80))).toBe(80);
  });

  test('skipped destination ports are reached directly', () => {
    expect(direct(dial(pod, APP_UID, PEER, 5432))).toBe(5432);
  });

  test('loopback is left alone, for the application and for the sidecar that calls it', () => {
    for (const uid of [APP_UID, PROXY_UID]) {
      expect(direct(dial(pod, uid, '127.0.0.1', 8080))).toBe(8080);
      expect(direct(dial(pod, uid, '::1', 8080))).toBe(8080);
    }
  });

  test('an application that calls the address of its own pod reaches itself', () => {
    expect(direct(dial(pod, APP_UID, POD, 8080))).toBe(8080);
  });

  test('a sidecar that calls its own pod, as one of the endpoints of a Service, finds its inbound side', () => {
    expect(dial(pod, PROXY_UID, POD, 8080)).toEqual({ listener: 14006, original: `${POD}:8080` });
    expect(dial(pod, PROXY_UID, POD6, 8080)).toMatchObject({ listener: 14006 });
    expect(direct(dial(pod, PROXY_UID, POD, 22))).toBe(22);
    expect(direct(dial(pod, PROXY_UID, POD, 14020))).toBe(14020);
  });

  test('a sidecar that calls the application by the address of the pod reaches it, and not itself', () => {
    expect(direct(dial(pod, PROXY_UID, POD, 8080, applicationSource))).toBe(8080);
    expect(dial(pod, PROXY_UID, POD, 9, applicationSource)).toEqual({ error: 'ECONNREFUSED' });
  });

  test('a second run replaces the rules, keeps those of others, and doubles nothing', () => {
    inside(pod, ['iptables', '-t', 'nat', '-A', 'PREROUTING', '-p', 'udp', '--dport', '53', '-j', 'ACCEPT']);
    const log = init({ TULLE_SKIP_OUTBOUND_PORTS: '7000', TULLE_SKIP_OUTBOUND_CIDRS: '10.199.8.0/24' });
    expect(log).toContain('port 14001 is in use');
    const rules = inside(pod, ['iptables-save', '-t', 'nat'])
      .split('\n')
      .filter(line => line.startsWith('-A'));
    expect(rules.filter(line => line.includes('-j TULLE_OUTBOUND'))).toHaveLength(1);
    expect(rules.filter(line => /PREROUTING.*-j TULLE_INBOUND/.test(line))).toHaveLength(1);
    expect(rules.filter(line => line.includes('--dport 53'))).toHaveLength(1);
    expect(direct(dial(pod, APP_UID, PEER, 7000))).toBe(7000);
    expect(dial(pod, APP_UID, PEER, 5432)).toMatchObject({ listener: 14001 });
    expect(dial(peer, APP_UID, POD, 22)).toMatchObject({ listener: 14006 });
  });

  test('a pod whose rules cannot be written does not start', () => {
    const args = [
      'netns',
      'exec',
      pod,
      'setpriv',
      '--bounding-set=-net_admin',
      process.execPath,
      tulle,
      'init',
    ];
    expect(() => execFileSync('ip', args, { encoding: 'utf8', stdio: 'pipe' })).toThrow(
      /iptables-save failed|Permission denied/,
    );
  });

  test('a pod whose connections are not redirected does not start, though the rules stand', () => {
    // Before the nat table has seen it.
    const chain = 'add chain ip before out { type filter hook output priority -150 ; }';
    const rule = 'add rule ip before out ip daddr 192.0.2.1 tcp dport 80 reject with tcp reset';
    for (const child of processes.splice(1)) child.kill();
    inside(pod, ['nft', `add table ip before; ${chain}; ${rule}`]);
    let message = '';
    try {
      init();
    } catch (error) {
      message = String((error as { stderr?: string }).stderr);
    }
    expect(message).toContain('a connection was not redirected although the rules are in force');
  });
});
