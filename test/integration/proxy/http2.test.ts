import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { connect as connectTls } from 'node:tls';
import {
  type Client,
  credentials,
  type GrpcObject,
  loadPackageDefinition,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { call, eventually, listen, onEnd } from './apps.ts';
import { CLIENT_ID, cluster, endpoint, forward, SERVER_ID, type TestMesh, testMesh } from './mesh.ts';

const ways = ['plaintext', 'mesh'] as const;

async function http2App(
  handler: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
): Promise<number> {
  const server = createServer();
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', session => {
    sessions.add(session);
    session.on('error', () => {});
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    handler(stream as ServerHttp2Stream, headers);
  });
  onEnd(() => {
    server.close();
    for (const session of sessions) session.destroy();
  });
  return listen(server as never);
}

function session(port: number): ClientHttp2Session {
  const opened = connect(`http://127.0.0.1:${port}`);
  opened.on('error', () => {});
  onEnd(() => opened.destroy());
  return opened;
}

async function orders(mesh: TestMesh, way: (typeof ways)[number], app: number): Promise<number> {
  const target =
    way === 'plaintext'
      ? endpoint(app)
      : endpoint((await mesh.server(app, { protocol: 'http2' })).port, { identity: SERVER_ID });
  return (await mesh.orders([cluster('orders', [target], { protocol: 'http2' })], { protocol: 'http2' }))
    .port;
}

interface Answer {
  headers: IncomingHttpHeaders;
  trailers: IncomingHttpHeaders;
  body: string;
}

function answer(stream: ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let headers: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    const chunks: Buffer[] = [];
    stream.on('response', fields => (headers = fields));
    stream.on('trailers', fields => (trailers = fields));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => resolve({ headers, trailers, body: Buffer.concat(chunks).toString() }));
    stream.on('error', reject);
  });
}

describe.each(ways)('HTTP/2, %s', way => {
  test('many requests at once on one connection, each with its own answer', async () => {
    const app = await http2App((stream, headers) => {
      stream.respond({ ':status': 200, 'x-authority': headers[':authority'] });
      stream.end(headers[':path']);
    });
    const client = session(await orders(testMesh(), way, app));
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        answer(client.request({ ':path': `/${i}`, ':authority': 'orders' })),
      ),
    );
    expect(answers.map(({ body }) => body)).toEqual(Array.from({ length: 200 }, (_, i) => `/${i}`));
    expect(answers[0].headers['x-authority']).toBe('orders');
  });

  test('bodies and trailers pass both ways', async () => {
    const app = await http2App((stream, headers) => {
      const chunks: Buffer[] = [];
      let sum = '';
      stream.on('trailers', trailers => (sum = String(trailers['x-in'])));
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        stream.respond({ ':status': 200 }, { waitForTrailers: true });
        stream.on('wantTrailers', () =>
          stream.sendTrailers({ 'x-out': sum, 'x-id': String(headers['tulle-client-id'] ?? '') }),
        );
        stream.end(Buffer.concat(chunks));
      });
    });
    const client = session(await orders(testMesh(), way, app));
    const body = Buffer.alloc(2_000_000, '0123456789');
    const stream = client.request({ ':method': 'POST', ':path': '/' }, { waitForTrailers: true } as never);
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-in': '42', 'tulle-client-id': 'evil' }));
    const reply = answer(stream);
    stream.end(body);
    const { body: echoed, trailers } = await reply;
    expect(echoed).toBe(body.toString());
    expect(trailers['x-out']).toBe('42');
    expect(trailers['x-id']).toBe(way === 'mesh' ? CLIENT_ID : '');
  });

  test('a cancelled request is cancelled at the application, and its neighbours go on', async () => {
    let cancelled = false;
    const app = await http2App((stream, headers) => {
      if (headers[':path'] === '/slow') stream.on('close', () => (cancelled = true));
      else stream.respond({ ':status': 200 }, { endStream: true });
    });
    const client = session(await orders(testMesh(), way, app));
    const slow = client.request({ ':path': '/slow' });
    await answer(client.request({ ':path': '/a' }));
    slow.close(8);
    await eventually(() => cancelled);
    expect((await answer(client.request({ ':path': '/b' }))).headers[':status']).toBe(200);
  });

  test('an answer that is reset is reset for the client', async () => {
    const app = await http2App(stream => {
      stream.respond({ ':status': 200 });
      stream.write('half');
      setTimeout(() => stream.destroy(new Error('broken')), 10);
    });
    const client = session(await orders(testMesh(), way, app));
    const stream = client.request({ ':path': '/' });
    stream.on('error', () => {});
    stream.resume();
    await new Promise(resolve => stream.on('close', resolve));
    expect(stream.rstCode).not.toBe(0);
  });
});

test('an HTTP/1.1 client reaches an HTTP/2 application', async () => {
  const app = await http2App((stream, headers) => {
    stream.respond({ ':status': 200 });
    stream.end(`${headers[':method']} ${headers[':path']}`);
  });
  const port = await orders(testMesh(), 'mesh', app);
  expect((await call(port, { path: '/x' })).body).toBe('GET /x');
});

test('a client of the mesh without a sidecar is let in by its certificate, where HTTP is declared', async () => {
  const app = await http2App((stream, headers) => {
    stream.respond({ ':status': 200 });
    stream.end([headers['x-forwarded-client-cert'], headers['tulle-version']].map(String).join(' '));
  });
  const mesh = testMesh();
  const { port } = await mesh.server(app, { protocol: 'grpc', mtls: 'strict' });
  const tls = { ca: mesh.authority.pem, checkServerIdentity: () => undefined };
  const peer = 'spiffe://cluster.local/ns/shop/sa/proxyless';
  const known = connect(`https://127.0.0.1:${port}`, { ...tls, ...mesh.authority.issue(peer) });
  onEnd(() => known.destroy());
  // It is no sidecar, so what it says in the name of one does not count.
  const { body } = await answer(known.request({ ':path': '/', 'tulle-version': '1.1', 'tulle-source': 'x' }));
  expect(body).toBe(`By=${SERVER_ID};URI=${peer} undefined`);
  const unknown = connectTls({ port, host: '127.0.0.1', ALPNProtocols: ['h2'], ...tls });
  onEnd(() => unknown.destroy());
  const error = await new Promise<NodeJS.ErrnoException>(resolve => unknown.on('error', resolve));
  expect(error.code).toBe('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED');
});

test('the connection of such a client ends with its certificate', async () => {
  const app = await http2App(stream => stream.respond({ ':status': 200 }, { endStream: true }));
  const mesh = testMesh();
  const { port } = await mesh.server(app, { protocol: 'grpc' });
  const brief = mesh.authority.issue('spiffe://cluster.local/ns/shop/sa/brief', { lifeMs: 1500 });
  const client = connect(`https://127.0.0.1:${port}`, {
    ca: mesh.authority.pem,
    checkServerIdentity: () => undefined,
    ...brief,
  });
  onEnd(() => client.destroy());
  client.on('error', () => {});
  expect((await answer(client.request({ ':path': '/' }))).headers[':status']).toBe(200);
  await new Promise(resolve => client.on('close', resolve));
  // Certificates know whole seconds.
  expect(Date.now()).toBeGreaterThanOrEqual(Math.floor(brief.notAfter / 1000) * 1000);
});

// A gRPC service of raw bytes needs no generated code.
const raw = { serialize: (value: Buffer) => value, deserialize: (value: Buffer) => value };
const method = (path: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Echo/${path}`,
  requestStream,
  responseStream,
  requestSerialize: raw.serialize,
  requestDeserialize: raw.deserialize,
  responseSerialize: raw.serialize,
  responseDeserialize: raw.deserialize,
});
const ECHO = {
  Unary: method('Unary', false, false),
  Chat: method('Chat', true, true),
  Fail: method('Fail', false, false),
  Hang: method('Hang', false, false),
};

async function grpcApp(): Promise<{ port: number; deadlines: string[] }> {
  const server = new Server();
  const deadlines: string[] = [];
  server.addService(
    ECHO as never,
    {
      Unary: (echo: { request: Buffer; metadata: Metadata }, done: (error: null, value: Buffer) => void) =>
        done(null, echo.request),
      Chat: (stream: NodeJS.ReadWriteStream) => {
        stream.on('data', value => stream.write(value));
        stream.on('end', () => stream.end());
      },
      Fail: (_echo: unknown, done: (error: Partial<ServiceError>) => void) =>
        done({ code: status.ALREADY_EXISTS, details: 'it is there' }),
      Hang: (echo: { metadata: Metadata; getDeadline(): Date }) =>
        void deadlines.push(String(echo.getDeadline())),
    } as never,
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  onEnd(() => server.forceShutdown());
  return { port, deadlines };
}

type Echo = Client & Record<string, (...args: unknown[]) => never>;

function grpcClient(port: number): Echo {
  const made = loadPackageDefinition({ 'test.Echo': ECHO } as never) as GrpcObject;
  const Constructor = (made['test'] as GrpcObject)['Echo'] as ServiceClientConstructor;
  const client = new Constructor(`127.0.0.1:${port}`, credentials.createInsecure());
  onEnd(() => client.close());
  return client as unknown as Echo;
}

function unary(
  client: Echo,
  name: string,
  value: Buffer,
  options: object = {},
): Promise<{ error: ServiceError | null; value: Buffer }> {
  return new Promise(resolve =>
    client[name](value, new Metadata(), options, (error: ServiceError | null, answered: Buffer) =>
      resolve({ error, value: answered }),
    ),
  );
}

describe.each(ways)('gRPC, %s', way => {
  async function echo(): Promise<{ client: Echo; deadlines: string[] }> {
    const { port, deadlines } = await grpcApp();
    const mesh = testMesh();
    const target =
      way === 'plaintext'
        ? endpoint(port)
        : endpoint((await mesh.server(port, { protocol: 'grpc' })).port, { identity: SERVER_ID });
    const client = await mesh.orders([cluster('orders', [target], { protocol: 'http2' })], {
      protocol: 'grpc',
    });
    return { client: grpcClient(client.port), deadlines };
  }

  test('unary calls, large and small', async () => {
    const { client } = await echo();
    const large = Buffer.alloc(1_000_000, 7);
    expect((await unary(client, 'Unary', Buffer.from('hi'))).value.toString()).toBe('hi');
    expect((await unary(client, 'Unary', large)).value.equals(large)).toBe(true);
  });

  test('a bidirectional stream answers every message while it is open', async () => {
    const { client } = await echo();
    const stream = client['Chat']() as unknown as NodeJS.ReadWriteStream;
    const seen: string[] = [];
    stream.on('data', value => seen.push(value.toString()));
    for (const word of ['a', 'b', 'c']) {
      stream.write(Buffer.from(word));
      await eventually(() => seen.at(-1) === word);
    }
    const ended = new Promise(resolve => stream.on('end', resolve));
    stream.end();
    await ended;
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  test('a status of the application arrives as it is', async () => {
    const { client } = await echo();
    const { error } = await unary(client, 'Fail', Buffer.alloc(0));
    expect([error?.code, error?.details]).toEqual([status.ALREADY_EXISTS, 'it is there']);
  });

  test("the caller's deadline is passed on and kept", async () => {
    const { client, deadlines } = await echo();
    const { error } = await unary(client, 'Hang', Buffer.alloc(0), { deadline: Date.now() + 300 });
    expect(error?.code).toBe(status.DEADLINE_EXCEEDED);
    expect(deadlines[0]).not.toContain('Infinity');
  });
});

test('a failure of the proxy is a gRPC status', async () => {
  const mesh = testMesh();
  const client = await mesh.orders([cluster('orders', [])], {
    protocol: 'grpc',
    routes: [forward(['orders'])],
  });
  const { error } = await unary(grpcClient(client.port), 'Unary', Buffer.from('hi'));
  expect([error?.code, error?.details]).toEqual([
    status.UNAVAILABLE,
    'NO_HEALTHY_ENDPOINT; The service has no ready endpoint.',
  ]);
});
