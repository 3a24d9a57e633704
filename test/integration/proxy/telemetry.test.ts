import { connect } from 'node:net';
import { expect, test } from 'vitest';
import type { EdgeSeries } from '../../../proxy/telemetry/edge-series.ts';
import { call, eventually, httpApp, onEnd, TcpClient, tcpApp } from './apps.ts';
import {
  CLIENT_ID,
  cluster,
  endpoint,
  forward,
  SERVER_ID,
  type Sidecar,
  type TestMesh,
  testMesh,
} from './mesh.ts';

function edges({ metrics }: Pick<Sidecar, 'metrics'>): EdgeSeries[] {
  return metrics.edges().filter(edge => edge.cells.length > 0 || edge.tcpOpened > 0);
}

test('both sides count a request once, with the same labels', async () => {
  const mesh = testMesh();
  const app = await httpApp((req, res) => res.writeHead(Number(req.url?.slice(1))).end());
  const server = await mesh.server(app);
  const client = await mesh.orders([cluster('orders', [endpoint(server.port, { identity: SERVER_ID })])]);
  for (const status of [200, 200, 404]) await call(client.port, { path: `/${status}` });
  const [out] = edges(client);
  const [into] = edges(server);
  for (const edge of [out, into]) {
    expect(
      edge.cells.map(({ status, flags, samples }) => [
        status,
        flags,
        samples.slice(0, 21).reduce((a, b) => a + b, 0) > 0,
      ]),
    ).toEqual([
      [200, '', true],
      [404, '', true],
    ]);
    expect(edge.labels).toMatchObject({
      protocol: 'http',
      security: 'mutual_tls',
      source: { workload: 'web', namespace: 'shop', principal: CLIENT_ID, version: 'v1' },
      destination: { workload: 'orders', principal: SERVER_ID },
    });
  }
  expect([out.labels.reporter, into.labels.reporter]).toEqual(['source', 'destination']);
  expect(out.labels.service.host).toBe('orders.shop.svc.cluster.local');
});

test('failures are counted with their flags', async () => {
  const mesh = testMesh();
  const client = await mesh.orders([cluster('orders', [])], { routes: [forward(['orders'])] });
  await call(client.port);
  const [edge] = edges(client);
  expect(edge.cells.map(({ status, flags }) => [status, flags])).toEqual([[503, 'UH']]);
  expect(edge.labels.security).toBe('unknown');
});

test('bytes of a connection are counted on both sides', async () => {
  const mesh = testMesh();
  const app = await tcpApp(socket => {
    socket.on('data', () => socket.write('12345'));
    socket.on('end', () => socket.end());
  });
  const server = await mesh.server(app);
  const orders = cluster('orders', [endpoint(server.port, { identity: SERVER_ID })]);
  const client = await mesh.orders([orders], { protocol: 'opaque', routes: null });
  const tcp = new TcpClient(client.port);
  tcp.socket.write('123');
  await tcp.until(() => tcp.text === '12345');
  tcp.socket.end();
  await tcp.until(() => tcp.closed);
  await eventually(() => edges(server)[0]?.tcpClosed === 1 && edges(client)[0]?.tcpClosed === 1);
  for (const side of [client, server]) {
    const [edge] = edges(side);
    expect([edge.tcpOpened, edge.tcpReceivedBytes, edge.tcpSentBytes]).toEqual([1, 3, 5]);
    expect(edge.labels).toMatchObject({ protocol: 'tcp', security: 'mutual_tls' });
  }
});

/** A server with which the handshake takes five minutes, by the clock of the proxies. */
async function slowToConnect(mesh: TestMesh): Promise<number> {
  const { port } = await mesh.server(await httpApp((_req, res) => res.end()));
  return tcpApp(socket => {
    mesh.ahead = 300_000;
    const server = connect(port, '127.0.0.1');
    socket.pipe(server).pipe(socket);
    onEnd(() => server.destroy());
  });
}

test('what opening a connection takes is not counted as latency of the endpoint', async () => {
  const mesh = testMesh();
  const slow = await slowToConnect(mesh);
  const orders = cluster('orders', [endpoint(slow, { identity: SERVER_ID })], { connectTimeoutMs: 600_000 });
  const client = await mesh.orders([orders]);
  expect((await call(client.port)).status).toBe(200);
  expect(orders.endpoints[0].latencyMs).toBeLessThan(300_000);
});

test('what opening a connection takes is not counted as latency of a mirror', async () => {
  const mesh = testMesh();
  const slow = await slowToConnect(mesh);
  const orders = cluster('orders', [endpoint(await httpApp((_req, res) => res.end()))]);
  const shadow = cluster('shadow', [endpoint(slow, { identity: SERVER_ID })], { connectTimeoutMs: 600_000 });
  const client = await mesh.orders([orders, shadow], {
    routes: [forward(['orders'], { mirrors: [{ cluster: 'shadow', fraction: 1 }] })],
  });
  expect((await call(client.port)).status).toBe(200);
  await eventually(() => shadow.endpoints[0].latencyMs > 0);
  expect(shadow.endpoints[0].latencyMs).toBeLessThan(300_000);
});
