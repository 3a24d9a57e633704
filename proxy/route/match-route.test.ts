import fc from 'fast-check';
import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import type { RequestHead } from '../exchange/stream.ts';
import { matchRoute } from './match-route.ts';
import { request, route, routes } from './route.fixture.ts';
import type { NamedMatch, PathMatch, RouteConfig, RoutesConfig, StringMatch } from './route-config.ts';
import { compileRoutes, literalPrefix } from './route-table.ts';

const compile = (config: RoutesConfig) => compileRoutes(config, () => null);
const matched = (config: RoutesConfig, head: RequestHead) => matchRoute(compile(config), head)?.index ?? -1;
const prefix = (value: string): PathMatch => ({ kind: 'path-prefix', value });
const exactly = (name: string, value: string): NamedMatch => ({
  name,
  match: { kind: 'exact', value },
  invert: false,
});

describe('matchRoute', () => {
  it.each([
    ['/abc', true],
    ['/abc/', true],
    ['/abc/def', true],
    ['/abc?x=/y', true],
    ['/abcd', false],
    ['/ABC', false],
    ['/', false],
    ['/ab', false],
  ])('takes a path prefix by elements: %s', (path, hit) => {
    expect(matched(routes(route({ path: prefix('/abc') })), request(path))).toBe(hit ? 0 : -1);
    expect(matched(routes(route({ path: prefix('/abc/') })), request(path))).toBe(hit ? 0 : -1);
  });

  it('takes an exact path without the query, and nothing longer', () => {
    const config = routes(route({ path: { kind: 'exact', value: '/a/b' } }));
    expect(matched(config, request('/a/b?c=d'))).toBe(0);
    expect(matched(config, request('/a/b/'))).toBe(-1);
    expect(matched(config, request('/a'))).toBe(-1);
    expect(matched(config, request('/x?y=/a/b'))).toBe(-1);
  });

  it('takes `/` for every request, OPTIONS * and CONNECT included', () => {
    for (const kind of ['path-prefix', 'prefix'] as const) {
      const config = routes(route({ path: { kind, value: '/' } }));
      for (const path of ['/', '/x', '*', '', '/?q']) expect(matched(config, request(path))).toBe(0);
    }
  });

  it('matches the whole path against a regular expression, in linear time', () => {
    const config = routes(route({ path: { kind: 'regex', value: '/v[0-9]+/(a+)+' } }));
    expect(matched(config, request('/v12/aaa?q=1'))).toBe(0);
    expect(matched(config, request('/v12/aaab'))).toBe(-1);
    expect(matched(config, request(`/v1/${'a'.repeat(50_000)}!`))).toBe(-1);
  });

  it('takes the first in order of precedence, whatever its kind', () => {
    const config = routes(
      route({ path: prefix('/a'), method: 'POST' }),
      route({ path: { kind: 'regex', value: '/a/.*' } }),
      route({ path: { kind: 'exact', value: '/a/b' } }),
      route({}),
    );
    expect(matched(config, request('/a/b'))).toBe(1);
    expect(matched(config, request('/a/b', { method: 'POST' }))).toBe(0);
    expect(matched(config, request('/a'))).toBe(3);
  });

  it('compares repeated fields joined with a comma', () => {
    const config = routes(route({ headers: [exactly('x', 'a,b')] }));
    expect(matched(config, request('/', { fields: ['x', 'a', 'x', 'b'] }))).toBe(0);
    expect(matched(config, request('/', { fields: ['x', 'a'] }))).toBe(-1);
  });

  it('finds Host in the authority, without regard to case', () => {
    const config = routes(route({ headers: [exactly('host', 'Echo.example')] }));
    expect(matched(config, request('/', { authority: 'echo.example' }))).toBe(0);
    expect(matched(config, request('/', { authority: 'other' }))).toBe(-1);
  });

  it('compares the first value of a query parameter, decoded', () => {
    const config = routes(route({ query: [exactly('näme', 'a b')] }));
    expect(matched(config, request('/?n%C3%A4me=a+b&n%C3%A4me=c'))).toBe(0);
    expect(matched(config, request('/?n%c3%a4me=a%20b'))).toBe(0);
    expect(matched(config, request('/?x=1&n%C3%A4me=c&n%C3%A4me=a+b'))).toBe(-1);
    expect(matched(config, request('/?n%C3%A4me'))).toBe(-1);
    expect(matched(config, request('/'))).toBe(-1);
  });

  it('keeps malformed percent-encoding as it is', () => {
    const config = routes(route({ query: [exactly('a', '%zz%4')] }));
    expect(matched(config, request('/?a=%zz%4'))).toBe(0);
  });

  it('compares values of other characters as UTF-8 bytes', () => {
    const config = routes(route({ headers: [exactly('x', 'Ċ')] }));
    const bytes = Buffer.from('Ċ', 'utf8').toString('latin1');
    expect(matched(config, request('/', { fields: ['x', bytes] }))).toBe(0);
    expect(matched(config, request('/', { fields: ['x', '\n'] }))).toBe(-1);
  });
});

describe('literalPrefix', () => {
  it.each([
    ['/api/v[0-9]+', '/api/v'],
    ['^/api/.*$', '/api/'],
    ['/ab*', '/a'],
    ['/ab?c', '/a'],
    ['/ab{2}', '/a'],
    ['/ab+', '/ab'],
    ['/a|/b', ''],
    ['(?i)/a', ''],
    ['/a\\.b', '/a'],
    ['', ''],
  ])('of %s is %s', (pattern, literal) => {
    expect(literalPrefix(pattern)).toBe(literal);
  });
});

/** As the specification reads, one route after the other. */
function reference(config: RoutesConfig, head: RequestHead): number {
  return config.routes.findIndex(item => matchesPlainly(item, head));
}

function matchesPlainly({ match }: RouteConfig, head: RequestHead): boolean {
  const [path, query = ''] = head.path.split(/\?(.*)/s);
  if (match.method !== '' && match.method !== head.method) return false;
  if (!pathMatches(match.path, path)) return false;
  const pairs: string[][] = [];
  for (let i = 0; i < head.fields.length; i += 2) pairs.push(head.fields.slice(i, i + 2));
  const headersMatch = match.headers.every(header => {
    const values = pairs.filter(pair => pair[0] === header.name).map(pair => pair[1]);
    return valueMatches(header.match, values.length === 0 ? null : values.join(',')) !== header.invert;
  });
  const parameters = new URLSearchParams(query);
  return (
    headersMatch &&
    match.query.every(item => valueMatches(item.match, parameters.get(item.name)) !== item.invert)
  );
}

function pathMatches(match: PathMatch, path: string): boolean {
  switch (match.kind) {
    case 'any':
      return true;
    case 'exact':
      return path === match.value;
    case 'prefix':
      return path.startsWith(match.value);
    case 'regex':
      return RE2JS.compile(match.value).matches(path);
    case 'path-prefix': {
      const want = match.value.split('/').filter((part, i, all) => i < all.length - 1 || part !== '');
      const have = path.split('/');
      return want.every((part, i) => have[i] === part);
    }
  }
}

function valueMatches(match: StringMatch, value: string | null): boolean {
  if (value === null) return false;
  switch (match.kind) {
    case 'exact':
      return value === match.value;
    case 'prefix':
      return value.startsWith(match.value);
    case 'suffix':
      return value.endsWith(match.value);
    case 'contains':
      return value.includes(match.value);
    case 'regex':
      return RE2JS.compile(match.value).matches(value);
    case 'present':
      return true;
  }
}

describe('matchRoute against the plain reading of the rules', () => {
  const path = fc
    .array(fc.constantFrom('a', 'ab', 'abc', 'b', ''), { maxLength: 4 })
    .map(parts => `/${parts.join('/')}`);
  const pathMatch: fc.Arbitrary<PathMatch> = fc.oneof(
    fc.record({ kind: fc.constantFrom('exact', 'path-prefix', 'prefix'), value: path }),
    fc.record({
      kind: fc.constant('regex' as const),
      value: fc.constantFrom('/a.*', '/a+b?', '^/ab?/b$', '/(a|b)/.*', '/a|/b', '.*b', '/ab{1,2}', '/abc*'),
    }),
    fc.constant({ kind: 'any' as const }),
  );
  const text = fc.constantFrom('', '1', '2', '12', '1,2');
  const stringMatch: fc.Arbitrary<StringMatch> = fc.oneof(
    fc.record({ kind: fc.constantFrom('exact', 'prefix', 'suffix', 'contains'), value: text }),
    fc.record({ kind: fc.constant('regex' as const), value: fc.constantFrom('1.*', '[12]', '') }),
    fc.constant({ kind: 'present' as const }),
  );
  const named: fc.Arbitrary<NamedMatch> = fc.record({
    name: fc.constantFrom('x', 'y'),
    match: stringMatch,
    invert: fc.boolean(),
  });
  const match = fc.record({
    path: pathMatch,
    method: fc.constantFrom('', '', 'GET', 'POST'),
    headers: fc.array(named, { maxLength: 2 }),
    query: fc.array(named, { maxLength: 2 }),
  });
  const head = fc
    .record({
      path,
      query: fc.array(fc.tuple(fc.constantFrom('x', 'y', 'xy'), text), { maxLength: 3 }),
      method: fc.constantFrom('GET', 'POST'),
      fields: fc.array(fc.tuple(fc.constantFrom('x', 'y'), text), { maxLength: 3 }),
    })
    .map(({ path: base, query, method, fields }) => {
      const search = query.map(([name, value]) => `${name}=${value}`).join('&');
      return request(search === '' ? base : `${base}?${search}`, { method, fields: fields.flat() });
    });

  it('gives the same route', () => {
    fc.assert(
      fc.property(
        fc.array(match, { minLength: 1, maxLength: 30 }),
        fc.array(head, { minLength: 1, maxLength: 10 }),
        (matches, heads) => {
          const config = routes(...matches.map(item => route(item)));
          const table = compile(config);
          for (const item of heads) {
            expect(matchRoute(table, item)?.index ?? -1).toBe(reference(config, item));
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
