import { describe, expect, it } from 'vitest';
import type { Route, RouteMatch } from '../model/model.ts';
import type { ServiceDestination } from './destination.ts';
import { match, port, route, rule, service } from './mesh.fixture.ts';
import type { RequestRoutes } from './resolved-route.ts';
import { consumerOf, routeSetOf } from './route-set.ts';

const http = port(80, { name: 'http' });
const admin = port(81, { name: 'admin' });
const echo: ServiceDestination = {
  kind: 'service',
  service: service('echo', { ports: [http, admin] }),
  port: http,
};

function requestsOf(routes: readonly Route[], consumer: string | null = null): RequestRoutes {
  const set = routeSetOf(echo, routes, consumer);
  if ('connections' in set) throw new Error(`${set.kind} has the port`);
  return set;
}

function origins(routes: readonly Route[], consumer: string | null = null): string[] {
  return requestsOf(routes, consumer).routes.map(({ origin }) => origin);
}

/** `origin: hostnames → cluster weight`. */
function connections(routes: readonly Route[], consumer: string | null = null): string[] {
  const set = routeSetOf(echo, routes, consumer);
  if (!('connections' in set)) throw new Error(`${set.kind} has the port`);
  return set.connections.map(({ origin, hostnames, backends }) => {
    const names = hostnames === null ? 'any' : hostnames.join(' ');
    return `${origin}: ${names} → ${backends.map(({ cluster, weight }) => `${cluster} ${weight}`).join(', ')}`;
  });
}

/** Rules with one match each, named by what they match. */
function rules(matches: Readonly<Record<string, Partial<RouteMatch>>>) {
  return Object.entries(matches).map(([name, fields]) =>
    rule({ 'echo:80': 1 }, { name, matches: [match(fields)] }),
  );
}

function names(
  matches: Readonly<Record<string, Partial<RouteMatch>>>,
  fields: Partial<Route> = {},
): string[] {
  return origins([route('r', 'echo', rules(matches), fields)]).map(origin => origin.split('/')[3]);
}

const header = (name: string) => ({ name, match: { kind: 'exact' as const, value: 'x' } });
const path = (value: string, kind: RouteMatch['path']['kind'] = 'prefix') => ({ path: { kind, value } });

describe('precedence of HTTP matches', () => {
  it('is exact path, expression, longest prefix', () => {
    expect(
      names({
        all: {},
        short: path('/a'),
        long: path('/a/b'),
        regex: path('/.*', 'regex'),
        exact: path('/', 'exact'),
      }),
    ).toEqual(['exact', 'regex', 'long', 'short', 'all']);
  });

  it('is method, then headers, then query parameters', () => {
    expect(
      names({
        query2: { query: [header('a'), header('b')] },
        header1: { headers: [header('a')] },
        header2: { headers: [header('a'), header('b')] },
        method: { method: 'GET' },
        query1: { query: [header('a')] },
      }),
    ).toEqual(['method', 'header2', 'header1', 'query2', 'query1']);
  });

  it('ignores the slash at the end of a prefix, and counts the first of several matches on a header', () => {
    expect(names({ slash: path('/ab/'), longer: path('/abc') })).toEqual(['longer', 'slash']);
    expect(
      names({ twice: { headers: [header('a'), header('A')] }, two: { headers: [header('a'), header('b')] } }),
    ).toEqual(['two', 'twice']);
  });

  it('is the older route, then the first by name, then the first rule', () => {
    const every = [rule({}), rule({})];
    const routes = [
      route('b', 'echo', every, { created: 5 }),
      route('a', 'echo', every, { created: 5 }),
      route('young', 'echo', every, { created: 6 }),
      route('old', 'echo', every, { created: 4 }),
    ];
    expect(origins(routes)).toEqual(
      ['old/0', 'old/1', 'a/0', 'a/1', 'b/0', 'b/1', 'young/0', 'young/1'].map(
        name => `HTTPRoute/default/${name}`,
      ),
    );
  });
});

describe('precedence of gRPC matches', () => {
  const order = (matches: Readonly<Record<string, Partial<RouteMatch>>>) =>
    names(matches, { kind: 'GRPCRoute' });

  it('is characters in the service, then in the method, then headers', () => {
    expect(
      order({
        any: {},
        method: path('/[^/]+/LongMethodName', 'regex'),
        service: path('/a.Service'),
        both: path('/a.Service/M', 'exact'),
        header: { ...path('/a.Service/M', 'exact'), headers: [header('a')] },
        longer: path('/a.LongerService'),
        escaped: path('/[^/]+/a\\.b', 'regex'),
        expression: path('/(?:a.Service..*)/[^/]+', 'regex'),
      }),
    ).toEqual(['longer', 'expression', 'header', 'both', 'service', 'method', 'escaped', 'any']);
  });
});

describe('the routes of a Service port', () => {
  it('are the Service itself where none is attached', () => {
    expect(routeSetOf(echo, [], null)).toMatchObject({ kind: 'implicit', routes: [{ origin: '' }] });
  });

  it('replace the Service: a route without rules leaves nothing', () => {
    expect(routeSetOf(echo, [route('r', 'echo', [])], null)).toMatchObject({ kind: 'HTTPRoute', routes: [] });
  });

  it('are of one kind: GRPCRoute before HTTPRoute before TrafficSplit', () => {
    const of = (kind: Route['kind']) => route(kind, 'echo', [rule({})], { kind });
    const kindOf = (...kinds: Route['kind'][]) => routeSetOf(echo, kinds.map(of), null).kind;
    expect(kindOf('TrafficSplit', 'HTTPRoute', 'GRPCRoute')).toBe('GRPCRoute');
    expect(kindOf('TrafficSplit', 'HTTPRoute')).toBe('HTTPRoute');
    expect(kindOf('TrafficSplit')).toBe('TrafficSplit');
  });

  it('are those whose port and section name agree', () => {
    const on = (port: number, sectionName: string) =>
      route('r', 'echo', [rule({})], {
        parents: [{ namespace: 'default', name: 'echo', port, sectionName }],
      });
    const isAttached = (port: number, sectionName: string) =>
      routeSetOf(echo, [on(port, sectionName)], null).kind !== 'implicit';
    expect(isAttached(0, '')).toBe(true);
    expect(isAttached(80, '')).toBe(true);
    expect(isAttached(0, 'http')).toBe(true);
    expect(isAttached(80, 'http')).toBe(true);
    expect(isAttached(81, '')).toBe(false);
    expect(isAttached(0, 'admin')).toBe(false);
    expect(isAttached(80, 'admin')).toBe(false);
  });

  it("are a namespace's own if it has any, never merged with the producer's", () => {
    const producer = route('producer', 'echo', [rule({})]);
    const consumer = route('consumer', 'echo', [rule({})], { namespace: 'team' });
    const other = {
      ...consumer,
      parents: [{ namespace: 'default', name: 'echo', port: 81, sectionName: '' }],
    };
    expect(consumerOf(echo, [producer, consumer], 'team')).toBe('team');
    expect(consumerOf(echo, [producer, consumer], 'another')).toBe(null);
    expect(consumerOf(echo, [producer, consumer], 'default')).toBe(null);
    expect(consumerOf(echo, [producer, other], 'team')).toBe(null);
    expect(origins([producer, consumer], 'team')).toEqual(['HTTPRoute/team/consumer/0']);
    expect(origins([producer, consumer])).toEqual(['HTTPRoute/default/producer/0']);
  });

  it('keep an invalid backend in the wheel, and one of weight 0 if it is valid; answer 500 if nothing takes requests', () => {
    const backends = (weights: Record<string, number>, invalid: string[] = []) => {
      const made = rule(weights);
      if (made.action.kind !== 'forward') throw new Error('unreachable');
      const action = {
        ...made.action,
        backends: made.action.backends.map(backend =>
          invalid.includes(backend.service?.name ?? '') ? { ...backend, service: null } : backend,
        ),
      };
      const [first] = requestsOf([route('r', 'echo', [{ ...made, action }])]).routes;
      if (first.action.kind !== 'forward') throw new Error('unreachable');
      return first.action.backends.map(({ cluster, weight }) => `${cluster} ${weight}`);
    };
    expect(backends({ 'a:80': 9, 'b:80': 1 }, ['b'])).toEqual(['service/default/a:80 9', ' 1']);
    expect(backends({ 'a:80': 9, 'b:80': 0 })).toEqual(['service/default/a:80 9', 'service/default/b:80 0']);
    expect(backends({ 'a:80': 9, 'b:80': 0 }, ['b'])).toEqual(['service/default/a:80 9']);
    expect(backends({ 'a:80': 0 })).toEqual(['service/default/a:80 0', ' 1']);
    expect(backends({})).toEqual([' 1']);
  });

  it('leave out a match whose expression is none, and keep the rest', () => {
    expect(names({ bad: path('(', 'regex'), good: path('/a') })).toEqual(['good']);
    expect(
      names({ bad: { headers: [{ name: 'a', match: { kind: 'regex', value: '[' } }] }, good: {} }),
    ).toEqual(['good']);
  });
});

describe('routes of connections', () => {
  const tcp = (name: string, fields: Partial<Route> = {}): Route =>
    route(name, 'echo', [rule({ [`${name}:80`]: 1 })], { kind: 'TCPRoute', ...fields });
  const tls = (name: string, hostnames: readonly string[] | null, fields: Partial<Route> = {}): Route =>
    tcp(name, { kind: 'TLSRoute', hostnames, ...fields });
  const to = (name: string): string => `service/default/${name}:80 1`;

  it('come after those of requests, TLSRoutes before TCPRoutes, all before splits', () => {
    const all = (['TrafficSplit', 'TCPRoute', 'TLSRoute', 'HTTPRoute', 'GRPCRoute'] as const).map(kind =>
      route(kind, 'echo', [rule({ 'v1:80': 1 })], { kind }),
    );
    const kinds = all.map((_, index) => routeSetOf(echo, all.slice(0, index + 1), null).kind);
    expect(kinds).toEqual(['TrafficSplit', 'TCPRoute', 'TLSRoute', 'HTTPRoute', 'GRPCRoute']);
  });

  it('of several TCPRoutes the oldest, then the first by name', () => {
    expect(connections([tcp('b'), tcp('a'), tcp('old', { created: 999 })])).toEqual([
      `TCPRoute/default/old/0: any → ${to('old')}`,
    ]);
    expect(connections([tcp('b'), tcp('a')])).toEqual([`TCPRoute/default/a/0: any → ${to('a')}`]);
  });

  it('give each server name to the oldest TLSRoute that has it', () => {
    const old = tls('old', ['a.test', '*.test'], { created: 999 });
    expect(
      connections([tls('all', null), tls('new', ['a.test', 'b.test']), tls('lost', ['*.test']), old]),
    ).toEqual([
      `TLSRoute/default/old/0: a.test *.test → ${to('old')}`,
      `TLSRoute/default/all/0: any → ${to('all')}`,
      `TLSRoute/default/new/0: b.test → ${to('new')}`,
    ]);
  });

  it('keep an invalid backend in the wheel, drop weight 0, and refuse everything if nothing is left', () => {
    const weights = (backends: Record<string, number>): string[] =>
      connections([route('r', 'echo', [rule(backends)], { kind: 'TCPRoute' })]);
    expect(weights({ 'v1:80': 3, 'v2:80': 0 })).toEqual([
      'TCPRoute/default/r/0: any → service/default/v1:80 3',
    ]);
    expect(weights({ 'v1:80': 0 })).toEqual(['TCPRoute/default/r/0: any →  1']);
    expect(connections([tcp('r', { rules: [] })])).toEqual(['TCPRoute/default/r/0: any →  1']);
  });

  it('have a port that carries something else, whatever routes of requests are at all ports', () => {
    const tls443 = { ...echo, port: port(443, { name: 'https', protocol: 'opaque' }) };
    const routes = [route('r', 'echo', [rule({ 'v1:80': 1 })]), tls('t', ['a.test'])];
    expect(routeSetOf(tls443, routes, null).kind).toBe('TLSRoute');
    expect(routeSetOf(echo, routes, null).kind).toBe('HTTPRoute');
  });

  it('of a consumer are for its namespace alone', () => {
    const parents = [{ namespace: 'default', name: 'echo', port: 80, sectionName: '' }];
    const own = tcp('own', { namespace: 'shop', parents });
    const set = [route('r', 'echo', [rule({ 'v1:80': 1 })]), own];
    expect(consumerOf(echo, set, 'shop')).toBe('shop');
    expect(routeSetOf(echo, set, 'shop').kind).toBe('TCPRoute');
    expect(routeSetOf(echo, set, null).kind).toBe('HTTPRoute');
  });
});
