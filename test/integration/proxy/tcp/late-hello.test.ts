/** A permissive port takes a client that says nothing in time for one outside the mesh, until the first byte shows what it is. */
import type { Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { eventually, onEnd, TcpClient, tcpApp } from '../apps.ts';
import { CLIENT_ID, type Sidecar, type TestMesh, testMesh } from '../mesh.ts';

/** Longer than a test: the clock is moved. */
const DETECT_MS = 3_600_000;

interface Application {
  readonly port: number;
  /** What each connection said; null while it is silent, and for ever if it ends so. */
  readonly said: (string | null)[];
  readonly sockets: Socket[];
}

async function listener(): Promise<Application> {
  const said: (string | null)[] = [];
  const sockets: Socket[] = [];
  const port = await tcpApp(socket => {
    const number = said.push(null) - 1;
    sockets.push(socket);
    socket.on('data', chunk => {
      said[number] = (said[number] ?? '') + chunk.toString('latin1');
      socket.write(chunk);
    });
  });
  return { port, said, sockets };
}

function secure(mesh: TestMesh, socket: Socket, alpn: string): TLSSocket {
  const { cert, key } = mesh.authority.issue(CLIENT_ID);
  const secured = connectTls({
    socket,
    ca: mesh.authority.pem,
    cert,
    key,
    ALPNProtocols: [alpn],
    minVersion: 'TLSv1.3',
    checkServerIdentity: () => undefined,
  });
  onEnd(() => secured.destroy());
  secured.on('error', () => {});
  return secured;
}

/** A connection that has been silent for so long that the application has one of it. */
async function silent(
  mesh: TestMesh,
  server: Sidecar & { port: number },
  app: Application,
): Promise<TcpClient> {
  const client = new TcpClient(server.port);
  await new Promise(resolve => client.socket.once('connect', resolve));
  const waiting = setInterval(() => (mesh.ahead += DETECT_MS), 50);
  await eventually(() => app.said.length === 1);
  clearInterval(waiting);
  return client;
}

describe.each(['opaque', 'detect'] as const)('a client that is late, port %s', protocol => {
  test('and then sends the ClientHello of a sidecar is one of the mesh', async () => {
    const app = await listener();
    const mesh = testMesh();
    const server = await mesh.server(app.port, { protocol, detectTimeoutMs: DETECT_MS });
    const client = await silent(mesh, server, app);
    client.socket.removeAllListeners('data');
    const secured = secure(mesh, client.socket, 'tulle-tcp');
    secured.write('hello');
    expect(String(await new Promise(resolve => secured.once('data', resolve)))).toBe('hello');
    await eventually(() => app.sockets[0].destroyed || app.sockets[0].readableEnded);
    expect(app.said).toEqual([null, 'hello']);
  });

  test('and then sends another ClientHello speaks to the application', async () => {
    const app = await listener();
    const mesh = testMesh();
    const server = await mesh.server(app.port, { protocol, detectTimeoutMs: DETECT_MS });
    const client = await silent(mesh, server, app);
    client.socket.removeAllListeners('data');
    secure(mesh, client.socket, 'http/1.1');
    await eventually(() => app.said[0] !== null);
    expect(app.said[0]?.slice(0, 2)).toBe('\x16\x03');
    expect(app.said.length).toBe(1);
  });

  test('and then begins like TLS is not held up once the application has spoken', async () => {
    const app = await listener();
    const mesh = testMesh();
    const server = await mesh.server(app.port, { protocol, detectTimeoutMs: DETECT_MS });
    const client = await silent(mesh, server, app);
    client.socket.write('\x16\x03');
    app.sockets[0].write('220 ready');
    await client.until(({ text }) => text.startsWith('220 ready'));
    await eventually(() => app.said[0] === '\x16\x03');
    client.socket.end('more');
    await eventually(() => app.said[0] === '\x16\x03more');
  });
});
