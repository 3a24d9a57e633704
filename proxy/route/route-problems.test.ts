import { describe, expect, it } from 'vitest';
import { backend, forward, route, routes } from './route.fixture.ts';
import type { FieldEdits, RouteConfig } from './route-config.ts';
import { routeProblems } from './route-problems.ts';

const edits = (overrides: Partial<FieldEdits>): FieldEdits => ({
  set: [],
  add: [],
  remove: [],
  ...overrides,
});

describe('routeProblems', () => {
  it('finds none in valid routes', () => {
    expect(routeProblems(routes(route({ path: { kind: 'regex', value: '/a.*' } })))).toEqual([]);
  });

  it.each<[string, RouteConfig]>([
    ['regular expression "(?=x)"', route({ path: { kind: 'regex', value: '(?=x)' } })],
    [
      'header "x" has the regular expression "("',
      route({ headers: [{ name: 'x', match: { kind: 'regex', value: '(' }, invert: false }] }),
    ],
    [
      'query parameter "q" has the regular expression "["',
      route({ query: [{ name: 'q', match: { kind: 'regex', value: '[' }, invert: false }] }),
    ],
    ['path "a" does not begin with "/"', route({ path: { kind: 'exact', value: 'a' } })],
    ['path "/a?b" has a "?"', route({ path: { kind: 'prefix', value: '/a?b' } })],
    [
      'header "X" is not in lower case',
      route({ headers: [{ name: 'X', match: { kind: 'present' }, invert: false }] }),
    ],
    ['weight -1 of backend "a"', route({}, { action: forward({ backends: [backend('a', -1)] }) })],
    [
      'field "content-length" belongs to the connection',
      route({}, { requestFields: edits({ remove: ['content-length'] }) }),
    ],
    ['field "bad name" is not', route({}, { responseFields: edits({ add: [['bad name', '']] }) })],
    ['remove CR, LF and NUL', route({}, { requestFields: edits({ set: [['x', 'a\r\nb']] }) })],
    ['"host" cannot be removed', route({}, { requestFields: edits({ remove: ['host'] }) })],
    [
      'redirect status 200',
      route({}, { action: { kind: 'redirect', status: 200, scheme: '', host: '', port: 0, path: null } }),
    ],
    ['status 99', route({}, { action: { kind: 'direct', status: 99, body: '' } })],
  ])('names the place and the remedy: %s', (text, bad) => {
    const problems = routeProblems(routes(route({}), { ...bad, origin: 'HTTPRoute/ns/name/0' }));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain('routes[1] (HTTPRoute/ns/name/0): ');
    expect(problems[0]).toContain(text);
  });
});
