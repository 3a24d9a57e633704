import { describe, expect, test } from 'vitest';
import { answerEdits, type CorsPolicy, compileCors, isPreflight, preflightFields } from './cors.ts';
import { matchPreflight } from './match-preflight.ts';
import { cors, request, route, routes } from './route.fixture.ts';
import { compileRoutes } from './route-table.ts';

function policy(options: Parameters<typeof cors>[0] = {}): CorsPolicy {
  return compileCors(cors(options));
}

function preflight(origin: string, method = 'PUT', headers: readonly string[] = []) {
  const asked = headers.flatMap(value => ['access-control-request-headers', value]);
  return request('/', {
    method: 'OPTIONS',
    fields: ['origin', origin, 'access-control-request-method', method, ...asked],
  });
}

/** Answers as `name: value` lines. */
function answer(used: CorsPolicy, ...asked: Parameters<typeof preflight>): string[] {
  const lines = preflightFields(used, preflight(...asked));
  return lines.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${lines[i + 1]}`] : []));
}

test('a preflight request is OPTIONS with an origin and the method it asks for', () => {
  expect(isPreflight(preflight('https://a.com'))).toBe(true);
  expect(isPreflight({ ...preflight('https://a.com'), method: 'GET' })).toBe(false);
  expect(isPreflight(request('/', { method: 'OPTIONS', fields: ['origin', 'https://a.com'] }))).toBe(false);
  const unasked = ['access-control-request-method', 'GET'];
  expect(isPreflight(request('/', { method: 'OPTIONS', fields: unasked }))).toBe(false);
});

describe('the answer to a preflight request', () => {
  const named = policy({
    methods: 'GET, OPTIONS',
    headers: 'x-a, x-b',
    exposeHeaders: 'x-c',
    credentials: true,
    maxAge: '3600',
  });

  test('has what the policy lists, and the origin that asks', () => {
    expect(answer(named, 'https://a.com', 'DELETE', ['x-z'])).toEqual([
      'vary: origin',
      'access-control-allow-origin: https://a.com',
      'access-control-allow-credentials: true',
      'access-control-allow-methods: GET, OPTIONS',
      'access-control-allow-headers: x-a, x-b',
      'access-control-expose-headers: x-c',
      'access-control-max-age: 3600',
    ]);
  });

  test('has nothing of CORS for another origin', () => {
    expect(answer(named, 'https://b.com')).toEqual(['vary: origin']);
    expect(answer(policy({ origins: [] }), 'https://a.com')).toEqual(['vary: origin']);
  });

  test.each([true, false])('repeats what was asked for in place of *, credentials %s', credentials => {
    const any = policy({
      origins: [{ kind: 'exact', value: '*' }],
      methods: '*',
      headers: '*',
      credentials,
    });
    expect(answer(any, 'https://b.com:1', 'PUT', ['x-a, x-b', 'x-c'])).toEqual([
      'vary: origin',
      'access-control-allow-origin: https://b.com:1',
      ...(credentials ? ['access-control-allow-credentials: true'] : []),
      'access-control-allow-methods: PUT',
      'access-control-allow-headers: x-a, x-b,x-c',
      'access-control-max-age: 5',
    ]);
    expect(answer(any, 'https://b.com').some(line => line.includes('allow-headers'))).toBe(false);
  });
});

describe('the answer to another request', () => {
  const from = (origin: string, ...more: string[]) => request('/', { fields: ['origin', origin, ...more] });

  test('allows the origin, and says what a script may read', () => {
    const edits = answerEdits(policy({ credentials: true, exposeHeaders: 'x-c' }), from('https://a.com'));
    expect(edits).toEqual({
      set: [
        ['access-control-allow-origin', 'https://a.com'],
        ['access-control-allow-credentials', 'true'],
        ['access-control-expose-headers', 'x-c'],
      ],
      add: [['vary', 'origin']],
      remove: [],
    });
  });

  test('loses what the application says to another origin', () => {
    expect(answerEdits(policy(), from('https://b.com'))).toMatchObject({
      set: [],
      remove: ['access-control-allow-origin', 'access-control-allow-credentials'],
    });
  });

  test('stays as it is for a request without an origin, but for Vary', () => {
    expect(answerEdits(policy(), request('/'))).toEqual({ set: [], add: [['vary', 'origin']], remove: [] });
  });

  test('is for no script if the browser sent credentials that the policy does not allow', () => {
    const allows = (used: CorsPolicy, ...more: string[]) =>
      answerEdits(used, from('https://a.com', ...more)).set.length > 0;
    expect(allows(policy(), 'cookie', 'a=b')).toBe(false);
    expect(allows(policy({ credentials: true }), 'cookie', 'a=b')).toBe(true);
    expect(allows(policy(), 'authorization', 'Basic eA==')).toBe(false);
    // Scripts may set it themselves, which is no credential of the browser.
    expect(allows(policy({ headers: 'x-a, Authorization' }), 'authorization', 'Bearer x')).toBe(true);
  });
});

test('a preflight request goes by the rule of the request that it asks for, else by its own', () => {
  const table = compileRoutes(
    routes(
      route({ method: 'PUT' }, { origin: 'put', cors: cors() }),
      route({ method: 'GET' }, { origin: 'get' }),
      route({ path: { kind: 'path-prefix', value: '/any' } }, { origin: 'any', cors: cors() }),
    ),
    () => null,
  );
  const origin = (path: string, method: string) =>
    matchPreflight(table, { ...preflight('https://a.com', method), path })?.origin;
  expect(origin('/', 'PUT')).toBe('put');
  expect(origin('/', 'GET')).toBe(undefined);
  expect(origin('/any', 'GET')).toBe('any');
  expect(origin('/any', 'DELETE')).toBe('any');
  const head = preflight('https://a.com', 'PUT');
  matchPreflight(table, head);
  expect(head.method).toBe('OPTIONS');
});
