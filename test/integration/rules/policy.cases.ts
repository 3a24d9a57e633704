import { describe, expect, test } from 'vitest';
import type { Answer } from '../proxy/apps.ts';
import { echoRoute, type RulesWorld } from './world.ts';

function policy(name: string, service: string, spec: string): string {
  return `
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackendTrafficPolicy
metadata: { name: ${name}, namespace: default }
spec:
  targetRefs: [{ group: "", kind: Service, name: ${service} }]
  ${spec}`;
}

/** GEP-3388, and sessions of a Service (GEP-1619). */
export function policyCases(world: () => RulesWorld): void {
  describe('XBackendTrafficPolicy', () => {
    test('limits the retries of all rules to a Service, and then answers 503', async () => {
      const rules = echoRoute(`
    - matches: [{ path: { value: /a } }]
      retry: { codes: [500], attempts: 5 }
      backendRefs: [{ name: one, port: 80 }]
    - matches: [{ path: { value: /b } }]
      retry: { codes: [500], attempts: 1 }
      backendRefs: [{ name: one, port: 80 }]
    - matches: [{ path: { value: /two } }]
      retry: { codes: [500], attempts: 2 }
      backendRefs: [{ name: two, port: 80 }]`);
      const budget = '{ percent: 0, interval: 1h }';
      await world().apply(
        rules,
        policy(
          'limit',
          'one',
          `retryConstraint: { budget: ${budget}, minRetryRate: { count: 4, interval: 1h } }`,
        ),
      );
      expect(await world().problems()).toEqual([]);
      const { seen, callers } = world();
      const [{ call }] = callers;
      world().handler = (_seen, response) => void response.writeHead(500).end('failed');
      const outcome = async (path: string): Promise<[number, string, number]> => {
        seen.length = 0;
        const { status, headers } = await call({ path });
        return [status, String(headers['tulle-error']).split(';')[0], seen.length];
      };
      expect(await outcome('/b')).toEqual([500, 'undefined', 2]);
      // Three retries are left of four.
      expect(await outcome('/a')).toEqual([503, 'RETRY_BUDGET', 4]);
      expect(await outcome('/b')).toEqual([503, 'RETRY_BUDGET', 1]);
      // Another Service has a budget of its own.
      expect(await outcome('/two')).toEqual([500, 'undefined', 3]);
      // What succeeds needs no budget.
      world().handler = (_seen, response) => void response.end('fine');
      expect(await outcome('/a')).toEqual([200, 'undefined', 1]);
    });

    test('keeps sessions for the rules that have none of their own', async () => {
      const rules = (one: number, two: number): string =>
        echoRoute(`
    - matches: [{ path: { value: /a } }]
      backendRefs: [{ name: one, port: 80, weight: ${one} }, { name: two, port: 80, weight: ${two} }]
    - matches: [{ path: { value: /own } }]
      sessionPersistence: { sessionName: own }
      backendRefs: [{ name: two, port: 80 }]`);
      const session = policy('session', 'two', 'sessionPersistence: { sessionName: service }');
      await world().apply(rules(1, 1), session);
      expect(await world().problems()).toEqual([]);
      const [sidecar] = world().callers;
      const cookieOf = ({ headers }: Answer): string => headers['set-cookie']?.[0] ?? '';

      const all = await Promise.all(Array.from({ length: 24 }, () => sidecar.call({ path: '/a' })));
      const [of, other] = ['two', 'one'].map(name => all.find(({ body }) => body.startsWith(name)) as Answer);
      // Only the Service that the policy targets has sessions, and their cookies no path.
      expect(cookieOf(other)).toBe('');
      expect(cookieOf(of)).toMatch(/^service=[\w-]{16}; HttpOnly; SameSite=Lax$/);
      const headers = { cookie: cookieOf(of).split(';')[0] };
      await world().apply(rules(1, 0), session);
      for (let i = 0; i < 12; i++) {
        const again = await sidecar.call({ path: '/a', headers });
        expect([again.body, cookieOf(again)]).toEqual([of.body, '']);
        expect((await sidecar.call({ path: '/a' })).body).toMatch(/^one-/);
      }
      // The rule's own session goes before the Service's, and rules do not share theirs.
      const own = await sidecar.call({ path: '/own', headers });
      expect(cookieOf(own)).toMatch(/^own=[\w-]{16}; Path=\/own; HttpOnly/);
      for (const { name, call } of world().callers) {
        const direct = await call({ path: '/', host: 'two' });
        const kept = { cookie: cookieOf(direct).split(';')[0] };
        expect(kept.cookie, name).toMatch(/^service=/);
        for (let i = 0; i < 12; i++)
          expect((await call({ path: '/', host: 'two', headers: kept })).body, name).toBe(direct.body);
      }
    });

    test('that is younger than another one says so', async () => {
      await world().apply(
        policy('b', 'two', 'retryConstraint: {}'),
        policy('a', 'two', 'retryConstraint: {}'),
      );
      expect(await world().problems()).toEqual([
        'spec.targetRefs names Service default/two, at which the older XBackendTrafficPolicy default/a is in force; policies do not merge, so delete one of them',
      ]);
    });
  });
}
