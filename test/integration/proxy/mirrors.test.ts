import { expect, test } from 'vitest';
import { call, eventually, httpApp } from './apps.ts';
import { cluster, endpoint, forward, testMesh } from './mesh.ts';

interface Seen {
  readonly path: string;
  readonly body: string;
}

async function recorder(answer: (path: string) => number): Promise<{ port: number; seen: Seen[] }> {
  const seen: Seen[] = [];
  const port = await httpApp((req, res) => {
    let body = '';
    req.on('data', chunk => (body += chunk));
    req.on('end', () => {
      seen.push({ path: req.url ?? '', body });
      res.writeHead(answer(req.url ?? '')).end('answer');
    });
  });
  return { port, seen };
}

test('a copy of each request goes to the mirror, and its answer is thrown away', async () => {
  const mesh = testMesh();
  const main = await recorder(() => 200);
  const shadow = await recorder(() => 500);
  const clusters = [cluster('orders', [endpoint(main.port)]), cluster('shadow', [endpoint(shadow.port)])];
  const client = await mesh.orders(clusters, {
    routes: [forward(['orders'], { mirrors: [{ cluster: 'shadow', fraction: 1 }] })],
  });
  for (const body of ['', 'hello', 'x'.repeat(60_000)]) {
    const answer = await call(client.port, { method: 'POST', path: `/${body.length}`, body });
    expect([answer.status, answer.body]).toEqual([200, 'answer']);
  }
  await eventually(() => shadow.seen.length === 3);
  expect(shadow.seen.toSorted((a, b) => a.body.length - b.body.length)).toEqual(main.seen);
  await eventually(() => clusters[1].endpoints[0].active === 0);
});

test('a mirror that is gone, and a body beyond the replay limit, do not disturb the request', async () => {
  const mesh = testMesh();
  const main = await recorder(() => 200);
  const shadow = await recorder(() => 200);
  const clusters = [
    cluster('orders', [endpoint(main.port)]),
    cluster('shadow', [endpoint(shadow.port)]),
    cluster('gone', []),
  ];
  const mirrors = ['gone', 'shadow'].map(name => ({ cluster: name, fraction: 1 }));
  const client = await mesh.orders(clusters, { routes: [forward(['orders'], { mirrors })] });
  expect((await call(client.port, { method: 'POST', body: 'x'.repeat(500_000) })).status).toBe(200);
  expect((await call(client.port, { method: 'POST', body: 'small' })).status).toBe(200);
  await eventually(() => shadow.seen.length === 1);
  expect(shadow.seen[0].body).toBe('small');
});
