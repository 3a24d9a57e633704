/** Applications that reset or close connections instead of answering: what is tried again, and what the caller is told. */
import { createServer } from 'node:http2';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { RetryConfig } from '../../../proxy/route/route-config.ts';
import { type Call, call, httpApp, listen, onEnd, tcpApp } from './apps.ts';
import { cluster, endpoint, forward, SERVER_ID, type TestMesh, testMesh } from './mesh.ts';

const RETRY: RetryConfig = {
  attempts: 2,
  statuses: [],
  grpcStatuses: [],
  onReset: true,
  perTryTimeoutMs: 0,
  anyMethod: false,
  backoff: { baseMs: 1, maxMs: 5 },
};

/** Does not read what is sent to it, as a connection that is never accepted: its kernel answers with RST. */
const unread = (socket: Socket): void => {
  socket.once('readable', () => socket.resetAndDestroy());
};

/** Reads the request and dies of it. */
const dies = (socket: Socket): void => {
  socket.once('data', () => socket.end());
};

/** Two meshed endpoints: one whose application does this to connections, and one that answers `good`. */
async function withBad(
  mesh: TestMesh,
  bad: (socket: Socket) => void,
  retry: RetryConfig | null = null,
): Promise<{ ask: (options?: Call) => ReturnType<typeof call>; count: () => number }> {
  let count = 0;
  const app = await tcpApp(socket => {
    count++;
    bad(socket);
  });
  const good = await httpApp((_req, res) => res.end('good'));
  const identity = SERVER_ID;
  const endpoints = [app, good].map(async port => endpoint((await mesh.server(port)).port, { identity }));
  const client = await mesh.orders([cluster('orders', await Promise.all(endpoints))], {
    routes: [forward(['orders'], { retry })],
  });
  return { ask: options => call(client.port, options), count: () => count };
}

const code = (headers: Record<string, unknown>): string => String(headers['tulle-error']).split(';')[0];
const statuses = (answers: readonly { status: number }[]): number[] =>
  answers.map(({ status }) => status).sort((a, b) => a - b);
const POST: Call = { method: 'POST', body: 'x' };

describe('a request that an application has not read', () => {
  test('is given to another if it may be repeated, without a rule', async () => {
    const { ask, count } = await withBad(testMesh(), unread);
    for (let i = 0; i < 4; i++) expect((await ask()).body).toBe('good');
    expect(count()).toBe(4);
    const answer = await ask({ method: 'POST', body: 'x', headers: { 'idempotency-key': '1' } });
    expect(answer.body).toBe('good');
  });

  test('is not if it may not', async () => {
    const { ask, count } = await withBad(testMesh(), unread);
    const answers = [await ask(POST), await ask(POST)];
    expect(statuses(answers)).toEqual([200, 503]);
    const failed = answers.find(({ status }) => status === 503);
    expect(code(failed?.headers ?? {})).toBe('CONNECTION_RESET');
    expect(count()).toBe(1);
  });

  test('is repeated once, where there is nobody else', async () => {
    let count = 0;
    const mesh = testMesh();
    const app = await tcpApp(socket => {
      count++;
      unread(socket);
    });
    const server = await mesh.server(app);
    const client = await mesh.orders([cluster('orders', [endpoint(server.port, { identity: SERVER_ID })])]);
    const answer = await call(client.port);
    expect([answer.status, code(answer.headers), count]).toEqual([503, 'CONNECTION_RESET', 2]);
  });

  test('is given to another over HTTP/2 for any method if the application has not said a word', async () => {
    const mesh = testMesh();
    const bad = await tcpApp(unread);
    const good = createServer((_req, res) => void res.end('good'));
    onEnd(() => good.close());
    const orders = cluster('orders', [endpoint(bad), endpoint(await listen(good))], { protocol: 'http2' });
    const client = await mesh.orders([orders]);
    for (let i = 0; i < 4; i++) expect((await call(client.port, POST)).body).toBe('good');
  });
});

describe('a request that an application has read and not answered', () => {
  test('is not repeated without a rule, so that it does not end one after the other', async () => {
    const { ask, count } = await withBad(testMesh(), dies);
    const answers = [await ask(), await ask()];
    expect(statuses(answers)).toEqual([200, 503]);
    expect(code(answers.find(({ status }) => status === 503)?.headers ?? {})).toBe('UPSTREAM_RESET');
    expect(count()).toBe(1);
  });

  test('is repeated if the rule says so, though it was a sidecar that told', async () => {
    const { ask } = await withBad(testMesh(), dies, RETRY);
    for (let i = 0; i < 4; i++) expect((await ask()).body).toBe('good');
    const answers = [await ask(POST), await ask(POST)];
    expect(statuses(answers)).toEqual([200, 503]);
  });
});
