import { describe, expect, test } from 'vitest';
import type { Answer } from '../proxy/apps.ts';
import { type Caller, echoRoute, type RulesWorld } from './world.ts';

const rules = (one: number, two: number): string =>
  echoRoute(`
    - matches: [{ path: { value: /split } }]
      sessionPersistence: { sessionName: shop }
      backendRefs: [{ name: one, port: 80, weight: ${one} }, { name: two, port: 80, weight: ${two} }]
    - matches: [{ path: { value: /cookie } }, { path: { type: RegularExpression, value: "/x/[a-z]+/y" } }]
      sessionPersistence: {}
      backendRefs: [{ name: two, port: 80 }]
    - matches: [{ path: { value: /again } }]
      sessionPersistence: { sessionName: shop }
      backendRefs: [{ name: two, port: 80 }]
    - matches: [{ path: { value: /kept } }]
      sessionPersistence: { sessionName: kept, absoluteTimeout: 1h, cookieConfig: { lifetimeType: Permanent } }
      backendRefs: [{ name: two, port: 80 }]
    - matches: [{ path: { value: /header } }]
      sessionPersistence: { sessionName: X-Session, type: Header }
      backendRefs: [{ name: two, port: 80 }]`);

/** GEP-1619. */
export function sessionCases(world: () => RulesWorld): void {
  describe('sessions', () => {
    const setCookie = ({ headers }: Answer): string => headers['set-cookie']?.[0] ?? '';
    const cookieOf = (answer: Answer): string => setCookie(answer).split(';')[0];

    /** Sessions of so many pods, by pod. One request after the other would go to the fastest alone. */
    async function begin({ call }: Caller, path: string, pods: number): Promise<Map<string, Answer>> {
      const sessions = new Map<string, Answer>();
      while (sessions.size < pods)
        for (const answer of await Promise.all(Array.from({ length: 8 }, () => call({ path }))))
          sessions.set(answer.body, answer);
      return sessions;
    }

    /** The pod that answers, and nothing new to keep. */
    async function stays(
      { name, call }: Caller,
      path: string,
      headers: Record<string, string>,
    ): Promise<string> {
      const pods = new Set<string>();
      for (let i = 0; i < 12; i++) {
        const answer = await call({ path, headers });
        expect([name, answer.status, setCookie(answer)]).toEqual([name, 200, '']);
        pods.add(answer.body);
      }
      expect(pods.size, `${name} ${path}`).toBe(1);
      return [...pods][0];
    }

    test('by cookie keep to their pod', async () => {
      await world().apply(rules(1, 1));
      expect(await world().problems()).toEqual([]);
      for (const caller of world().callers) {
        const sessions = await begin(caller, '/cookie/a', 2);
        for (const answer of sessions.values()) {
          expect(setCookie(answer), caller.name).toMatch(
            /^session-\w{8}="?[^;"]+"?; .*Path=\/cookie; .*HttpOnly/,
          );
          expect(await stays(caller, '/cookie/b', { cookie: `a=b; ${cookieOf(answer)}` })).toBe(answer.body);
        }
        expect(setCookie(await caller.call({ path: '/x/abc/y' })), caller.name).toMatch(/; Path=\/x;/);
        const kept = await caller.call({ path: '/kept' });
        expect(setCookie(kept), caller.name).toMatch(/; Max-Age=3600;/);
        expect(await stays(caller, '/kept', { cookie: cookieOf(kept) })).toBe(kept.body);
      }
    });

    test('by header keep to their pod', async () => {
      for (const caller of world().callers) {
        const answer = await caller.call({ path: '/header' });
        const token = String(answer.headers['x-session']);
        expect(await stays(caller, '/header', { 'x-session': token })).toBe(answer.body);
      }
    });

    test('go before the weights of a split, even if the weight becomes 0', async () => {
      const [sidecar] = world().callers;
      const answers = await begin(sidecar, '/split', 3);
      const sessions = [...answers].map(([pod, answer]) => [pod, cookieOf(answer)]);
      const [one] = world().pods('one');
      expect([...answers.keys()]).toContain(one.name);
      await world().apply(rules(0, 1));
      for (const [pod, cookie] of sessions) expect(await stays(sidecar, '/split', { cookie })).toBe(pod);
      for (let i = 0; i < 12; i++) expect((await sidecar.call({ path: '/split' })).body).toMatch(/^two-/);
      await world().apply(rules(1, 1));
      for (const [pod, cookie] of sessions) expect(await stays(sidecar, '/split', { cookie })).toBe(pod);
    });

    test('are of one rule, and what a client makes up leads nowhere', async () => {
      const [sidecar] = world().callers;
      const answer = await sidecar.call({ path: '/split' });
      const { address } = world().pods('two')[0];
      const made = ['127.0.0.1:1', `${address}:8080`, Buffer.from(`${address}:8080`).toString('base64'), 'x'];
      for (const cookie of [cookieOf(answer), ...made.map(value => `shop=${value}`)]) {
        const other = await sidecar.call({ path: '/again', headers: { cookie } });
        expect([other.status, other.body], cookie).toEqual([200, expect.stringMatching(/^two-/)]);
        expect(cookieOf(other), cookie).toMatch(/^shop=[\w-]{16}$/);
        expect(cookieOf(other)).not.toBe(cookie);
      }
    });
  });
}
