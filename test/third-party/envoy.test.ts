import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Route } from '../../control-plane/model/model.ts';
import {
  endpoint,
  endpoints,
  FixtureStore,
  type MeshParts,
  match,
  mesh,
  port,
  route,
  rule,
  service,
} from '../../control-plane/translate/mesh.fixture.ts';
import type { TestServer } from '../../control-plane/xds/server.fixture.ts';
import { answers, isQuiet } from './answers.ts';
import { type Backend, httpBackend } from './backend.ts';
import { type Envoy, startEnvoy } from './envoy-process.ts';
import { goldenCases } from './golden-case.ts';
import { startServerOfPeers } from './nothing-refused.ts';
import { findPython } from './python.ts';

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** What the backend saw; null if Envoy answered itself. */
  seen: { name: string; path: string; headers: Record<string, string> } | null;
}

const python = await findPython();
if (python.kind === 'missing') console.warn(`skipped: Envoy cannot be installed: ${python.reason}`);

describe.skipIf(python.kind === 'missing').each(['DELTA_GRPC', 'GRPC'] as const)('Envoy over %s', api => {
  let store: FixtureStore;
  let server: TestServer;
  let one: Backend;
  let two: Backend;
  let envoy: Envoy;

  beforeEach(async () => {
    [one, two] = [await httpBackend('one'), await httpBackend('two')];
    store = new FixtureStore(mesh(parts([split(90, 10)])));
    server = await startServerOfPeers(store);
    if (python.kind === 'ready') envoy = await startEnvoy(python.envoy, server.port, api);
    await expect.poll(async () => (await get('/').catch(() => null))?.status, { timeout: 20_000 }).toBe(200);
  });

  afterEach(async () => {
    await envoy.process.terminate();
    await server.close();
    await Promise.all([one.close(), two.close()]);
  });

  /** Service `echo:8080` in front of Services `one` and `two`, which have a backend each. */
  function parts(routes: readonly Route[], protocol: 'http' | 'detect' = 'http'): MeshParts {
    const ports = [port(8080, { name: 'http', protocol })];
    const backend = (name: string, { port }: Backend) =>
      endpoints(`default/${name}`, { name: 'http', port }, [endpoint('127.0.0.1')]);
    return {
      services: ['echo', 'one', 'two'].map(name => service(name, { ports })),
      endpoints: [backend('one', one), backend('two', two)],
      routes,
    };
  }

  function split(first: number, second: number): Route {
    return route('split', 'echo', [rule({ 'one:8080': first, 'two:8080': second })]);
  }

  function get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    const options = { host: '127.0.0.1', port: envoy.port, path, agent: false };
    return new Promise((resolve, reject) => {
      const call = request({ ...options, headers: { host: 'echo.default:8080', ...headers } }, response => {
        let body = '';
        response.on('data', chunk => (body += chunk));
        response.on('end', () => {
          const { statusCode: status = 0, headers } = response;
          const seen = headers['content-type'] === 'application/json' ? JSON.parse(body) : null;
          resolve({ status, headers, seen });
        });
      });
      call.on('error', reject);
      call.end();
    });
  }

  async function settle(change: () => void): Promise<void> {
    const before = await answers(server);
    change();
    await expect.poll(() => answers(server), { timeout: 10_000 }).toBeGreaterThan(before);
    await expect.poll(() => isQuiet(server), { timeout: 10_000 }).toBe(true);
  }

  /** Also what Envoy acknowledges and does not take. */
  function expectNothingRejected(): void {
    expect(envoy.process.errors.filter(line => /rejected|error adding/i.test(line))).toEqual([]);
  }

  it('proxies a call, splits by weight and follows a change without a failed call', async () => {
    const names: string[] = [];
    for (let call = 0; call < 300; call++) names.push((await get('/')).seen?.name ?? 'none');
    expect(new Set(names)).toEqual(new Set(['one', 'two']));
    const share = names.filter(name => name === 'two').length / names.length;
    expect(share).toBeGreaterThan(0.01);
    expect(share).toBeLessThan(0.22);

    const during: number[] = [];
    let isChanging = true;
    const calls = (async () => {
      while (isChanging) during.push((await get('/')).status);
    })();
    await settle(() => store.set(parts([split(0, 1)])));
    isChanging = false;
    await calls;
    expect(new Set(during)).toEqual(new Set([200]));
    for (let call = 0; call < 20; call++) expect((await get('/')).seen?.name).toBe('two');
    expectNothingRejected();
  });

  it('takes a changed cluster without waiting for a timeout', async () => {
    const timeout = 5000;
    store.set(parts([split(1, 0)], 'detect'));
    await expect.poll(() => isQuiet(server), { timeout }).toBe(true);
    store.set(parts([split(0, 1)], 'detect'));
    await expect.poll(async () => (await get('/')).seen?.name, { timeout }).toBe('two');
    expect((await get('/')).status).toBe(200);
    expectNothingRejected();
  });

  it('does what routes say', async () => {
    const edits = { set: [{ name: 'x-set', value: '100%' }], add: [], remove: ['x-remove'] };
    const forward = rule({ 'one:8080': 1 }).action;
    if (forward.kind !== 'forward') throw new Error('unreachable');
    const at = (value: string, kind: 'exact' | 'prefix' | 'regex' = 'prefix') =>
      match({ path: { kind, value } });
    const invalid = { ...forward.backends[0], service: null };
    const redirect = { kind: 'redirect' as const, status: 302, scheme: '', host: '', port: 0, path: null };
    await settle(() =>
      store.set(
        parts([
          route('rules', 'echo', [
            rule({ 'one:8080': 1 }, { matches: [at('/edit')], requestFields: edits, responseFields: edits }),
            rule(
              {},
              {
                matches: [at('/strip')],
                action: {
                  ...forward,
                  pathRewrite: { kind: 'prefix', value: '/' },
                  hostRewrite: 'new.example',
                },
              },
            ),
            rule(
              {},
              {
                matches: [at('/old')],
                action: { ...forward, pathRewrite: { kind: 'prefix', value: '/new/' } },
              },
            ),
            rule(
              {},
              {
                matches: [at('/full')],
                action: { ...forward, pathRewrite: { kind: 'full', value: '/f\\1' } },
              },
            ),
            rule(
              {},
              { matches: [at('/half')], action: { ...forward, backends: [forward.backends[0], invalid] } },
            ),
            rule({}, { matches: [at('/none')], action: { ...forward, backends: [] } }),
            rule(
              {},
              {
                matches: [at('/moved')],
                action: { ...redirect, host: 'example.org', path: { kind: 'prefix', value: '/x' } },
              },
            ),
            rule({}, { matches: [at('/secure')], action: { ...redirect, scheme: 'https', status: 308 } }),
            rule({ 'two:8080': 1 }, { matches: [at('/r[0-9]+', 'regex'), at('/exact', 'exact')] }),
          ]),
        ]),
      ),
    );
    expect((await get('/nothing')).status).toBe(404);
    const edited = await get('/edit', { 'x-remove': 'gone' });
    expect(edited.seen?.headers).toMatchObject({ 'x-set': '100%' });
    expect(edited.seen?.headers).not.toHaveProperty('x-remove');
    expect(edited.headers['x-set']).toBe('100%');
    const stripped = await get('/strip/a?q=1');
    expect([stripped.seen?.path, stripped.seen?.headers.host]).toEqual(['/a?q=1', 'new.example']);
    expect((await get('/strip')).seen?.path).toBe('/');
    expect((await get('/strip/')).seen?.path).toBe('/');
    expect((await get('/old/bar')).seen?.path).toBe('/new/bar');
    expect((await get('/old')).seen?.path).toBe('/new');
    expect((await get('/older')).status).toBe(404);
    expect((await get('/full/x?q=1')).seen?.path).toBe('/f\\1?q=1');
    expect((await get('/none')).status).toBe(500);
    const half = new Set<number>();
    for (let call = 0; call < 30; call++) half.add((await get('/half')).status);
    expect(half).toEqual(new Set([200, 500]));
    expect((await get('/moved/a')).headers.location).toBe('http://example.org:8080/x/a');
    const secure = await get('/secure/a');
    expect([secure.status, secure.headers.location]).toEqual([308, 'https://echo.default:443/secure/a']);
    expect((await get('/r12')).seen?.name).toBe('two');
    expect((await get('/r12x')).status).toBe(404);
    expect((await get('/exact')).seen?.name).toBe('two');
    expectNothingRejected();
  });

  it('refuses nothing of the golden files, and does without a regular expression that it would refuse', async () => {
    for (const { name, parts } of goldenCases()) {
      await settle(() => store.set(parts));
      expect(await server.metric('tulle_xds_nacks_total'), name).toBe(0);
    }
    const expression = '/([a-z]{1,20}|[0-9]{3,40}|\\p{L}+)/(a|b|c|d|e|f){1,30}';
    const long = rule(
      { 'one:8080': 1 },
      { matches: [match({ path: { kind: 'regex', value: expression } })] },
    );
    await settle(() => store.set(parts([route('long', 'echo', [long, rule({ 'one:8080': 1 })])])));
    expectNothingRejected();
    expect((await get('/abc/def')).seen?.name).toBe('one');
  });

  it('keeps its configuration while the control plane is away', async () => {
    await server.close();
    for (let call = 0; call < 20; call++) expect((await get('/')).status).toBe(200);
  });
});
