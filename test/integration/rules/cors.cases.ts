import { describe, expect, test } from 'vitest';
import type { Answer } from '../proxy/apps.ts';
import { echoRoute, type RulesWorld } from './world.ts';

const rules = echoRoute(`
    - matches: [{ path: { value: /named } }]
      filters:
        - type: CORS
          cors:
            allowOrigins: ["https://www.foo.com", "https://*.bar.com", "https://a.com:8443"]
            allowMethods: [GET, OPTIONS]
            allowHeaders: [x-header-1, X-Header-2]
            exposeHeaders: [x-header-3, x-header-4]
            allowCredentials: true
            maxAge: 3600
      backendRefs: [{ name: one, port: 80 }]
    - matches: [{ path: { value: /any } }]
      filters: [{ type: CORS, cors: { allowOrigins: ["*"], allowMethods: ["*"], allowHeaders: ["*"], allowCredentials: true } }]
      backendRefs: [{ name: one, port: 80 }]
    - matches: [{ path: { value: /public } }]
      filters: [{ type: CORS, cors: { allowOrigins: ["*"], allowMethods: ["*"], allowHeaders: ["*"], exposeHeaders: ["*"] } }]
      backendRefs: [{ name: one, port: 80 }]
    - matches: [{ path: { value: /put }, method: PUT }]
      filters: [{ type: CORS, cors: { allowOrigins: ["https://www.foo.com"], allowMethods: [PUT] } }]
      backendRefs: [{ name: one, port: 80 }]`);

/** Of Gateway API's test HTTPRouteCORS, and what it leaves out. */
export function corsCases(world: () => RulesWorld): void {
  describe('CORS', () => {
    /** The CORS fields of an answer, without their prefix. */
    const corsOf = ({ headers }: Answer) =>
      Object.fromEntries(
        Object.entries(headers).flatMap(([name, value]) =>
          name.startsWith('access-control-') ? [[name.slice('access-control-'.length), value]] : [],
        ),
      );

    test('preflight requests are answered by the policy, and never reach the application', async () => {
      await world().apply(rules);
      for (const { name, call } of world().callers) {
        const preflight = async (path: string, origin: string, method = 'GET') => {
          const answer = await call({
            method: 'OPTIONS',
            path,
            headers: {
              origin,
              'access-control-request-method': method,
              'access-control-request-headers': 'x-header-1, x-header-2',
            },
          });
          expect([name, path, answer.status, answer.body]).toEqual([name, path, 200, '']);
          return corsOf(answer);
        };
        const named = {
          'allow-methods': 'GET, OPTIONS',
          'allow-headers': 'x-header-1, x-header-2',
          'expose-headers': 'x-header-3, x-header-4',
          'allow-credentials': 'true',
          'max-age': '3600',
        };
        for (const origin of [
          'https://www.foo.com',
          'https://www.bar.com',
          'https://a.b.bar.com',
          'https://a.com:8443',
        ]) {
          expect(await preflight('/named', origin), name).toEqual({ ...named, 'allow-origin': origin });
        }
        for (const origin of [
          'https://foo.com',
          'http://www.foo.com',
          'https://bar.com',
          'https://xbar.com',
          'https://a.com',
          'https://x.bar.com:1',
          'null',
        ]) {
          const refused = await preflight('/named', origin);
          // Envoy says the rest all the same, which allows nobody anything.
          if (name === 'Envoy') expect(refused, origin).not.toHaveProperty('allow-origin');
          else expect(refused, origin).toEqual({});
        }
        const any = {
          'allow-origin': 'https://foobar.com:12345',
          'allow-methods': 'PUT',
          'allow-headers': 'x-header-1, x-header-2',
          'max-age': '5',
        };
        expect(await preflight('/any', 'https://foobar.com:12345', 'PUT'), name).toEqual({
          ...any,
          'allow-credentials': 'true',
        });
        expect(await preflight('/public', 'https://foobar.com:12345', 'PUT'), name).toEqual({
          ...any,
          'expose-headers': '*',
        });
        // The rule is for PUT alone: its preflight requests are OPTIONS all the same.
        expect(await preflight('/put', 'https://www.foo.com', 'PUT'), name).toEqual({
          'allow-origin': 'https://www.foo.com',
          'allow-methods': 'PUT',
          'max-age': '5',
        });
      }
      expect(world().seen).toEqual([]);
    });

    test('other requests reach the application, and their answers say what a script may read', async () => {
      for (const { name, call } of world().callers) {
        const get = async (path: string, headers: Record<string, string>) => {
          const answer = await call({ path, headers });
          expect([name, answer.status]).toEqual([name, 200]);
          return corsOf(answer);
        };
        expect(await get('/named', { origin: 'https://www.bar.com' }), name).toEqual({
          'allow-origin': 'https://www.bar.com',
          'allow-credentials': 'true',
          'expose-headers': 'x-header-3, x-header-4',
        });
        expect(await get('/named', { origin: 'https://foobar.com' }), name).toEqual({});
        expect(await get('/named', {}), name).toEqual({});
        expect(await get('/any', { origin: 'https://x.com', cookie: 'a=b' }), name).toEqual({
          'allow-origin': 'https://x.com',
          'allow-credentials': 'true',
        });
        expect(await get('/public', { origin: 'https://x.com' }), name).toEqual({
          'allow-origin': 'https://x.com',
          'expose-headers': '*',
        });
      }
    });
  });
}
