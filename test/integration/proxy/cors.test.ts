import { expect, test } from 'vitest';
import { cors } from '../../../proxy/route/route.fixture.ts';
import { call, closedPort, httpApp } from './apps.ts';
import { cluster, endpoint, forward, testMesh } from './mesh.ts';

const ORIGIN = 'https://a.com';

test('preflight requests are answered by the sidecar, whether the origin is allowed or not', async () => {
  const seen: string[] = [];
  const app = await httpApp((req, res) => {
    seen.push(req.method ?? '');
    res.end();
  });
  const route = { ...forward(['orders']), cors: cors({ methods: 'PUT' }) };
  const client = await testMesh().orders([cluster('orders', [endpoint(app)])], { routes: [route] });
  const headers = { 'access-control-request-method': 'PUT' };
  const allowed = await call(client.port, { method: 'OPTIONS', headers: { ...headers, origin: ORIGIN } });
  expect([allowed.status, allowed.body, allowed.headers['access-control-allow-origin']]).toEqual([
    200,
    '',
    ORIGIN,
  ]);
  const refused = await call(client.port, {
    method: 'OPTIONS',
    headers: { ...headers, origin: 'https://b.com' },
  });
  expect([refused.status, refused.body]).toEqual([200, '']);
  expect(Object.keys(refused.headers).filter(name => name.startsWith('access-control'))).toEqual([]);
  expect(seen).toEqual([]);
  // Without an origin nobody asks for another request: it is the application's.
  await call(client.port, { method: 'OPTIONS', headers });
  expect(seen).toEqual(['OPTIONS']);
});

test('answers get the fields of the policy in place of the application, and errors of the sidecar too', async () => {
  const app = await httpApp((_req, res) => {
    res.setHeader('access-control-allow-origin', '*').setHeader('vary', 'accept').end('x');
  });
  const route = { ...forward(['orders']), cors: cors() };
  const orders = await testMesh().orders([cluster('orders', [endpoint(app)])], { routes: [route] });
  const own = await call(orders.port, { headers: { origin: ORIGIN } });
  expect([own.headers['access-control-allow-origin'], own.headers.vary]).toEqual([ORIGIN, 'accept, origin']);
  const other = await call(orders.port, { headers: { origin: 'https://b.com' } });
  expect([other.status, other.body]).toEqual([200, 'x']);
  expect(other.headers).not.toHaveProperty('access-control-allow-origin');

  const gone = await testMesh().orders([cluster('orders', [endpoint(await closedPort())])], {
    routes: [route],
  });
  const failed = await call(gone.port, { headers: { origin: ORIGIN } });
  expect([failed.status, failed.headers['access-control-allow-origin']]).toEqual([503, ORIGIN]);
});
