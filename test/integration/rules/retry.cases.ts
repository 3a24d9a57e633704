import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { Answer } from '../proxy/apps.ts';
import { answerWithPod, type Caller, echoRoute, type Handler, type RulesWorld } from './world.ts';

const to = 'backendRefs: [{ name: one, port: 80 }]';
const at = (path: string, more = '') => `matches: [{ path: { value: ${path} }${more} }], ${to}`;

const rules = [
  echoRoute(`
    - { ${at('/code-500')}, retry: { codes: [500], attempts: 3 } }
    - { ${at('/backend-timeout')}, retry: { attempts: 2 }, timeouts: { backendRequest: 900ms } }
    - { ${at('/both-timeouts')}, retry: { attempts: 50 }, timeouts: { request: 1600ms, backendRequest: 900ms } }
    - { ${at('/no-codes')}, retry: { attempts: 2 } }
    - { ${at('/backoff')}, retry: { codes: [503], attempts: 2, backoff: 300ms } }
    - { ${at('/methods')}, retry: { codes: [503] } }
    - { ${at('/methods', ', method: POST')}, retry: { codes: [503] } }
    - { ${at('/plain')} }
    - { ${at('/request-timeout')}, timeouts: { request: 500ms } }
    - { ${at('/attempt-timeout')}, timeouts: { backendRequest: 500ms } }
    - { ${at('/no-timeout')}, timeouts: { request: 0s, backendRequest: 0s } }`),
  echoRoute(
    `[{ ${at('/any-method')}, retry: { codes: [503] } }]`,
    'name: any, annotations: { tulle.dev/retry-methods: any }',
  ),
];

/** Of Gateway API's tests HTTPRouteRetry*, HTTPRouteTimeout*, and what they leave out. */
export function retryCases(world: () => RulesWorld): void {
  const forget = (): void => void (world().seen.length = 0);

  /** Answers this often in a way, and then well. */
  function first(times: number, answer: (response: ServerResponse) => void): void {
    let left = times;
    const handler: Handler = (seen, response) => {
      // On a kept connection a reset may mean that the request was never seen: it would be sent once more for that.
      response.shouldKeepAlive = false;
      if (left-- > 0) answer(response);
      else answerWithPod(seen, response);
    };
    forget();
    world().handler = handler;
  }

  const status =
    (code: number, headers: Record<string, string> = {}) =>
    (response: ServerResponse): void =>
      void response.writeHead(code, headers).end(`answer ${code}`);
  const hang = (): void => {};
  const reset = (response: ServerResponse): void => void response.socket?.destroy();
  const failure = ({ headers }: Answer) => String(headers['tulle-error']).split(';')[0];
  const [always, never] = [Number.POSITIVE_INFINITY, 0];

  /** Status and number of requests that the application got. */
  async function outcome(
    caller: Caller,
    path: string,
    method = 'GET',
    headers = {},
  ): Promise<[number, number]> {
    const answer = await caller.call({ path, method, headers });
    return [answer.status, world().seen.length];
  }

  describe('retries', () => {
    test('of the codes of a rule are as many as its attempts, and then the last answer passes', async () => {
      await world().apply(...rules);
      expect(await world().problems()).toEqual([]);
      for (const caller of world().callers) {
        first(2, status(500));
        expect(await outcome(caller, '/code-500'), caller.name).toEqual([200, 3]);
        first(4, status(500));
        const failed = await caller.call({ path: '/code-500' });
        expect([failed.status, failed.body, world().seen.length], caller.name).toEqual([
          500,
          'answer 500',
          4,
        ]);
        first(2, status(503));
        expect(await outcome(caller, '/code-500'), caller.name).toEqual([503, 1]);
        first(1, status(500));
        expect(await outcome(caller, '/plain'), caller.name).toEqual([500, 1]);
      }
    });

    test('without codes are for timeouts of the backend, within the time of the request', async () => {
      for (const caller of world().callers) {
        first(2, hang);
        expect(await outcome(caller, '/backend-timeout'), caller.name).toEqual([200, 3]);
        first(always, hang);
        expect(await outcome(caller, '/backend-timeout'), caller.name).toEqual([504, 3]);
        first(always, hang);
        const [code, attempts] = await outcome(caller, '/both-timeouts');
        expect(code, caller.name).toBe(504);
        expect(attempts, caller.name).toBe(2);
      }
      const [sidecar] = world().callers;
      first(always, hang);
      expect(failure(await sidecar.call({ path: '/backend-timeout' }))).toBe('ATTEMPT_TIMEOUT');
      expect(failure(await sidecar.call({ path: '/both-timeouts' }))).toBe('REQUEST_TIMEOUT');
    });

    test('without codes are for connections that the application ends', async () => {
      for (const caller of world().callers) {
        first(2, reset);
        expect(await outcome(caller, '/no-codes'), caller.name).toEqual([200, 3]);
        first(always, reset);
        expect(await outcome(caller, '/no-codes'), caller.name).toEqual([503, 3]);
        first(1, reset);
        expect(await outcome(caller, '/plain'), caller.name).toEqual([503, 1]);
        first(1, status(503));
        expect(await outcome(caller, '/no-codes'), caller.name).toEqual([503, 1]);
      }
    });

    test('are for methods that may be repeated, and for others where the rule names them or the route says so', async () => {
      for (const caller of world().callers) {
        for (const [method, path, requests] of [
          ['PUT', '/methods', 2],
          ['DELETE', '/methods', 2],
          ['PATCH', '/methods', 1],
          ['POST', '/methods', 2],
          ['PATCH', '/any-method', 2],
        ] as const) {
          first(1, status(503));
          const expected = [requests === 1 ? 503 : 200, requests];
          expect(await outcome(caller, path, method), `${caller.name} ${method} ${path}`).toEqual(expected);
        }
      }
      const [sidecar] = world().callers;
      first(1, status(503));
      expect(await outcome(sidecar, '/methods', 'PATCH', { 'idempotency-key': 'a' })).toEqual([200, 2]);
    });

    test('wait at least the backoff of the rule, and as long as the answer demands', async () => {
      const [sidecar] = world().callers;
      const pauses = (): number[] =>
        world()
          .seen.slice(1)
          .map(({ at }, i) => at - world().seen[i].at);
      first(2, status(503));
      expect(await outcome(sidecar, '/backoff')).toEqual([200, 3]);
      for (const pause of pauses()) expect(pause).toBeGreaterThanOrEqual(299);
      for (const caller of world().callers) {
        first(1, status(503, { 'retry-after': '1' }));
        expect(await outcome(caller, '/methods'), caller.name).toEqual([200, 2]);
        expect(pauses()[0], caller.name).toBeGreaterThanOrEqual(999);
      }
      first(1, status(503, { 'retry-after': '3600' }));
      const { status: code, headers } = await sidecar.call({ path: '/methods' });
      expect([code, headers['retry-after'], world().seen.length]).toEqual([503, '3600', 1]);
    });
  });

  describe('timeouts', () => {
    test('of request and backendRequest are 504, and 0s is none', async () => {
      for (const caller of world().callers) {
        for (const path of ['/request-timeout', '/attempt-timeout']) {
          first(always, hang);
          expect(await outcome(caller, path), caller.name).toEqual([504, 1]);
          first(never, hang);
          expect(await outcome(caller, path), caller.name).toEqual([200, 1]);
        }
        world().handler = (seen, response) => void setTimeout(() => answerWithPod(seen, response), 100);
        forget();
        expect(await outcome(caller, '/no-timeout'), caller.name).toEqual([200, 1]);
      }
    });

    test('are for the whole answer: one that has begun is cut off', async () => {
      world().handler = (_seen, response) => void response.writeHead(200).write('begin');
      const [sidecar] = world().callers;
      for (const { name, call } of world().callers)
        await expect(call({ path: '/request-timeout' }), name).rejects.toThrow();
      await expect(sidecar.call({ path: '/attempt-timeout' })).rejects.toThrow();
    });
  });
}
