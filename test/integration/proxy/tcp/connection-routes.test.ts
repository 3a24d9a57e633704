/** TCPRoutes and TLSRoutes: where a connection of bytes goes, and what becomes of one that goes nowhere. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, createServer as createTlsServer } from 'node:tls';
import { describe, expect, test } from 'vitest';
import type { Cluster } from '../../../../proxy/cluster/cluster.ts';
import type { ConnectionRouteConfig } from '../../../../proxy/route/connection-table.ts';
import { AccessLog, type AccessRecord } from '../../../../proxy/telemetry/access-log.ts';
import { createLogger } from '../../../../runtime/log.ts';
import { call, eventually, httpApp, onEnd, TcpClient, tcpApp } from '../apps.ts';
import { createAuthority } from '../identities.ts';
import { cluster, endpoint, SERVER_ID, type Sidecar, service, testMesh } from '../mesh.ts';

type Weights = Readonly<Record<string, number>>;

const routeTo = (weights: Weights, ...serverNames: string[]): ConnectionRouteConfig => ({
  serverNames,
  backends: Object.entries(weights).map(([cluster, weight]) => ({ cluster, weight })),
  origin: serverNames.length > 0 ? 'TLSRoute/shop/test/0' : 'TCPRoute/shop/test/0',
});

/** A client's sidecar whose service `orders` has these routes, and what its access log said. */
async function orders(
  protocol: 'opaque' | 'tls',
  clusters: readonly Cluster[],
  connections: readonly ConnectionRouteConfig[],
): Promise<Sidecar & { port: number; entries: AccessRecord[] }> {
  const mesh = testMesh();
  const entries: AccessRecord[] = [];
  mesh.accessLog = new (class extends AccessLog {
    override write(entry: AccessRecord): void {
      entries.push(entry);
    }
  })(createLogger('test', 'silent'), 'all');
  mesh.destinations.setConnections('orders', 80, protocol, service('orders'), clusters, connections);
  const client = await mesh.client({ listeners: [{ host: 'orders', targetPort: 80 }] });
  return { ...client, port: client.stack.addresses[1].port, entries };
}

/** Says its name first. */
const speaker = (name: string): Promise<number> => tcpApp(socket => socket.end(name));

/** What a connection got: the text, or the error. */
async function outcome(port: number, sent: string | Buffer = ''): Promise<string> {
  const client = new TcpClient(port);
  if (sent.length > 0) client.socket.write(sent);
  client.socket.end();
  await client.until(({ closed }) => closed);
  return client.error === null ? client.text : (client.error.code ?? '');
}

const RESET = 'ECONNRESET';

async function tally(port: number, count: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const got = await outcome(port);
    counts[got] = (counts[got] ?? 0) + 1;
  }
  return counts;
}

/** Series of TCP connections: destination service, opened, closed, and those that broke by flag. */
function series({ metrics }: Sidecar): unknown[] {
  return metrics
    .edges()
    .filter(({ tcpOpened }) => tcpOpened > 0)
    .map(({ labels, tcpOpened, tcpClosed, tcpBroken }) => [
      labels.service.name,
      tcpOpened,
      tcpClosed,
      Object.fromEntries(tcpBroken ?? []),
    ]);
}

describe('a TCPRoute', () => {
  test('divides connections, refuses the share of an invalid backend, and weight 0 gets none', async () => {
    const clusters = [];
    for (const name of ['v1', 'v2', 'idle']) clusters.push(cluster(name, [endpoint(await speaker(name))]));
    const { port, ...sidecar } = await orders('opaque', clusters, [
      routeTo({ v1: 2, '': 1, v2: 1, idle: 0 }),
    ]);
    const counts = await tally(port, 240);
    // Six standard deviations at least.
    expect(counts.v1).toBeGreaterThan(70);
    expect(counts.v2).toBeGreaterThan(18);
    expect(counts[RESET]).toBeGreaterThan(18);
    expect(Object.keys(counts).sort()).toEqual([RESET, 'v1', 'v2']);
    await eventually(() => sidecar.entries.length === 240);
    expect(new Set(series(sidecar))).toEqual(
      new Set([
        ['v1', counts.v1, counts.v1, {}],
        ['v2', counts.v2, counts.v2, {}],
        ['orders', counts[RESET], counts[RESET], { NC: counts[RESET] }],
      ]),
    );
    const broken = sidecar.entries.filter(({ failure }) => failure !== '');
    expect(broken).toHaveLength(counts[RESET]);
    expect(broken[0]).toMatchObject({
      failure: 'INVALID_BACKEND',
      flags: 'NC',
      route: 'TCPRoute/shop/test/0',
      cluster: '',
    });
  });

  test('to a backend without endpoints ends with a reset', async () => {
    const { port, ...sidecar } = await orders('opaque', [cluster('v1', [])], [routeTo({ v1: 1 })]);
    expect(await outcome(port)).toBe(RESET);
    expect(series(sidecar)).toEqual([['v1', 1, 1, { UH: 1 }]]);
  });

  test('to a meshed endpoint goes over mTLS, whatever the port declares there', async () => {
    const mesh = testMesh();
    const server = await mesh.server(await speaker('hello'), { protocol: 'http', mtls: 'strict' });
    const v1 = cluster('v1', [endpoint(server.port, { identity: SERVER_ID })]);
    mesh.destinations.setConnections('orders', 80, 'opaque', service('orders'), [v1], [routeTo({ v1: 1 })]);
    const client = await mesh.client({ listeners: [{ host: 'orders', targetPort: 80 }] });
    expect(await outcome(client.stack.addresses[1].port)).toBe('hello');
    const [edge] = server.metrics.edges().filter(({ tcpOpened }) => tcpOpened > 0);
    expect(edge.labels).toMatchObject({ protocol: 'tcp', security: 'mutual_tls' });
  });

  test('takes a request to the proxy port as any connection', async () => {
    const app = await httpApp((_req, res) => res.end('v1'));
    const v1 = cluster('v1', [endpoint(app)]);
    const { stack } = await orders('opaque', [v1], [routeTo({ v1: 1 })]);
    const answer = await call(stack.addresses[0].port, { path: 'http://orders:80/', host: 'orders:80' });
    expect([answer.status, answer.body]).toEqual([200, 'v1']);
  });
});

const authority = createAuthority();

/** A TLS server of the application's own, which says who it is and which name it was called by. */
async function tlsApp(name: string): Promise<number> {
  const { cert, key } = authority.issue(`spiffe://cluster.local/ns/shop/sa/${name}`);
  const server = createTlsServer({ cert, key }, socket => {
    socket.on('error', () => {});
    socket.end(`${name} ${String(socket.servername)}`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onEnd(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** Over TLS from end to end: the client trusts the application's certificate and nothing else. */
async function callTls(port: number, servername: string): Promise<string> {
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    ...(servername === '' ? {} : { servername }),
    secureContext: createSecureContext({ ca: authority.pem }),
    checkServerIdentity: () => undefined,
  });
  let text = '';
  socket.on('data', chunk => (text += String(chunk)));
  return new Promise(resolve => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('close', () => resolve(text));
  });
}

/** What a TLS client sends first. */
async function hello(servername: string): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = connectTls({ port, host: '127.0.0.1', servername });
  client.on('error', () => {});
  const [socket] = (await once(server, 'connection')) as [Socket];
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  server.close();
  return bytes;
}

describe('TLSRoutes', () => {
  test('go by the server name: exact, then the longest suffix, then any; the application ends TLS', async () => {
    const clusters = [];
    for (const name of ['exact', 'wider', 'wide', 'any'])
      clusters.push(cluster(name, [endpoint(await tlsApp(name))]));
    const { port, ...sidecar } = await orders('tls', clusters, [
      routeTo({ wide: 1 }, '*.test'),
      routeTo({ any: 1 }),
      routeTo({ exact: 1 }, 'a.example.test'),
      routeTo({ wider: 1 }, '*.example.test'),
    ]);
    expect(await callTls(port, 'A.example.test')).toBe('exact A.example.test');
    expect(await callTls(port, 'b.example.test')).toBe('wider b.example.test');
    expect(await callTls(port, 'example.test')).toBe('wide example.test');
    expect(await callTls(port, 'other.com')).toBe('any other.com');
    expect(await callTls(port, '')).toBe('any false');
    await eventually(() => sidecar.entries.length === 5);
    expect(series(sidecar)).toContainEqual(['exact', 1, 1, {}]);
    expect(sidecar.entries[0].route).toBe('TLSRoute/shop/test/0');
  });

  test('divide the connections of a name', async () => {
    const clusters = [];
    for (const name of ['v1', 'v2']) clusters.push(cluster(name, [endpoint(await tlsApp(name))]));
    const { port } = await orders('tls', clusters, [routeTo({ v1: 1, v2: 1, '': 1 }, 'a.test')]);
    const seen = new Set<string>();
    while (seen.size < 3) seen.add(await callTls(port, 'a.test'));
    expect([...seen].sort()).toEqual([RESET, 'v1 a.test', 'v2 a.test']);
  });

  test('refuse what no name takes, what is no TLS, and a hello that does not end', async () => {
    const v1 = cluster('v1', [endpoint(await tlsApp('v1'))]);
    const { port, ...sidecar } = await orders('tls', [v1], [routeTo({ v1: 1 }, 'a.test')]);
    expect(await callTls(port, 'b.test')).toBe(RESET);
    expect(await outcome(port, 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')).toBe(RESET);
    const bytes = await hello('a.test');
    expect(await outcome(port, bytes.subarray(0, 100))).toBe(RESET);
    const long = Buffer.from(bytes);
    long.writeUIntBE(20_000, 6, 3);
    expect(await outcome(port, long)).toBe(RESET);
    expect(series(sidecar)).toEqual([['orders', 4, 4, { NR: 4 }]]);
    expect(sidecar.entries.map(({ failure }) => failure)).toEqual(Array(4).fill('NO_ROUTE'));
    // Nothing was asked.
    expect(await outcome(port)).toBe('');
    expect(sidecar.entries).toHaveLength(4);
  });

  test('read a hello that comes in pieces, and pass it on as it came', async () => {
    const bytes = await hello('a.test');
    const received: Buffer[] = [];
    const app = await tcpApp(socket => {
      socket.on('data', (chunk: Buffer) => received.push(chunk));
      socket.on('end', () => socket.end('done'));
    });
    const { port } = await orders('tls', [cluster('v1', [endpoint(app)])], [routeTo({ v1: 1 }, 'a.test')]);
    const client = new TcpClient(port);
    client.socket.setNoDelay();
    for (let at = 0; at < bytes.length; at += 90) {
      client.socket.write(bytes.subarray(at, at + 90));
      await new Promise(setImmediate);
    }
    client.socket.end('and more');
    await client.until(({ closed }) => closed);
    expect(client.text).toBe('done');
    expect(Buffer.concat(received)).toEqual(Buffer.concat([bytes, Buffer.from('and more')]));
  });

  test('refuse a request to the proxy port', async () => {
    const v1 = cluster('v1', [endpoint(await httpApp((_req, res) => res.end()))]);
    const { stack } = await orders('tls', [v1], [routeTo({ v1: 1 })]);
    const answer = await call(stack.addresses[0].port, { path: 'http://orders:80/', host: 'orders:80' });
    expect([answer.status, answer.headers['tulle-error']?.toString().split(';')[0]]).toEqual([
      404,
      'NO_ROUTE',
    ]);
  });
});
