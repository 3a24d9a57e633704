import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../runtime/clock.ts';
import { clusterOf } from '../cluster/cluster.fixture.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { SessionConfig } from '../cluster/cluster-config.ts';
import type { FieldLines } from '../exchange/stream.ts';
import { backend, forward, request, route, routes } from './route.fixture.ts';
import { compileRoutes, type ForwardRoute } from './route-table.ts';
import { findSession, keepSession, sessionOf } from './session.ts';

const SESSION: SessionConfig = {
  kind: 'cookie',
  name: 's',
  path: '/shop',
  timeoutMs: 0,
  permanent: false,
  key: 'secret',
};

/** A rule with a backend for each cluster. */
function rule(clusters: readonly Cluster[], session: SessionConfig | null, origin = 'r'): ForwardRoute {
  const action = forward({ backends: clusters.map((_, i) => backend(String(i), i === 0 ? 0 : 1)) });
  const table = compileRoutes(routes(route({}, { action, session, origin })), name => clusters[Number(name)]);
  return table.routes[0] as ForwardRoute;
}

/** What a client is told after an answer of the endpoint. */
function told(used: ForwardRoute, at: number, index: number, unix = 0): FieldLines {
  const lines: FieldLines = [];
  const from = used.backends[at];
  const session = sessionOf(used, from) as SessionConfig;
  keepSession(session, from, (from.cluster as Cluster).endpoints[index], lines, unix);
  return lines;
}

function token(used: ForwardRoute, at: number, index: number, unix = 0): string {
  const [name, value] = told(used, at, index, unix);
  return name === 'set-cookie' ? value.slice(value.indexOf('=') + 1, value.indexOf(';')) : value;
}

const clock = new ManualClock();
const find = (used: ForwardRoute, ...fields: FieldLines) =>
  findSession(used, request('/', { fields }), clock);

describe('a cookie', () => {
  const clusters = [clusterOf(2, { name: 'one' }), clusterOf(3, { name: 'two' })];
  const used = rule(clusters, SESSION);

  test('leads to its endpoint, also of a backend of weight 0', () => {
    for (const [at, cluster] of clusters.entries()) {
      for (const [index, endpoint] of cluster.endpoints.entries()) {
        const found = find(used, 'cookie', `a=b; s=${token(used, at, index)}; c=d`);
        expect(found?.endpoint).toBe(endpoint);
        expect(found?.backend).toBe(used.backends[at]);
      }
    }
  });

  test('is written with its path, for HTTP only', () => {
    expect(told(used, 0, 0)).toEqual([
      'set-cookie',
      `s=${token(used, 0, 0)}; Path=/shop; HttpOnly; SameSite=Lax`,
    ]);
    const kept = rule(clusters, { ...SESSION, permanent: true, timeoutMs: 1500, path: '' });
    expect(told(kept, 0, 0)[1]).toMatch(/^s=[^;]+; Max-Age=2; HttpOnly; SameSite=Lax$/);
  });

  test('is found among others, in one field or several', () => {
    const own = token(used, 1, 2);
    const endpoint = clusters[1].endpoints[2];
    for (const lines of [
      ['cookie', `s=${own}`],
      ['cookie', `xs=no;s=${own}`],
      ['cookie', 's=other; s=', 'cookie', `ss=1; s=${own} ; x`],
      ['accept', 's', 'cookie', `s; s=${own}`],
    ])
      expect(find(used, ...lines)?.endpoint, lines.join()).toBe(endpoint);
    for (const line of ['', 's', `S=${own}`, `xs=${own}`, `x="; s=1"`, `s=${own}x`, `s="${own}"`])
      expect(find(used, 'cookie', line), line).toBe(null);
    expect(find(used, 's', own)).toBe(null);
  });

  test('says nothing of the address, and an address leads nowhere', () => {
    const { address, port, key } = clusters[1].endpoints[0];
    const own = token(used, 1, 0);
    expect(own).toMatch(/^[\w-]{16}$/);
    for (const guess of [address, `${address}:${port}`, key]) {
      expect(Buffer.from(own, 'base64url').toString('latin1')).not.toContain(guess);
      expect(find(used, 'cookie', `s=${guess}`)).toBe(null);
      expect(find(used, 'cookie', `s=${Buffer.from(guess).toString('base64')}`)).toBe(null);
    }
  });

  test('is good for its rule and its key alone', () => {
    const own = token(used, 1, 0);
    expect(find(rule(clusters, SESSION, 'another rule'), 'cookie', `s=${own}`)).toBe(null);
    expect(find(rule(clusters, { ...SESSION, key: 'other' }), 'cookie', `s=${own}`)).toBe(null);
    expect(find(rule(clusters, SESSION), 'cookie', `s=${own}`)?.endpoint).toBe(clusters[1].endpoints[0]);
  });

  test('leads nowhere when its endpoint is gone, and others stay', () => {
    const cluster = clusterOf(3);
    const changing = rule([cluster], SESSION);
    const [first, second] = [token(changing, 0, 0), token(changing, 0, 1)];
    const [, kept] = cluster.endpoints;
    const { address, port, identity, meshed, weight, priority, zone, labels } = kept;
    const endpoints = [{ address, port, identity, meshed, weight, priority, zone, labels }];
    cluster.updateEndpoints({ name: cluster.name, version: '2', endpoints });
    expect(find(changing, 'cookie', `s=${first}`)).toBe(null);
    expect(find(changing, 'cookie', `s=${second}`)?.endpoint).toBe(kept);
  });
});

test('a header holds the token alone', () => {
  const cluster = clusterOf(2);
  const used = rule([cluster], { ...SESSION, kind: 'header', name: 'x-session' });
  expect(told(used, 0, 1)).toEqual(['x-session', token(used, 0, 1)]);
  expect(find(used, 'x-session', token(used, 0, 1))?.endpoint).toBe(cluster.endpoints[1]);
  expect(find(used, 'cookie', `x-session=${token(used, 0, 1)}`)).toBe(null);
});

test('a session ends with its timeout, which a client cannot move', () => {
  const cluster = clusterOf(2);
  const used = rule([cluster], { ...SESSION, timeoutMs: 10_000 });
  const own = token(used, 0, 0, clock.unix());
  const at = () => find(used, 'cookie', `s=${own}`)?.endpoint;
  expect(at()).toBe(cluster.endpoints[0]);
  const [name, ends, proof] = own.split('.');
  for (const forged of [
    name,
    `${name}.fffffffff.${proof}`,
    `${name}.${ends}`,
    `${name}.${ends}.x`,
    `${name}..${proof}`,
  ])
    expect(find(used, 'cookie', `s=${forged}`), forged).toBe(null);
  clock.advance(9000);
  expect(at()).toBe(cluster.endpoints[0]);
  clock.advance(2000);
  expect(at()).toBe(undefined);
});

test('the session of a Service is for the rules that have none', () => {
  const cluster = clusterOf(2, { session: { ...SESSION, name: 'service' } });
  const plain = rule([cluster], null);
  expect(find(plain, 'cookie', `service=${token(plain, 0, 1)}`)?.endpoint).toBe(cluster.endpoints[1]);
  expect(sessionOf(plain, plain.backends[0])?.name).toBe('service');
  const own = rule([cluster], SESSION);
  expect(sessionOf(own, own.backends[0])?.name).toBe('s');
  expect(sessionOf(rule([clusterOf(1)], null), plain.backends[0])?.name).toBe('service');
});
