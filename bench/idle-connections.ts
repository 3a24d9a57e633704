/**
 * Private memory that idle connections cost: many connections of clients that have each been answered once, then
 * nothing. Plaintext HTTP/1.1 into one proxy, and mutual TLS with HTTP/2 into the second of two hops.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { Target } from './load/load.ts';
import { privateMemory } from './process.ts';
import type { Context, Proxy, Started, Way } from './proxies/proxy.ts';

/** As many are opened at a time, so that few connections to the backend are needed. */
const AT_ONCE = 8;
/** For what a proxy does when nothing comes any more. */
const SETTLE_MS = 3000;
const CONNECT_MS = 10_000;

export interface IdleConnections {
  proxy: string;
  /** `outbound`: from applications; `inbound`: plaintext to the proxy of the server; `mtls`: to it, over TLS. */
  kind: 'outbound' | 'inbound' | 'mtls';
  connections: number;
  /** MiB of private memory of the process without and with the connections. */
  without: number;
  with: number;
}

export interface Connection {
  close(): void;
}

export async function openHttp1({ host, port }: Target): Promise<Connection> {
  const socket = connect({ host, port });
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`);
  let answer = '';
  while (!answer.endsWith('x'.repeat(100))) {
    const [chunk] = await once(socket, 'data', { signal: AbortSignal.timeout(CONNECT_MS) });
    answer += String(chunk);
    if (!answer.startsWith('HTTP/1.1 200')) throw new Error(`the proxy answered ${answer}`);
  }
  socket.on('error', () => {});
  return { close: () => socket.destroy() };
}

async function answeredOnce(session: ClientHttp2Session): Promise<void> {
  const stream = session.request({ ':path': '/' });
  const [headers] = await once(stream, 'response', { signal: AbortSignal.timeout(CONNECT_MS) });
  if (headers[':status'] !== 200) throw new Error(`the proxy answered ${headers[':status']}`);
  stream.resume();
  await once(stream, 'close');
}

async function openMtls({ host, port }: Target, tls: ConnectionOptions): Promise<Connection> {
  const session = connectHttp2(`https://${host}:${port}`, {
    createConnection: () => connectTls({ host, port, ...tls }),
  });
  session.on('error', () => {});
  await answeredOnce(session);
  return { close: () => session.destroy() };
}

/** Until there are `count`. */
export async function openMany(
  connections: Connection[],
  count: number,
  open: () => Promise<Connection>,
): Promise<void> {
  while (connections.length < count) {
    const some = Math.min(AT_ONCE, count - connections.length);
    connections.push(...(await Promise.all(Array.from({ length: some }, open))));
  }
}

/** Opens connections, lets the proxy rest, and compares. */
async function compare(pid: number, count: number, open: () => Promise<Connection>) {
  const rest = () => new Promise(resolve => setTimeout(resolve, SETTLE_MS));
  const connections: Connection[] = [await open()];
  await rest();
  const without = privateMemory(pid);
  await openMany(connections, count, open);
  await rest();
  const result = { without, with: privateMemory(pid) };
  for (const connection of connections) connection.close();
  return result;
}

/** Ways, and which process and address of them is measured. */
const KINDS = {
  outbound: { way: 'http1', hop: 0 },
  inbound: { way: 'mtls-http1', hop: 1 },
  mtls: { way: 'mtls', hop: 1 },
} as const satisfies Record<IdleConnections['kind'], { way: Way; hop: number }>;

function opener(kind: IdleConnections['kind'], { target, server, identity }: Started) {
  const to = server ?? target;
  if (kind !== 'mtls') return () => openHttp1(to);
  const { ca, client } = identity();
  const tls = {
    ca: readFileSync(ca),
    cert: readFileSync(client.certificate),
    key: readFileSync(client.key),
    ALPNProtocols: ['h2'],
    // Its name is a SPIFFE ID.
    checkServerIdentity: () => undefined,
  };
  return () => openMtls(to, tls);
}

export async function measureIdleConnections(
  proxy: Proxy,
  kind: IdleConnections['kind'],
  connections: number,
  context: Context,
): Promise<IdleConnections> {
  const { way, hop } = KINDS[kind];
  const started = await proxy.start(way, context);
  try {
    const memory = await compare(started.pids[hop], connections, opener(kind, started));
    return { proxy: proxy.name, kind, connections, ...memory };
  } finally {
    await started.stop();
  }
}

/** Only Tulle takes plaintext at its second hop, and nginx has no HTTP/2 there. */
export function idleKinds(proxy: Proxy): IdleConnections['kind'][] {
  if (proxy.name === 'tulle') return ['outbound', 'inbound', 'mtls'];
  return proxy.name === 'nginx' ? ['outbound'] : ['outbound', 'mtls'];
}
