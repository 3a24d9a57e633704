import { connect, createServer, type ServerHttp2Stream } from 'node:http2';
import { describe, expect, test } from 'vitest';
import { eventually, httpApp, listen, onEnd, TcpClient, tcpApp } from './apps.ts';
import { cluster, endpoint, forward, SERVER_ID, testMesh } from './mesh.ts';

const CHUNK = Buffer.alloc(65_536, 'x');
/** More than all buffers on the way may hold: the kernel's on four sockets, and the proxies' windows. */
const BOUND = 40_000_000;

/** Resolves when the number has not changed for a while: the writer is blocked. */
async function settled(read: () => number): Promise<number> {
  for (;;) {
    const before = read();
    await new Promise(resolve => setTimeout(resolve, 300));
    if (read() === before) return before;
  }
}

describe.each(['plaintext', 'mesh'] as const)('backpressure, %s', way => {
  async function orders(app: number, protocol: 'http' | 'opaque'): Promise<number> {
    const mesh = testMesh();
    const target =
      way === 'plaintext'
        ? endpoint(app)
        : endpoint((await mesh.server(app, { protocol })).port, { identity: SERVER_ID });
    const routes = protocol === 'opaque' ? null : [forward(['orders'])];
    return (await mesh.orders([cluster('orders', [target])], { protocol, routes })).port;
  }

  test('a client that does not read stops an endless answer, and reading goes on where it stopped', async () => {
    let written = 0;
    const app = await httpApp((_req, res) => {
      const more = () => {
        while (written < 200_000_000) {
          written += CHUNK.length;
          if (!res.write(CHUNK)) return void res.once('drain', more);
        }
        res.end();
      };
      more();
    });
    const client = new TcpClient(await orders(app, 'http'));
    client.socket.pause();
    client.socket.write('GET / HTTP/1.1\r\nhost: orders\r\n\r\n');
    await eventually(() => written > 0);
    const stalled = await settled(() => written);
    expect(stalled).toBeLessThan(BOUND);
    let read = 0;
    client.socket.removeAllListeners('data');
    client.socket.on('data', chunk => (read += chunk.length));
    client.socket.resume();
    await eventually(() => read > BOUND * 2);
  });

  test('an application that does not read stops an endless request', async () => {
    const app = await httpApp(req => void req.pause());
    const client = new TcpClient(await orders(app, 'http'));
    client.socket.write('POST / HTTP/1.1\r\nhost: orders\r\ncontent-length: 1000000000\r\n\r\n');
    let sent = 0;
    const more = () => {
      while (sent < 200_000_000) {
        sent += CHUNK.length;
        if (!client.socket.write(CHUNK)) return void client.socket.once('drain', more);
      }
    };
    more();
    expect(await settled(() => sent)).toBeLessThan(BOUND);
  });

  test('bytes are not taken faster than they are read', async () => {
    let written = 0;
    const app = await tcpApp(socket => {
      const more = () => {
        while (written < 200_000_000) {
          written += CHUNK.length;
          if (!socket.write(CHUNK)) return void socket.once('drain', more);
        }
      };
      more();
    });
    const client = new TcpClient(await orders(app, 'opaque'));
    client.socket.pause();
    await eventually(() => written > 0);
    expect(await settled(() => written)).toBeLessThan(BOUND);
  });
});

test('a stalled stream does not block its neighbours on the connection between sidecars', async () => {
  const server = createServer();
  server.on('stream', (opened, headers) => {
    const stream = opened as ServerHttp2Stream;
    stream.on('error', () => {});
    stream.respond({ ':status': 200 });
    if (headers[':path'] === '/fresh') return stream.end('fresh');
    const more = () => {
      while (stream.write(CHUNK));
      stream.once('drain', more);
    };
    more();
  });
  const app = await listen(server as never);
  onEnd(() => server.close());
  const mesh = testMesh();
  const sidecar = await mesh.server(app, { protocol: 'http2' });
  const { port } = await mesh.orders([cluster('orders', [endpoint(sidecar.port, { identity: SERVER_ID })])], {
    protocol: 'http2',
  });
  // Connections of their own: the window of Node's client is for all its streams.
  const [stalled, fresh] = [0, 1].map(() => {
    const session = connect(`http://127.0.0.1:${port}`);
    onEnd(() => session.destroy());
    return session;
  });
  for (let i = 0; i < 50; i++) {
    stalled.request({ ':path': '/stalled', ':authority': 'orders' }).on('error', () => {});
  }
  for (let i = 0; i < 3; i++) {
    const stream = fresh.request({ ':path': '/fresh', ':authority': 'orders' });
    let body = '';
    stream.on('data', chunk => (body += chunk));
    await new Promise(resolve => stream.on('end', resolve));
    expect(body).toBe('fresh');
  }
});
