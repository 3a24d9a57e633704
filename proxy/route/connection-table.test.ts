import { expect, test } from 'vitest';
import { clusterOf } from '../cluster/cluster.fixture.ts';
import { compileConnections, matchServerName } from './connection-table.ts';
import { pickBackend } from './pick-backend.ts';

const live = new Map(['v1', 'v2'].map(name => [name, clusterOf(0, { name })]));
const compile = (routes: Record<string, readonly string[]>) =>
  compileConnections(
    Object.entries(routes).map(([origin, serverNames]) => ({ origin, serverNames, backends: [] })),
    () => null,
  );

test('the exact name goes before the longest suffix, and that before any', () => {
  const table = compile({
    exact: ['a.example.test'],
    wide: ['*.test'],
    wider: ['*.example.test', '*.com'],
    any: [],
  });
  const names = {
    'a.example.test': 'exact',
    'b.example.test': 'wider',
    'b.a.example.test': 'wider',
    'example.test': 'wide',
    'x.com': 'wider',
    com: 'any',
    '.com': 'any',
    test: 'any',
    'xexample.test': 'wide',
    '': 'any',
  };
  for (const [name, origin] of Object.entries(names))
    expect(matchServerName(table, name)?.origin, name).toBe(origin);
});

test('without a route for any, what no name takes is refused', () => {
  const table = compile({ exact: ['a.test'], wide: ['*.b.test'] });
  for (const name of ['', 'b.test', 'a.a.test', 'test'])
    expect(matchServerName(table, name), name).toBe(null);
});

test('connections are divided by weight, and invalid backends take their share', () => {
  const backends = [
    { cluster: 'v1', weight: 6 },
    { cluster: '', weight: 1 },
    { cluster: 'gone', weight: 1 },
    { cluster: 'v2', weight: 0 },
    { cluster: 'v2', weight: 2 },
  ];
  const { any } = compileConnections(
    [{ serverNames: [], backends, origin: 'r' }],
    name => live.get(name) ?? null,
  );
  const picked = Array.from({ length: 10 }, (_, i) => any && pickBackend(any, (i + 0.5) / 10)?.name);
  expect(picked).toEqual([...Array(6).fill('v1'), undefined, undefined, 'v2', 'v2']);
});
