import { describe, expect, test } from 'vitest';
import { call, httpApp, TcpClient } from '../apps.ts';
import { cluster, endpoint, forward, testMesh } from '../mesh.ts';
import { reach, ways } from '../ways.ts';

describe.each(ways)('the target of a request, %s', way => {
  test('in absolute-form reaches the application in origin-form, its authority as the host', async () => {
    const app = await httpApp((req, res) => res.end(`${req.url} ${req.headers.host}`));
    const port = await reach(way, app);
    const { body } = await call(port, { path: 'http://Orders.shop:8080/a/../b?c=%2F', host: 'ignored' });
    expect(body).toBe('/a/../b?c=%2F orders.shop:8080');
  });

  test('of OPTIONS may be *, in both forms', async () => {
    const app = await httpApp((req, res) => res.setHeader('allow', 'GET').end(`${req.method} ${req.url}`));
    const port = await reach(way, app);
    for (const target of ['*', 'http://orders']) {
      const client = new TcpClient(port);
      client.socket.write(`OPTIONS ${target} HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n`);
      await client.until(({ ended }) => ended);
      expect(client.text).toContain('allow: GET\r\n');
      expect(client.text.split('\r\n\r\n')[1]).toContain('OPTIONS *');
    }
  });

  test('arrives octet by octet as it was sent', async () => {
    const app = await httpApp((req, res) => res.end(req.url));
    const port = await reach(way, app);
    for (const path of ['//a//b', '/%41%zz', "/a;b=c,d!$&'()*+:@", '/?q=a+b&&=&#'.slice(0, -1), '/.']) {
      expect((await call(port, { path })).body).toBe(path);
    }
  });
});

test('OPTIONS * follows the routes of the service as a whole', async () => {
  const app = await httpApp((req, res) => res.end(req.url));
  const everything = forward(['orders']);
  const prefix = { ...everything.match, path: { kind: 'prefix', value: '/' } } as const;
  const client = await testMesh().orders([cluster('orders', [endpoint(app)])], {
    routes: [{ ...everything, match: prefix }],
  });
  const answer = await call(client.port, { method: 'OPTIONS', path: '*' });
  expect([answer.status, answer.body]).toEqual([200, '*']);
});
