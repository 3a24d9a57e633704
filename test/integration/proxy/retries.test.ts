import { describe, expect, test } from 'vitest';
import type { ForwardConfig, RetryConfig } from '../../../proxy/route/route-config.ts';
import { call, closedPort, eventually, httpApp, tcpApp } from './apps.ts';
import { createAuthority, TestIdentity } from './identities.ts';
import { cluster, endpoint, forward, SERVER_ID, type TestMesh, testMesh } from './mesh.ts';

const RETRY: RetryConfig = {
  attempts: 2,
  statuses: [503],
  grpcStatuses: [],
  onReset: true,
  perTryTimeoutMs: 0,
  anyMethod: false,
  backoff: { baseMs: 1, maxMs: 5 },
};

const code = (headers: Record<string, unknown>) => String(headers['tulle-error']).split(';')[0];

/** A meshed endpoint whose application answers `name` and counts. */
async function replica(mesh: TestMesh, name: string): Promise<{ port: number; count: () => number }> {
  let count = 0;
  const app = await httpApp((req, res) => {
    count++;
    req.resume();
    req.on('end', () => res.end(name));
  });
  const { port } = await mesh.server(app);
  return { port, count: () => count };
}

function routes(options: Partial<ForwardConfig>): ReturnType<typeof forward>[] {
  return [forward(['orders'], options)];
}

test('an endpoint that refuses connections is hidden, for every method, without a retry policy', async () => {
  const mesh = testMesh();
  const good = await replica(mesh, 'good');
  const bad = await closedPort();
  const identity = SERVER_ID;
  const client = await mesh.orders([
    cluster('orders', [endpoint(bad, { identity }), endpoint(good.port, { identity })]),
  ]);
  for (let i = 0; i < 6; i++) {
    expect((await call(client.port, { method: 'POST', body: 'x'.repeat(10_000) })).body).toBe('good');
  }
});

test('a sidecar whose application is gone is hidden in the same way', async () => {
  const mesh = testMesh();
  const good = await replica(mesh, 'good');
  const bad = await mesh.server(await closedPort());
  const identity = SERVER_ID;
  const client = await mesh.orders([
    cluster('orders', [endpoint(bad.port, { identity }), endpoint(good.port, { identity })]),
  ]);
  for (let i = 0; i < 6; i++)
    expect((await call(client.port, { method: 'POST', body: 'a' })).body).toBe('good');
});

test('an endpoint that fails is ejected', async () => {
  const mesh = testMesh();
  let failures = 0;
  const bad = await httpApp((_req, res) => {
    failures++;
    res.writeHead(500).end();
  });
  const good = await replica(mesh, 'good');
  const outlier = {
    consecutiveFailures: 3,
    baseEjectionMs: 60_000,
    maxEjectionMs: 60_000,
    maxEjectedFraction: 0.5,
  };
  const orders = cluster('orders', [endpoint(bad), endpoint(good.port, { identity: SERVER_ID })], {
    outlier,
  });
  const client = await mesh.orders([orders]);
  for (let i = 0; i < 20; i++) await call(client.port);
  expect(failures).toBe(3);
  expect(orders.ejected).toBe(1);
});

describe('answers', () => {
  test('are retried if the route says so, elsewhere', async () => {
    const mesh = testMesh();
    const bad = await httpApp((_req, res) => res.writeHead(503).end('bad'));
    const good = await replica(mesh, 'good');
    const orders = cluster('orders', [endpoint(bad), endpoint(good.port, { identity: SERVER_ID })]);
    const client = await mesh.orders([orders], { routes: routes({ retry: RETRY }) });
    for (let i = 0; i < 4; i++) expect((await call(client.port)).body).toBe('good');
    expect(orders.counters.retries.status).toBeGreaterThan(0);
    expect([orders.activeRequests, orders.activeRetries]).toEqual([0, 0]);
    expect(orders.endpoints.map(each => each.active)).toEqual([0, 0]);
  });

  test('to methods that are not idempotent are passed on', async () => {
    let count = 0;
    const bad = await httpApp((_req, res) => {
      count++;
      res.writeHead(503).end('bad');
    });
    const client = await testMesh().orders([cluster('orders', [endpoint(bad)])], {
      routes: routes({ retry: RETRY }),
    });
    const answer = await call(client.port, { method: 'POST', body: 'x' });
    expect([answer.status, answer.body, count]).toEqual([503, 'bad', 1]);
    await call(client.port, { method: 'POST', body: 'x', headers: { 'idempotency-key': '1' } });
    expect(count).toBe(4);
  });

  test('of the last attempt are passed on when the attempts are used up', async () => {
    const bad = await httpApp((_req, res) => res.writeHead(503, { 'x-a': 'b' }).end('bad'));
    const client = await testMesh().orders([cluster('orders', [endpoint(bad)])], {
      routes: routes({ retry: RETRY }),
    });
    const answer = await call(client.port);
    expect([answer.status, answer.body, answer.headers['x-a']]).toEqual([503, 'bad', 'b']);
  });
});

test('a body is sent again whole, up to the replay limit, and not beyond', async () => {
  const bodies: number[] = [];
  const app = await httpApp((req, res) => {
    let size = 0;
    req.on('data', (chunk: Buffer) => (size += chunk.length));
    req.on('end', () => {
      bodies.push(size);
      res.writeHead(bodies.length % 2 === 1 ? 503 : 200).end();
    });
  });
  const orders = cluster('orders', [endpoint(app)]);
  const client = await testMesh().orders([orders], { routes: routes({ retry: RETRY }) });
  expect((await call(client.port, { method: 'PUT', body: Buffer.alloc(60_000) })).status).toBe(200);
  expect(bodies).toEqual([60_000, 60_000]);
  expect((await call(client.port, { method: 'PUT', body: Buffer.alloc(500_000) })).status).toBe(503);
  expect(bodies).toEqual([60_000, 60_000, 500_000]);
  expect(orders.counters.retriesDenied.body).toBe(1);
});

test('the replay limit is a setting', async () => {
  const app = await httpApp((req, res) => {
    req.resume();
    req.on('end', () => res.writeHead(503).end());
  });
  const orders = cluster('orders', [endpoint(app)]);
  const mesh = testMesh();
  mesh.limits = new Map([['replayBytes', 1000]]);
  const client = await mesh.orders([orders], { routes: routes({ retry: RETRY }) });
  await call(client.port, { method: 'PUT', body: Buffer.alloc(1000) });
  expect([orders.counters.retriesDenied.body, orders.counters.retries.status > 0]).toEqual([0, true]);
  await call(client.port, { method: 'PUT', body: Buffer.alloc(1001) });
  expect(orders.counters.retriesDenied.body).toBe(1);
});

test('retries stay within the budget', async () => {
  let count = 0;
  const bad = await httpApp((_req, res) => {
    count++;
    setTimeout(() => res.writeHead(503).end(), 20);
  });
  const orders = cluster('orders', [endpoint(bad)], { retryBudget: { fraction: 0.2, min: 3, rate: null } });
  const client = await testMesh().orders([orders], { routes: routes({ retry: { ...RETRY, attempts: 10 } }) });
  const answers = await Promise.all(Array.from({ length: 40 }, () => call(client.port)));
  expect(answers.every(({ status }) => status === 503)).toBe(true);
  expect(count).toBeLessThan(40 * 2.2);
  expect(orders.counters.retriesDenied.budget).toBeGreaterThan(0);
  expect([orders.activeRequests, orders.activeRetries]).toEqual([0, 0]);
});

describe('timeouts', () => {
  test('of the request end it with 504', async () => {
    const app = await httpApp(() => {});
    const client = await testMesh().orders([cluster('orders', [endpoint(app)])], {
      routes: routes({ timeoutMs: 60 }),
    });
    const answer = await call(client.port);
    expect([answer.status, code(answer.headers)]).toEqual([504, 'REQUEST_TIMEOUT']);
  });

  test('of an attempt lead to another endpoint', async () => {
    const mesh = testMesh();
    const hangs = await httpApp(() => {});
    const good = await replica(mesh, 'good');
    const orders = cluster('orders', [endpoint(hangs), endpoint(good.port, { identity: SERVER_ID })]);
    const client = await mesh.orders([orders], {
      routes: routes({ retry: { ...RETRY, perTryTimeoutMs: 1000 } }),
    });
    for (let i = 0; i < 4; i++) expect((await call(client.port)).body).toBe('good');
  });

  test('of a request whose answer has begun cut it off', async () => {
    const app = await httpApp((_req, res) => {
      res.writeHead(200);
      res.write('begin');
    });
    const client = await testMesh().orders([cluster('orders', [endpoint(app)])], {
      // Long enough for the answer to begin on a busy machine.
      routes: routes({ timeoutMs: 1500 }),
    });
    await expect(call(client.port)).rejects.toThrow();
  });

  test('cancel the request at the application', async () => {
    let cancelled = false;
    const app = await httpApp((_req, res) => void res.on('close', () => (cancelled = true)));
    const mesh = testMesh();
    const server = await mesh.server(app);
    const orders = cluster('orders', [endpoint(server.port, { identity: SERVER_ID })]);
    const client = await mesh.orders([orders], { routes: routes({ timeoutMs: 1500 }) });
    expect((await call(client.port)).status).toBe(504);
    await eventually(() => cancelled);
  });

  test('of connecting end an attempt', async () => {
    // Accepts TCP and never answers the handshake.
    const app = await tcpApp(() => {});
    const orders = cluster('orders', [endpoint(app, { identity: SERVER_ID })], { connectTimeoutMs: 60 });
    const client = await testMesh().orders([orders], { routes: routes({ timeoutMs: 5000 }) });
    const answer = await call(client.port);
    expect(answer.status).toBe(503);
    expect(code(answer.headers)).toBe('CONNECT_TIMEOUT');
  });
});

test('a request waits a moment for an endpoint to appear, and not again while there is none', async () => {
  const mesh = testMesh();
  const good = await replica(mesh, 'good');
  const orders = cluster('orders', []);
  const client = await mesh.orders([orders]);
  const early = call(client.port, { method: 'POST', body: 'x' });
  await eventually(() => orders.activeRequests === 1);
  const endpoints = [endpoint(good.port, { identity: SERVER_ID })];
  orders.updateEndpoints({ name: 'orders', version: '2', endpoints });
  expect((await early).body).toBe('good');
  orders.updateEndpoints({ name: 'orders', version: '3', endpoints: [] });
  expect(code((await call(client.port)).headers)).toBe('NO_HEALTHY_ENDPOINT');
  const failures = await Promise.all(Array.from({ length: 20 }, () => call(client.port)));
  expect(failures.every(({ headers }) => code(headers) === 'NO_HEALTHY_ENDPOINT')).toBe(true);
  expect(orders.activeRequests).toBe(0);
});

test('a limit of requests in flight answers at once', async () => {
  const app = await httpApp((_req, res) => void setTimeout(() => res.end(), 100));
  const client = await testMesh().orders([cluster('orders', [endpoint(app)], { maxRequests: 2 })]);
  const answers = await Promise.all(Array.from({ length: 5 }, () => call(client.port)));
  expect(answers.filter(({ status }) => status === 200).length).toBe(2);
  expect(answers.filter(({ headers }) => code(headers) === 'OVERFLOW').length).toBe(3);
});

test('a limit of connections makes requests wait their turn', async () => {
  let open = 0;
  let most = 0;
  const app = await httpApp((_req, res) => {
    most = Math.max(most, ++open);
    setTimeout(() => {
      open--;
      res.end();
    }, 10);
  });
  const client = await testMesh().orders([cluster('orders', [endpoint(app)], { maxConnections: 2 })]);
  const answers = await Promise.all(Array.from({ length: 20 }, () => call(client.port)));
  expect(answers.every(({ status }) => status === 200)).toBe(true);
  expect(most).toBe(2);
});

describe('identity', () => {
  test('an endpoint that is somebody else gets no byte of the request, and another is used', async () => {
    const mesh = testMesh();
    let reached = 0;
    const app = await httpApp((_req, res) => {
      reached++;
      res.end();
    });
    const wrong = TestIdentity.create(mesh.authority, 'spiffe://cluster.local/ns/shop/sa/other');
    const impostor = await mesh.server(app, { identity: wrong });
    const good = await replica(mesh, 'good');
    const identity = SERVER_ID;
    const orders = cluster('orders', [
      endpoint(impostor.port, { identity }),
      endpoint(good.port, { identity }),
    ]);
    const client = await mesh.orders([orders]);
    for (let i = 0; i < 4; i++)
      expect((await call(client.port, { method: 'POST', body: 'x' })).body).toBe('good');
    expect(reached).toBe(0);
  });

  test('without another endpoint the failure says so', async () => {
    const mesh = testMesh();
    const impostor = await mesh.server(await closedPort(), {
      identity: TestIdentity.create(mesh.authority, 'spiffe://cluster.local/ns/shop/sa/orders2'),
    });
    const client = await mesh.orders(
      [cluster('orders', [endpoint(impostor.port, { identity: SERVER_ID })])],
      {
        routes: routes({}),
      },
    );
    const answer = await call(client.port);
    expect([answer.status, code(answer.headers)]).toEqual([503, 'PEER_IDENTITY']);
  });

  test('a certificate of another authority, or with two names, is nobody', async () => {
    const mesh = testMesh();
    const foreign = TestIdentity.create(createAuthority(), SERVER_ID);
    const double = TestIdentity.create(mesh.authority, SERVER_ID, {
      extraUris: ['spiffe://cluster.local/ns/shop/sa/web'],
    });
    for (const identity of [foreign, double]) {
      const impostor = await mesh.server(await closedPort(), { identity });
      const client = await mesh.orders([
        cluster('orders', [endpoint(impostor.port, { identity: SERVER_ID })]),
      ]);
      expect((await call(client.port)).status).toBe(503);
    }
  });

  test('a server refuses a client of another authority, and that is not held against the server', async () => {
    const mesh = testMesh();
    let reached = 0;
    const app = await httpApp((_req, res) => {
      reached++;
      res.end();
    });
    const server = await mesh.server(app);
    const foreign = createAuthority();
    const identity = TestIdentity.create(foreign, 'spiffe://cluster.local/ns/shop/sa/web');
    // It trusts the mesh, but the mesh does not trust it.
    identity.renew(foreign, 'spiffe://cluster.local/ns/shop/sa/web', {}, [mesh.authority.pem]);
    const orders = cluster('orders', [endpoint(server.port, { identity: SERVER_ID })]);
    const client = await mesh.orders([orders], { client: { identity } });
    expect((await call(client.port)).status).toBe(503);
    expect(reached).toBe(0);
    expect(orders.endpoints[0].consecutiveFailures).toBe(0);
  });

  test('without a certificate nothing is sent to the mesh', async () => {
    const mesh = testMesh();
    const server = await mesh.server(await closedPort());
    const client = await mesh.orders([cluster('orders', [endpoint(server.port, { identity: SERVER_ID })])], {
      client: { identity: new TestIdentity() },
    });
    const answer = await call(client.port);
    expect([answer.status, code(answer.headers)]).toEqual([503, 'CONFIG_UNAVAILABLE']);
  });

  test('a strict port answers plaintext requests with 403 and closes other connections', async () => {
    const mesh = testMesh();
    const app = await httpApp((_req, res) => res.end('reached'));
    const strict = await mesh.server(app, { mtls: 'strict' });
    const plain = await mesh.orders([cluster('orders', [endpoint(strict.port)])]);
    const answer = await call(plain.port);
    expect([answer.status, code(answer.headers)]).toEqual([403, 'MTLS_REQUIRED']);
    const meshed = await mesh.orders([cluster('orders', [endpoint(strict.port, { identity: SERVER_ID })])]);
    expect((await call(meshed.port)).body).toBe('reached');
  });

  test('a connection ends with the certificate, and a new one brings traffic back', async () => {
    const mesh = testMesh();
    const app = await httpApp((_req, res) => res.end('ok'));
    const identity = TestIdentity.create(mesh.authority, SERVER_ID, { lifeMs: 2500 });
    const server = await mesh.server(app, { identity });
    const client = await mesh.orders([cluster('orders', [endpoint(server.port, { identity: SERVER_ID })])]);
    expect((await call(client.port)).status).toBe(200);
    await eventually(
      () => server.stack.statistics.connections === 0 && client.stack.statistics.upstreamConnections === 0,
    );
    const expired = await call(client.port);
    expect([expired.status, code(expired.headers)]).toEqual([503, 'PEER_IDENTITY']);
    identity.renew(mesh.authority, SERVER_ID);
    expect((await call(client.port)).status).toBe(200);
  });

  test('a new certificate replaces the connections without a failure', async () => {
    const mesh = testMesh();
    const good = await replica(mesh, 'good');
    const orders = cluster('orders', [endpoint(good.port, { identity: SERVER_ID })]);
    const client = await mesh.orders([orders]);
    let failed = 0;
    let done = false;
    const load = Array.from({ length: 8 }, async () => {
      while (!done) if ((await call(client.port, { method: 'POST', body: 'x' })).body !== 'good') failed++;
    });
    for (let i = 0; i < 5; i++) {
      await new Promise(resolve => setTimeout(resolve, 60));
      client.identity.renew(mesh.authority, 'spiffe://cluster.local/ns/shop/sa/web');
    }
    done = true;
    await Promise.all(load);
    expect(failed).toBe(0);
  });
});
