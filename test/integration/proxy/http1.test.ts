import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { CLIENT_ID, cluster, endpoint, forward, SERVER_ID, TestMesh } from './mesh.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function app(handler: Parameters<typeof createServer>[1]): Promise<number> {
  const server: Server = createServer(handler as never);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as { port: number }).port;
}

interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  trailers: IncomingMessage['trailers'];
  body: string;
}

function call(
  port: number,
  options: {
    method?: string;
    path?: string;
    host?: string;
    headers?: Record<string, string>;
    body?: string | Buffer;
  } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        method: options.method ?? 'GET',
        path: options.path ?? '/',
        headers: { host: options.host ?? 'orders:80', ...options.headers },
        agent: false,
      },
      received => {
        const chunks: Buffer[] = [];
        received.on('data', chunk => chunks.push(chunk));
        received.on('end', () =>
          resolve({
            status: received.statusCode ?? 0,
            headers: received.headers,
            trailers: received.trailers,
            body: Buffer.concat(chunks).toString(),
          }),
        );
        received.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.end(options.body);
  });
}

test('a request passes through the proxy to a plaintext endpoint', async () => {
  const port = await app((req, res) => res.end(`${req.method} ${req.url} ${req.headers.host}`));
  const mesh = new TestMesh();
  closers.push(() => mesh.close());
  mesh.destinations.set('orders', 80, 'http', [cluster('orders', [endpoint(port)])], [forward(['orders'])]);
  const client = await mesh.client({ listeners: [{ host: 'orders', targetPort: 80 }] });
  const answer = await call(client.stack.addresses[1].port, { path: '/a?b=c' });
  expect(answer).toMatchObject({ status: 200, body: 'GET /a?b=c orders:80' });
});

test('a request passes through both sidecars with mutual TLS and shows the peer', async () => {
  const port = await app((req, res) =>
    res.end(JSON.stringify({ version: req.httpVersion, headers: req.headers })),
  );
  const mesh = new TestMesh();
  closers.push(() => mesh.close());
  const server = await mesh.server(port);
  mesh.destinations.set(
    'orders',
    80,
    'http',
    [cluster('orders', [endpoint(server.port, { identity: SERVER_ID })])],
    [forward(['orders'])],
  );
  const client = await mesh.client({ listeners: [{ host: 'orders', targetPort: 80 }] });
  const answer = await call(client.stack.addresses[1].port, {
    headers: {
      'x-forwarded-client-cert': 'By=evil',
      x_forwarded_client_cert: 'evil',
      'tulle-client-id': 'spiffe://evil',
      tulle_source: 'x',
    },
  });
  expect(answer.status).toBe(200);
  const { version, headers } = JSON.parse(answer.body);
  expect(version).toBe('1.1');
  expect(headers).toMatchObject({
    'x-forwarded-client-cert': `By=${SERVER_ID};URI=${CLIENT_ID}`,
    'tulle-client-id': CLIENT_ID,
  });
  expect(
    Object.keys(headers).filter(
      name => name.includes('_') || name === 'tulle-source' || name === 'tulle-version',
    ),
  ).toEqual([]);
});

test('bodies pass both ways', async () => {
  const port = await app((req, res) => {
    req.pipe(res);
  });
  const mesh = new TestMesh();
  closers.push(() => mesh.close());
  const server = await mesh.server(port);
  mesh.destinations.set(
    'orders',
    80,
    'http',
    [cluster('orders', [endpoint(server.port, { identity: SERVER_ID })])],
    [forward(['orders'])],
  );
  const client = await mesh.client();
  const body = 'x'.repeat(3_000_000);
  const answer = await call(client.stack.addresses[0].port, {
    method: 'POST',
    path: 'http://orders:80/',
    body,
  });
  expect(answer.status).toBe(200);
  expect(answer.body.length).toBe(body.length);
});
