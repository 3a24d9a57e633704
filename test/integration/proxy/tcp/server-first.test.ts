import { describe, expect, test } from 'vitest';
import { TcpClient, tcpApp } from '../apps.ts';
import { cluster, endpoint, SERVER_ID, testMesh } from '../mesh.ts';

/** Longer than a test: who has to wait for it gets nothing. */
const DETECT_MS = 3_600_000;

function greeter(): Promise<number> {
  return tcpApp(socket => {
    socket.write('220 ready\r\n');
    socket.on('data', chunk => socket.write(chunk));
  });
}

describe.each(['opaque', 'detect'] as const)('a silent client outside the mesh, port %s', protocol => {
  test('waits for the time of detection once, and then is known', async () => {
    const mesh = testMesh();
    const { port, metrics } = await mesh.server(await greeter(), { protocol, detectTimeoutMs: DETECT_MS });
    const first = new TcpClient(port);
    await new Promise(resolve => first.socket.once('connect', resolve));
    const waiting = setInterval(() => (mesh.ahead += DETECT_MS), 50);
    await first.until(({ text }) => text === '220 ready\r\n');
    clearInterval(waiting);
    const second = new TcpClient(port);
    await second.until(({ text }) => text === '220 ready\r\n');
    second.socket.write('EHLO me\r\n');
    await second.until(({ text }) => text.endsWith('EHLO me\r\n'));
    expect(metrics.counter('undetected', { direction: 'inbound' }).value).toBe(protocol === 'detect' ? 2 : 0);
  });
});

describe.each(['permissive', 'strict'] as const)('a silent client inside the mesh, %s', mtls => {
  test('gets the greeting at once', async () => {
    const mesh = testMesh();
    const { port } = await mesh.server(await greeter(), {
      protocol: 'opaque',
      mtls,
      detectTimeoutMs: DETECT_MS,
    });
    const orders = cluster('orders', [endpoint(port, { identity: SERVER_ID })]);
    const client = new TcpClient((await mesh.orders([orders], { protocol: 'opaque', routes: null })).port);
    await client.until(({ text }) => text === '220 ready\r\n');
  });
});

test('a port that demands mTLS tells a silent client nothing, and ends with it', async () => {
  let connections = 0;
  const app = await tcpApp(socket => {
    connections++;
    socket.write('220 ready\r\n');
  });
  const mesh = testMesh();
  mesh.limits = new Map([['handshakeTimeoutMs', 50]]);
  const { port, metrics } = await mesh.server(app, { protocol: 'opaque', mtls: 'strict' });
  const client = new TcpClient(port);
  await client.until(({ closed }) => closed);
  expect([client.text, connections]).toEqual(['', 0]);
  expect(metrics.counter('limits', { limit: 'handshakeTimeoutMs' }).value).toBe(1);
});
