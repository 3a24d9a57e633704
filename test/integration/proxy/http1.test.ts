import { randomBytes } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { describe, expect, test } from 'vitest';
import { call, closedPort, eventually, httpApp, TcpClient, tcpApp } from './apps.ts';
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

/** The ways a request can take: straight to the application, or through its sidecar. */
const ways = ['plaintext', 'mesh'] as const;

async function orders(
  mesh: TestMesh,
  way: (typeof ways)[number],
  handler: RequestListener,
): Promise<Sidecar & { port: number }> {
  const app = await httpApp(handler);
  const target =
    way === 'plaintext' ? endpoint(app) : endpoint((await mesh.server(app)).port, { identity: SERVER_ID });
  return mesh.orders([cluster('orders', [target])]);
}

describe.each(ways)('HTTP/1.1, %s', way => {
  test('method, target, host and fields arrive as they were sent', async () => {
    const client = await orders(testMesh(), way, (req, res) =>
      res.end(JSON.stringify([req.httpVersion, req.method, req.url, req.headers.host, req.headers['x-a']])),
    );
    const answer = await call(client.port, {
      method: 'DELETE',
      path: '/a%2Fb?c=d&e',
      headers: { 'x-a': 'é'.slice(0, 1) },
    });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toEqual(['1.1', 'DELETE', '/a%2Fb?c=d&e', 'orders', 'é']);
  });

  test('bodies pass both ways, with a length and chunked', async () => {
    const client = await orders(testMesh(), way, (req, res) => void req.pipe(res));
    const body = Buffer.alloc(3_000_000, 'abcdefghij');
    const known = await call(client.port, { method: 'POST', body });
    const chunked = await call(client.port, {
      method: 'POST',
      body,
      headers: { 'transfer-encoding': 'chunked' },
    });
    expect(known.body).toBe(body.toString());
    expect(chunked.body).toBe(body.toString());
  });

  test('bodies of many requests at once are not mixed up', async () => {
    const client = await orders(testMesh(), way, (req, res) => void req.pipe(res));
    const bodies = Array.from({ length: 60 }, (_, i) => randomBytes(1 + ((i * i * 97) % 300_000)));
    const answers = await Promise.all(
      bodies.map(body => call(client.port, { method: 'POST', body: body.toString('hex') })),
    );
    answers.forEach(({ body }, i) => expect(body === bodies[i].toString('hex')).toBe(true));
  });

  test('HEAD, 204 and 304 have no body, and HEAD keeps the length', async () => {
    const client = await orders(testMesh(), way, (req, res) => {
      if (req.url === '/head') res.setHeader('content-length', '12');
      else res.statusCode = Number(req.url?.slice(1));
      res.end();
    });
    const head = await call(client.port, { method: 'HEAD', path: '/head' });
    expect([head.status, head.headers['content-length'], head.body]).toEqual([200, '12', '']);
    expect((await call(client.port, { path: '/204' })).status).toBe(204);
    expect((await call(client.port, { path: '/304' })).status).toBe(304);
  });

  test('informational answers and Expect: 100-continue', async () => {
    const client = await orders(testMesh(), way, (req, res) => {
      res.writeEarlyHints({ link: '</a.css>; rel=preload' });
      void req.pipe(res);
    });
    const answer = await call(client.port, {
      method: 'POST',
      body: 'hello',
      headers: { expect: '100-continue' },
    });
    expect(answer.body).toBe('hello');
    expect(answer.informational).toContain(103);
  });

  test('trailers pass both ways', async () => {
    const client = await orders(testMesh(), way, (req, res) => {
      res.setHeader('trailer', 'x-sum');
      req.resume();
      req.on('end', () => {
        res.write('body');
        res.addTrailers({ 'x-sum': `${req.trailers['x-in']}!` });
        res.end();
      });
    });
    const tcp = new TcpClient(client.port);
    tcp.socket.write(
      'POST / HTTP/1.1\r\nhost: orders\r\nte: trailers\r\nconnection: te\r\ntransfer-encoding: chunked\r\ntrailer: x-in\r\n\r\n' +
        '3\r\nabc\r\n0\r\nx-in: 42\r\nx-forwarded-client-cert: evil\r\n\r\n',
    );
    await tcp.until(() => tcp.text.includes('x-sum'));
    expect(tcp.text).toContain('x-sum: 42!');
  });

  test('one connection carries many requests, also pipelined ones, in order', async () => {
    const client = await orders(testMesh(), way, (req, res) => res.end(req.url));
    const tcp = new TcpClient(client.port);
    tcp.socket.write(
      Array.from({ length: 20 }, (_, i) => `GET /n${i}. HTTP/1.1\r\nhost: orders\r\n\r\n`).join(''),
    );
    await tcp.until(() => tcp.text.includes('n19.'));
    expect(tcp.text.match(/n\d+\./g)).toEqual(Array.from({ length: 20 }, (_, i) => `n${i}.`));
  });

  test('an answer that comes before the end of the request reaches the client', async () => {
    const client = await orders(testMesh(), way, (_req, res) => {
      res.writeHead(413).end('too large');
    });
    const tcp = new TcpClient(client.port);
    tcp.socket.write('POST / HTTP/1.1\r\nhost: orders\r\ncontent-length: 100000000\r\n\r\nabc');
    await tcp.until(() => tcp.text.includes('too large'));
    expect(tcp.text).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('an answer that is cut off never looks complete', async () => {
    const client = await orders(testMesh(), way, (_req, res) => {
      res.writeHead(200, { 'content-length': '1000' });
      res.write('half');
      setImmediate(() => res.socket?.destroy());
    });
    await expect(call(client.port)).rejects.toThrow();
  });

  test('a client that goes away ends the request at the application', async () => {
    let arrived = false;
    let aborted = false;
    const client = await orders(testMesh(), way, (_req, res) => {
      arrived = true;
      res.on('close', () => {
        aborted = true;
      });
    });
    const tcp = new TcpClient(client.port);
    tcp.socket.write('GET / HTTP/1.1\r\nhost: orders\r\n\r\n');
    await eventually(() => arrived);
    tcp.socket.resetAndDestroy();
    await eventually(() => aborted);
  });
});

test('the application sees who calls, and nothing that the client says of it', async () => {
  const client = await orders(testMesh(), 'mesh', (req, res) => res.end(JSON.stringify(req.headers)));
  const { body } = await call(client.port, {
    headers: {
      'x-forwarded-client-cert': 'By=evil',
      x_forwarded_client_cert: 'evil',
      'x-forwarded_client-cert': 'evil',
      'tulle-client-id': 'spiffe://evil/ns/a/sa/b',
      tulle_client_id: 'evil',
      'tulle-source': 'evil;evil',
      'tulle-version': '9',
    },
  });
  const fields = JSON.parse(body);
  expect(fields).toMatchObject({
    'x-forwarded-client-cert': `By=${SERVER_ID};URI=${CLIENT_ID}`,
    'tulle-client-id': CLIENT_ID,
  });
  expect(Object.keys(fields).sort()).toEqual(['host', 'tulle-client-id', 'x-forwarded-client-cert']);
});

test('an endpoint outside the mesh gets no field of the mesh', async () => {
  const client = await orders(testMesh(), 'plaintext', (req, res) => res.end(JSON.stringify(req.headers)));
  const { body } = await call(client.port, { headers: { 'tulle-client-id': 'evil' } });
  expect(Object.keys(JSON.parse(body)).sort()).toEqual(['host']);
});

test('an application cannot answer in the name of the mesh', async () => {
  const client = await orders(testMesh(), 'mesh', (_req, res) => {
    res.writeHead(503, { 'tulle-error': 'CONNECT_FAILED; a lie' }).end();
  });
  const answer = await call(client.port);
  expect([answer.status, answer.headers['tulle-error']]).toEqual([503, undefined]);
});

test('failures name their code and their sentence', async () => {
  const mesh = testMesh();
  const nowhere = await closedPort();
  const client = await mesh.orders([cluster('orders', [endpoint(nowhere)]), cluster('empty', [])], {
    routes: [
      {
        ...forward(['orders']),
        match: { path: { kind: 'exact', value: '/down' }, method: '', headers: [], query: [] },
      },
      {
        ...forward(['empty']),
        match: { path: { kind: 'exact', value: '/empty' }, method: '', headers: [], query: [] },
      },
      {
        ...forward(['missing']),
        match: { path: { kind: 'exact', value: '/missing' }, method: '', headers: [], query: [] },
      },
    ],
  });
  const code = async (path: string) => {
    const { status, headers } = await call(client.port, { path });
    return [status, String(headers['tulle-error']).split(';')[0]];
  };
  expect(await code('/none')).toEqual([404, 'NO_ROUTE']);
  expect(await code('/empty')).toEqual([503, 'NO_HEALTHY_ENDPOINT']);
  expect(await code('/missing')).toEqual([500, 'INVALID_BACKEND']);
  expect((await code('/down'))[0]).toBe(503);
  const unknown = await mesh.client();
  mesh.destinations.unknown = { kind: 'unavailable' };
  const answer = await call(unknown.stack.addresses[0].port, { path: 'http://elsewhere/' });
  expect([answer.status, String(answer.headers['tulle-error']).split(';')[0]]).toEqual([
    503,
    'CONFIG_UNAVAILABLE',
  ]);
});

test('a kept connection that the server closes meanwhile does not fail the request', async () => {
  let connections = 0;
  // Answers one request on each connection and closes it without saying so.
  const app = await tcpApp(socket => {
    connections++;
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
      socket.once('data', () => socket.resetAndDestroy());
    });
  });
  const mesh = testMesh();
  const client = await mesh.orders([cluster('orders', [endpoint(app)])]);
  expect((await call(client.port)).body).toBe('ok');
  expect((await call(client.port)).body).toBe('ok');
  expect(connections).toBe(2);
});
