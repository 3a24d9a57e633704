import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import type { Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { call, eventually, httpApp, listen, onEnd, TcpClient, tcpApp } from './apps.ts';
import { createAuthority } from './identities.ts';
import { cluster, endpoint, forward, SERVER_ID, type TestMesh, testMesh } from './mesh.ts';

const ways = ['plaintext', 'mesh'] as const;
type Way = (typeof ways)[number];

async function orders(
  mesh: TestMesh,
  way: Way,
  app: number,
  protocol: 'http' | 'opaque' | 'detect',
  detectTimeoutMs = 1000,
): Promise<number> {
  const target =
    way === 'plaintext'
      ? endpoint(app)
      : endpoint((await mesh.server(app, { protocol })).port, { identity: SERVER_ID });
  const routes = protocol === 'opaque' ? null : [forward(['orders'])];
  const { port } = await mesh.orders([cluster('orders', [target])], {
    protocol,
    routes,
    client: { detectTimeoutMs },
  });
  return port;
}

describe.each(ways)('WebSocket, %s', way => {
  async function echo(): Promise<number> {
    const server = createServer();
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', socket => {
      socket.send('hello');
      socket.on('message', (data, binary) => socket.send(data, { binary }));
    });
    onEnd(() => {
      for (const socket of sockets.clients) socket.terminate();
      server.close();
    });
    return orders(testMesh(), way, await listen(server), 'http');
  }

  test('messages pass both ways, and the close of one side reaches the other', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${await echo()}/chat`, { headers: { host: 'orders' } });
    const seen: string[] = [];
    socket.on('message', data => seen.push((data as Buffer).toString()));
    await eventually(() => seen.length === 1);
    const large = 'x'.repeat(300_000);
    socket.send(large);
    await eventually(() => seen.length === 2);
    expect(seen).toEqual(['hello', large]);
    const code = new Promise(resolve => socket.on('close', resolve));
    socket.close(4001);
    expect(await code).toBe(4001);
  });
});

test('a WebSocket over HTTP/2 reaches a server of HTTP/1.1', async () => {
  const app = await tcpApp(socket => {
    socket.once('data', head => {
      const key = /sec-websocket-key: (\S+)/i.exec(head.toString())?.[1];
      socket.write(
        `HTTP/1.1 ${key === undefined ? 400 : 101} x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: a\r\n\r\n`,
      );
      socket.on('data', chunk => socket.write(chunk));
      socket.on('end', () => socket.end('bye'));
    });
  });
  const session = connectHttp2(`http://127.0.0.1:${await orders(testMesh(), 'mesh', app, 'http')}`);
  onEnd(() => session.destroy());
  await new Promise(resolve => session.once('remoteSettings', resolve));
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/chat',
    ':authority': 'orders',
    'sec-websocket-version': '13',
  });
  const headers = await new Promise<Record<string, unknown>>(resolve => stream.on('response', resolve));
  expect([headers[':status'], headers['sec-websocket-accept']]).toEqual([200, undefined]);
  let text = '';
  stream.on('data', chunk => (text += chunk));
  stream.write('hello');
  await eventually(() => text === 'hello');
  stream.end();
  await new Promise(resolve => stream.on('end', resolve));
  expect(text).toBe('hellobye');
});

test('an upgrade that the application refuses is an ordinary answer', async () => {
  const app = await httpApp((_req, res) => res.writeHead(426).end('no'));
  const port = await orders(testMesh(), 'mesh', app, 'http');
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { host: 'orders' } });
  socket.on('error', () => {});
  const status = await new Promise(resolve =>
    socket.on('unexpected-response', (_req, res) => resolve(res.statusCode)),
  );
  expect(status).toBe(426);
});

describe.each(ways)('bytes, %s', way => {
  test('pass both ways with half-close', async () => {
    const app = await tcpApp(socket => {
      const chunks: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      // Answers when the client has finished, which only works if FIN is passed on by itself.
      socket.on('end', () => socket.end(Buffer.concat(chunks).reverse()));
    });
    const client = new TcpClient(await orders(testMesh(), way, app, 'opaque'));
    const sent = Buffer.from(Array.from({ length: 500_000 }, (_, i) => i % 251));
    client.socket.end(sent);
    await client.until(() => client.ended);
    expect(client.received.equals(Buffer.from(sent).reverse())).toBe(true);
  });

  test('the server may speak first', async () => {
    const app = await tcpApp(socket => socket.write('220 ready\r\n'));
    const client = new TcpClient(await orders(testMesh(), way, app, 'opaque', 50));
    await client.until(() => client.text === '220 ready\r\n');
  });

  test('a reset is a reset on the other side, in both directions', async () => {
    const accepted: Socket[] = [];
    const errors: string[] = [];
    const app = await tcpApp(socket => {
      accepted.push(socket);
      socket.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code ?? ''));
      socket.on('data', () => socket.write('x'));
    });
    const port = await orders(testMesh(), way, app, 'opaque', 50);
    const one = new TcpClient(port);
    one.socket.write('a');
    await one.until(() => one.text === 'x');
    accepted[0].resetAndDestroy();
    await one.until(() => one.closed);
    expect(one.error?.code).toBe('ECONNRESET');
    const two = new TcpClient(port);
    two.socket.write('a');
    await two.until(() => two.text === 'x');
    two.socket.resetAndDestroy();
    await eventually(() => errors.length > 0);
    expect(errors).toEqual(['ECONNRESET']);
  });
});

describe.each(ways)('detection, %s', way => {
  test('a silent client of an undeclared port gets what the server says, and the port is remembered', async () => {
    const app = await tcpApp(socket => {
      socket.write('220 ready\r\n');
      socket.on('data', chunk => socket.write(chunk));
    });
    const port = await orders(testMesh(), way, app, 'detect', 100);
    const first = new TcpClient(port);
    await first.until(() => first.text === '220 ready\r\n');
    first.socket.write('EHLO me\r\n');
    await first.until(() => first.text.endsWith('EHLO me\r\n'));
  });

  test('HTTP/1.1 is seen in pieces, and what only looks like it is passed on as bytes', async () => {
    const app = await tcpApp(socket => socket.on('data', chunk => socket.write(`<${chunk.toString()}>`)));
    const web = await httpApp((req, res) =>
      res.end(req.headers['x-forwarded-client-cert'] === undefined ? 'plain' : 'mesh'),
    );
    const mesh = testMesh();
    const bytes = new TcpClient(await orders(mesh, way, app, 'detect'));
    bytes.socket.write('SET key value\r\n');
    await bytes.until(() => bytes.text.includes('<SET key value'));
    const http = new TcpClient(await orders(mesh, way, web, 'detect'));
    for (const part of ['GE', 'T / HT', 'TP/1.1\r\nhost: orders\r\n', '\r\n']) {
      http.socket.write(part);
      await new Promise(resolve => setTimeout(resolve, 10));
    }
    await http.until(() => http.text.includes(way === 'mesh' ? 'mesh' : 'plain'));
  });
});

test('the TLS of an application passes untouched', async () => {
  const authority = createAuthority();
  const { cert, key } = authority.issue('spiffe://cluster.local/ns/shop/sa/app');
  const server = createTlsServer({ cert, key, ALPNProtocols: ['h2'] }, socket => socket.end('secret'));
  const app = await listen(server);
  onEnd(() => server.close());
  const port = await orders(testMesh(), 'mesh', app, 'detect');
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    ca: authority.pem,
    checkServerIdentity: () => undefined,
  });
  onEnd(() => socket.destroy());
  let text = '';
  socket.on('data', chunk => (text += chunk));
  await eventually(() => text === 'secret');
  expect(socket.authorized).toBe(true);
});

describe('the proxy port', () => {
  test('takes requests in absolute-form', async () => {
    const app = await httpApp((req, res) => res.end(`${req.url} ${req.headers.host}`));
    const mesh = testMesh();
    mesh.destinations.set(
      'orders',
      8080,
      'http',
      [cluster('orders', [endpoint(app)])],
      [forward(['orders'])],
    );
    const [proxy] = (await mesh.client()).stack.addresses;
    expect((await call(proxy.port, { path: 'http://orders:8080/a', host: 'ignored' })).body).toBe(
      '/a orders:8080',
    );
  });

  test('CONNECT serves what is inside the tunnel as if it had been redirected', async () => {
    const app = await httpApp((req, res) => res.end(String(req.headers['tulle-client-id'])));
    const mesh = testMesh();
    const server = await mesh.server(app);
    mesh.destinations.set(
      'orders',
      80,
      'detect',
      [cluster('orders', [endpoint(server.port, { identity: SERVER_ID })])],
      [forward(['orders'])],
    );
    const [proxy] = (await mesh.client()).stack.addresses;
    const socket = await new Promise<Socket>(resolve =>
      request({ host: '127.0.0.1', port: proxy.port, method: 'CONNECT', path: 'orders:80', agent: false })
        .on('connect', (_res, tunnel) => resolve(tunnel))
        .end(),
    );
    onEnd(() => socket.destroy());
    let text = '';
    socket.on('data', chunk => (text += chunk));
    socket.write('GET / HTTP/1.1\r\nhost: orders\r\n\r\n');
    await eventually(() => text.includes('spiffe://cluster.local/ns/shop/sa/web'));
    socket.write('GET / HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n');
    await new Promise(resolve => socket.on('end', resolve));
    expect(text.match(/200 OK/g)?.length).toBe(2);
  });

  test('what comes through a CONNECT tunnel while its destination is looked up is served when it is known', async () => {
    const app = await httpApp((_req, res) => res.end('served'));
    const mesh = testMesh();
    const server = await mesh.server(app);
    const clusters = [cluster('orders', [endpoint(server.port, { identity: SERVER_ID })])];
    mesh.destinations.set('orders', 80, 'http', clusters, [forward(['orders'])]);
    mesh.destinations.held = [];
    const [proxy] = (await mesh.client()).stack.addresses;
    const client = new TcpClient(proxy.port);
    client.socket.write('CONNECT orders:80 HTTP/1.1\r\nhost: orders:80\r\n\r\n');
    await client.until(() => client.text.includes('200 OK\r\n'));
    client.socket.write('GET / HTTP/1.1\r\nhost: orders\r\n');
    client.socket.write('connection: close\r\n\r\n');
    // When a request that was sent later has been read as well, the proxy holds what came through the tunnel.
    const later = call(proxy.port, { path: 'http://orders/', host: 'x' });
    await eventually(() => mesh.destinations.held?.length === 2);
    mesh.destinations.release();
    expect((await later).body).toBe('served');
    await client.until(() => client.text.endsWith('served'));
  });

  test('CONNECT to a destination outside the mesh carries bytes', async () => {
    const app = await tcpApp(socket => {
      socket.write('220 ready\r\n');
      socket.on('end', () => socket.end('bye'));
    });
    const [proxy] = (await testMesh().client()).stack.addresses;
    const client = new TcpClient(proxy.port);
    client.socket.write(`CONNECT 127.0.0.1:${app} HTTP/1.1\r\nhost: 127.0.0.1:${app}\r\n\r\n`);
    await client.until(() => client.text.endsWith('220 ready\r\n'));
    client.socket.end();
    await client.until(() => client.ended);
    expect(client.text.endsWith('bye')).toBe(true);
  });

  test('passes requests to hosts outside the mesh', async () => {
    const app = await httpApp((req, res) => res.end(req.headers.host));
    const [proxy] = (await testMesh().client()).stack.addresses;
    const answer = await call(proxy.port, { path: `http://localhost:${app}/`, host: 'x' });
    expect(answer.body).toBe(`localhost:${app}`);
  });

  test('refuses to call itself', async () => {
    const [proxy] = (await testMesh().client()).stack.addresses;
    const answer = await call(proxy.port, { path: `http://127.0.0.1:${proxy.port}/`, host: 'x' });
    expect([answer.status, String(answer.headers['tulle-error']).split(';')[0]]).toEqual([508, 'LOOP']);
    expect((await call(proxy.port, { path: '/', host: `127.0.0.1:${proxy.port}` })).status).toBe(508);
  });
});

test('connections beyond the limit are refused, and those below it are served', async () => {
  const app = await httpApp((_req, res) => res.end('ok'));
  const client = await testMesh().orders([cluster('orders', [endpoint(app)])], {
    client: { maxConnections: 2 },
  });
  const [one, two] = [new TcpClient(client.port), new TcpClient(client.port)];
  await eventually(() => client.stack.statistics.connections === 2);
  const three = new TcpClient(client.port);
  await three.until(() => three.closed);
  expect(three.error?.code).toBe('ECONNRESET');
  for (const tcp of [one, two]) {
    tcp.socket.write('GET / HTTP/1.1\r\nhost: orders\r\n\r\n');
    await tcp.until(() => tcp.text.endsWith('ok'));
  }
});

test('tunnels of the proxy port count as connections', async () => {
  const app = await tcpApp(socket => socket.pipe(socket));
  const client = await testMesh().client({ maxConnections: 2 });
  const [proxy] = client.stack.addresses;
  const session = connectHttp2(`http://127.0.0.1:${proxy.port}`);
  onEnd(() => session.destroy());
  const tunnel = async () => {
    const stream = session.request({ ':method': 'CONNECT', ':authority': `127.0.0.1:${app}` });
    stream.on('error', () => {});
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    return { status: headers[':status'], code: String(headers['tulle-error']).split(';')[0] };
  };
  expect(await tunnel()).toMatchObject({ status: 200 });
  expect(await tunnel()).toEqual({ status: 503, code: 'OVERFLOW' });
  expect(client.metrics.counter('limits', { limit: 'maxConnections' }).value).toBe(1);
});

test('a connection that says nothing and ends is ended', async () => {
  const app = await httpApp((_req, res) => res.end('ok'));
  const mesh = testMesh();
  const server = await mesh.server(app, { protocol: 'http' });
  const client = await mesh.orders([cluster('orders', [endpoint(app)])]);
  for (const port of [server.port, client.port]) {
    const tcp = new TcpClient(port);
    tcp.socket.end();
    await tcp.until(() => tcp.ended);
  }
  await eventually(() => server.stack.statistics.connections + client.stack.statistics.connections === 0);
});
