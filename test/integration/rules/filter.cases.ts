import { describe, expect, test } from 'vitest';
import type { Call } from '../proxy/apps.ts';
import { echoRoute, type RulesWorld } from './world.ts';

const one = 'backendRefs: [{ name: one, port: 80 }]';
const two = 'backendRefs: [{ name: two, port: 80 }]';
const at = (path: string): string => `matches: [{ path: { value: ${path} } }]`;
const rewrite = (path: string, body: string): string =>
  `- { ${at(path)}, filters: [{ type: URLRewrite, urlRewrite: ${body} }], ${one} }`;
const prefix = (to: string): string => `{ path: { type: ReplacePrefixMatch, replacePrefixMatch: ${to} } }`;
const redirect = (path: string, body: string): string =>
  `- { ${at(path)}, filters: [{ type: RequestRedirect, requestRedirect: ${body} }] }`;

const matching = echoRoute(`
    - { matches: [{ path: { value: /m }, method: POST }], name: by-method, ${two} }
    - { ${at('/m')}, name: any-method, ${one} }
    - { matches: [{ path: { value: /h }, headers: [{ name: X-Mode, type: RegularExpression, value: "(a*)*b" }] }], ${two} }
    - { matches: [{ path: { value: /q }, queryParams: [{ name: animal, value: whale }, { name: n, type: RegularExpression, value: "[0-9]+" }] }], ${two} }
    - { matches: [{ path: { type: Exact, value: /exact } }], ${two} }
    - { matches: [{ path: { type: RegularExpression, value: "/r/[a-z]+" } }], ${two} }`);

const rewrites = echoRoute(`
    ${rewrite('/xyz', prefix('/one/'))}
    ${rewrite('/strip', prefix('/'))}
    ${rewrite('/empty', prefix('""'))}
    ${rewrite('/full', '{ path: { type: ReplaceFullPath, replaceFullPath: /whole } }')}
    ${rewrite('/host', '{ hostname: other.example }')}
    ${redirect('/r-plain', '{}')}
    ${redirect('/r-host', '{ hostname: example.org }')}
    ${redirect('/r-port', '{ port: 8083, statusCode: 301 }')}
    ${redirect('/r-scheme', '{ scheme: https, hostname: example.org, statusCode: 308 }')}
    ${redirect('/r-all', '{ scheme: https, hostname: example.org, port: 8443, statusCode: 307, path: { type: ReplacePrefixMatch, replacePrefixMatch: /moved } }')}
    ${redirect('/r-full', '{ hostname: example.org, statusCode: 303, path: { type: ReplaceFullPath, replaceFullPath: /end } }')}`);

const edits = echoRoute(`
    - ${at('/edit')}
      filters:
        - type: RequestHeaderModifier
          requestHeaderModifier: { set: [{ name: X-Set, value: "100% set" }], add: [{ name: X-Add, value: added }], remove: [X-Remove] }
        - type: ResponseHeaderModifier
          responseHeaderModifier: { set: [{ name: X-Answer, value: set }], add: [{ name: X-More, value: b }], remove: [X-Private] }
      backendRefs:
        - name: one
          port: 80
          filters:
            - { type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-backend, value: one }], add: [{ name: x-add, value: by-backend }] } }
            - { type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: x-from, value: one }] } }
    - ${at('/split')}
      backendRefs:
        - { name: one, port: 80, filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-backend, value: one }] } }] }
        - { name: two, port: 80 }
    - ${at('/extension')}
      filters: [{ type: ExtensionRef, extensionRef: { group: x.io, kind: Filter, name: f } }]
      ${one}`);

const mirrors = (first: string, second: string): string =>
  echoRoute(`
    - ${at('/mirrored')}
      filters:
        - { type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-rule, value: "yes" }] } }
        - { type: URLRewrite, urlRewrite: { hostname: new.example, path: { type: ReplacePrefixMatch, replacePrefixMatch: /new } } }
        - { type: RequestMirror, requestMirror: { backendRef: { name: two, port: 80 }${first} } }
        - { type: RequestMirror, requestMirror: { backendRef: { name: echo, port: 80 }${second} } }
      backendRefs:
        - name: one
          port: 80
          filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-backend, value: one }] } }]
    - ${at('/broken')}
      filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: gone, port: 80 } } }]
      ${one}`);

/** Matches, filters and mirrors, to the byte. */
export function filterCases(world: () => RulesWorld): void {
  describe('rules', () => {
    test('match by method, header, query and path', async () => {
      await world().apply(matching);
      for (const { name, call } of world().callers) {
        for (const [deployment, request] of [
          ['two', { path: '/m', method: 'POST' }],
          ['one', { path: '/m', method: 'GET' }],
          ['one', { path: '/m/x', method: 'PATCH' }],
          ['two', { path: '/h', headers: { 'x-mode': 'aab' } }],
          // Backtracking would take longer than the universe.
          ['404', { path: '/h', headers: { 'x-mode': 'a'.repeat(5000) } }],
          ['404', { path: '/h', headers: { 'x-mode': 'aabc' } }],
          ['two', { path: '/q?x=1&animal=whale&n=12' }],
          ['two', { path: '/q?animal=whale&n=1&animal=dolphin' }],
          ['404', { path: '/q?animal=dolphin&animal=whale&n=1' }],
          ['404', { path: '/q?animal=whale&n=a1' }],
          ['404', { path: '/q?animal=whale' }],
          ['two', { path: '/exact?a=b' }],
          ['404', { path: '/exact/' }],
          ['404', { path: '/Exact' }],
          ['two', { path: '/r/abc?d' }],
          ['404', { path: '/r/abc1' }],
          ['404', { path: '/mm' }],
        ] as const satisfies [string, Call][]) {
          const { status, body } = await call(request);
          const found = status === 200 ? body.split('-')[0] : String(status);
          expect(found, `${name} ${JSON.stringify(request).slice(0, 200)}`).toBe(deployment);
        }
      }
    });

    test('rewrite path and host, and keep the query', async () => {
      await world().apply(rewrites);
      for (const { name, call } of world().callers) {
        for (const [asked, path] of [
          ['/xyz/bar?a=%20b&c', '/one/bar?a=%20b&c'],
          ['/xyz', '/one'],
          ['/strip/three', '/three'],
          ['/strip', '/'],
          ['/strip?x', '/?x'],
          ['/empty/a%2Fb', '/a%2Fb'],
          ['/full/x/y?z=1', '/whole?z=1'],
        ]) {
          world().seen.length = 0;
          expect((await call({ path: asked })).status).toBe(200);
          expect([world().seen[0].path, world().seen[0].headers.host], `${name} ${asked}`).toEqual([
            path,
            'echo',
          ]);
        }
        world().seen.length = 0;
        await call({ path: '/host/x?y' });
        expect([world().seen[0].path, world().seen[0].headers.host], name).toEqual([
          '/host/x?y',
          'other.example',
        ]);
      }
    });

    test('redirect, with the port of the Service where it says something', async () => {
      for (const { name, call } of world().callers) {
        for (const [path, status, location] of [
          ['/r-plain/a?b=c', 302, 'http://echo/r-plain/a?b=c'],
          ['/r-host/a?b=c', 302, 'http://example.org/r-host/a?b=c'],
          ['/r-port/a', 301, 'http://echo:8083/r-port/a'],
          ['/r-scheme/a', 308, 'https://example.org/r-scheme/a'],
          ['/r-all/a?b', 307, 'https://example.org:8443/moved/a?b'],
          ['/r-full/a?b', 303, 'http://example.org/end?b'],
        ] as const) {
          const { status: code, headers } = await call({ path });
          expect([code, headers.location], `${name} ${path}`).toEqual([status, location]);
        }
      }
      const { call } = world().callers[0];
      const { headers } = await call({ path: '/r-plain', host: 'echo:80' });
      expect(headers.location).toBe('http://echo/r-plain');
    });

    test('edit the headers of request and answer, those of a backend for it alone', async () => {
      await world().apply(edits);
      for (const { name, call } of world().callers) {
        world().seen.length = 0;
        world().handler = (_seen, response) =>
          void response.setHeader('x-answer', 'a').setHeader('x-more', 'a').setHeader('x-private', 'p').end();
        const answer = await call({
          path: '/edit',
          headers: { 'x-set': ['1', '2'], 'x-add': 'own', 'x-remove': 'r', 'x-other': 'o' },
        });
        const { headers } = world().seen[0];
        expect(headers['x-add']?.toString().split(/, ?/), name).toEqual(['own', 'added', 'by-backend']);
        expect(
          [headers['x-set'], headers['x-remove'], headers['x-other'], headers['x-backend']],
          name,
        ).toEqual(['100% set', undefined, 'o', 'one']);
        expect(answer.headers, name).toMatchObject({ 'x-answer': 'set', 'x-more': 'a, b', 'x-from': 'one' });
        expect(answer.headers).not.toHaveProperty('x-private');
        world().seen.length = 0;
        for (let i = 0; i < 12; i++) await call({ path: '/split' });
        for (const { deployment, headers } of world().seen)
          expect(headers['x-backend'], name).toBe(deployment === 'one' ? 'one' : undefined);
      }
    });

    test('with a filter that nobody knows answer 500, and say so', async () => {
      for (const { name, call } of world().callers)
        expect((await call({ path: '/extension' })).status, name).toBe(500);
      expect(await world().problems()).toEqual([
        expect.stringMatching(/filters\[0\]\.type is "ExtensionRef"/),
      ]);
    });
  });

  describe('mirrors', () => {
    const arrived = (deployment: string) => world().seen.filter(seen => seen.deployment === deployment);

    test('get what the rule makes of a request, each its copy, and a broken one disturbs nothing', async () => {
      await world().apply(mirrors('', ', percent: 0'));
      expect(await world().problems()).toEqual([
        'spec.rules[1].filters RequestMirror backendRef refers to Service default/gone, which does not exist; create it or correct the name',
      ]);
      if (world().callers.some(({ name }) => name === 'Envoy'))
        expect(await world().notExpressed()).toEqual([
          'Envoy cannot be told filters.requestMirror of rule 0: copies have the header filters of the backend too',
        ]);
      for (const { name, call } of world().callers) {
        world().seen.length = 0;
        world().handler = (seen, response) =>
          void response.writeHead(seen.deployment === 'two' ? 500 : 200).end(seen.deployment);
        const sent = { path: '/mirrored/a?b=c', method: 'POST', body: 'hello', headers: { 'x-own': '1' } };
        const answer = await call(sent);
        expect([answer.status, answer.body], name).toEqual([200, 'one']);
        await expect.poll(() => world().seen.length, { timeout: 20_000 }).toBe(2);
        for (const deployment of ['one', 'two']) {
          const [{ method, path, headers, body }] = arrived(deployment);
          expect({ method, path, body }, `${name} ${deployment}`).toEqual({
            method: 'POST',
            path: '/new/a?b=c',
            body: 'hello',
          });
          expect(headers).toMatchObject({ host: 'new.example', 'x-rule': 'yes', 'x-own': '1' });
        }
        if (name === 'sidecar') expect(arrived('two')[0].headers).not.toHaveProperty('x-backend');
        expect((await call({ path: '/broken' })).body, name).toBe('one');
      }
    });

    test('get their percent and their fraction of the requests', async () => {
      const [{ call }] = world().callers;
      await world().apply(mirrors(', percent: 20', ', fraction: { numerator: 25, denominator: 50 }'));
      world().handler = (seen, response) => void response.end(seen.deployment);
      const requests = 500;
      for (let i = 0; i < requests; i += 20)
        await Promise.all(Array.from({ length: 20 }, () => call({ path: '/mirrored' })));
      // `echo` has the pods of `one`: what it gets more than the requests are copies.
      const copies = () => [arrived('two').length, arrived('one').length - requests];
      const expected = [0.2, 0.5];
      await expect
        .poll(
          () =>
            copies().every(
              (count, i) =>
                Math.abs(count - expected[i] * requests) <=
                5 * Math.sqrt(requests * expected[i] * (1 - expected[i])),
            ),
          { timeout: 20_000 },
        )
        .toBe(true);
    });
  });
}
