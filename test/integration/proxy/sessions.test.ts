import { expect, test } from 'vitest';
import type { Cluster } from '../../../proxy/cluster/cluster.ts';
import type { SessionConfig } from '../../../proxy/cluster/cluster-config.ts';
import { SessionTokens } from '../../../proxy/route/session-tokens.ts';
import { call, closedPort, httpApp } from './apps.ts';
import { cluster, endpoint, forward, testMesh } from './mesh.ts';

const SESSION: SessionConfig = {
  kind: 'cookie',
  name: 's',
  path: '/',
  timeoutMs: 0,
  permanent: false,
  key: 'key',
};
const ROUTE = { ...forward(['orders']), session: SESSION };

/** The cookie of a client whose session is with the endpoint. */
function cookieOf(orders: Cluster, index: number): Record<string, string> {
  const tokens = new SessionTokens(orders, ROUTE.origin);
  return { cookie: `s=${tokens.nameOf(orders.endpoints[index], SESSION.key)}` };
}

const named = (name: string) => httpApp((_req, res) => res.end(name));

test('a session whose endpoint cannot be reached, or is gone, moves to another one', async () => {
  const orders = cluster('orders', [endpoint(await closedPort()), endpoint(await named('good'))]);
  const client = await testMesh().orders([orders], { routes: [ROUTE] });
  const good = cookieOf(orders, 1);
  for (let i = 0; i < 4; i++) {
    const moved = await call(client.port, { method: 'POST', body: 'x', headers: cookieOf(orders, 0) });
    expect([moved.status, moved.body]).toEqual([200, 'good']);
    expect(moved.headers['set-cookie']).toEqual([`${good.cookie}; Path=/; HttpOnly; SameSite=Lax`]);
  }
  const lost = cookieOf(orders, 0);
  orders.updateEndpoints({ name: 'orders', version: '2', endpoints: [endpoint(orders.endpoints[1].port)] });
  const moved = await call(client.port, { headers: lost });
  expect([moved.body, moved.headers['set-cookie']?.[0].split(';')[0]]).toEqual(['good', good.cookie]);
  expect((await call(client.port, { headers: good })).headers).not.toHaveProperty('set-cookie');
});

test('an answer that is retried is asked for again where the session is, until the endpoint is ejected', async () => {
  let count = 0;
  const failing = await httpApp((_req, res) => {
    count++;
    res.writeHead(503).end('failing');
  });
  const retry = {
    attempts: 1,
    statuses: [503],
    grpcStatuses: [],
    onReset: true,
    perTryTimeoutMs: 0,
    anyMethod: false,
    backoff: { baseMs: 1, maxMs: 5 },
  };
  const outlier = {
    consecutiveFailures: 4,
    baseEjectionMs: 60_000,
    maxEjectionMs: 60_000,
    maxEjectedFraction: 0.5,
  };
  const orders = cluster('orders', [endpoint(failing), endpoint(await named('good'))], { outlier });
  const route = { ...forward(['orders'], { retry }), session: SESSION };
  const client = await testMesh().orders([orders], { routes: [route] });
  const headers = cookieOf(orders, 0);
  expect((await call(client.port, { headers })).body).toBe('failing');
  expect(count).toBe(2);
  await call(client.port, { headers });
  expect(orders.endpoints[0].ejectedUntil).toBeGreaterThan(0);
  const moved = await call(client.port, { headers });
  expect([moved.body, moved.headers['set-cookie']?.length, count]).toEqual(['good', 1, 4]);
});
