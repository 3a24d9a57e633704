import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clusterConfig } from '../cluster/cluster.fixture.ts';
import { Cluster } from '../cluster/cluster.ts';
import { editRequest } from './edit-request.ts';
import { pickBackend } from './pick-backend.ts';
import { backend, forward, request, route, routes } from './route.fixture.ts';
import type { BackendConfig, ForwardConfig } from './route-config.ts';
import { compileRoutes, type ForwardRoute } from './route-table.ts';

const live = new Map(['a', 'b', 'c'].map(name => [name, new Cluster(clusterConfig({ name }))]));
const compileOne = (action: Partial<ForwardConfig>) =>
  compileRoutes(routes(route({}, { action: forward(action) })), name => live.get(name) ?? null)
    .routes[0] as ForwardRoute;

/** Share of each name in evenly spaced draws; '' stands for null. */
function shares(backends: BackendConfig[], draws = 10_000): Record<string, number> {
  const compiled = compileOne({ backends });
  const counts: Record<string, number> = {};
  for (let i = 0; i < draws; i++) {
    const name = pickBackend(compiled, (i + 0.5) / draws)?.name ?? '';
    counts[name] = (counts[name] ?? 0) + 1 / draws;
  }
  return counts;
}

describe('pickBackend', () => {
  it('splits by weight', () => {
    const got = shares([backend('a', 90), backend('b', 10)]);
    expect(got.a).toBeCloseTo(0.9, 3);
    expect(got.b).toBeCloseTo(0.1, 3);
  });

  it('gives an invalid backend its share as null, also one whose cluster is unknown', () => {
    expect(shares([backend('a', 3), backend('', 1)])['']).toBeCloseTo(0.25, 3);
    expect(shares([backend('a', 3), backend('unknown', 1)])['']).toBeCloseTo(0.25, 3);
  });

  it('answers null without backends and without weights', () => {
    expect(shares([])).toEqual({ '': expect.closeTo(1) });
    expect(shares([backend('a', 0)])).toEqual({ '': expect.closeTo(1) });
  });

  it('never gives a backend of weight 0, and keeps every share within rounding', () => {
    const weights = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1_000_000 })), {
      minLength: 1,
      maxLength: 12,
    });
    const random = fc.oneof(
      fc.constantFrom(0, 1 - 2 ** -53),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    );
    fc.assert(
      fc.property(weights, random, (list, number) => {
        const compiled = compileOne({ backends: list.map(weight => backend('a', weight)) });
        const picked = pickBackend(compiled, number);
        const total = list.reduce((sum, weight) => sum + weight, 0);
        if (total === 0) {
          expect(picked).toBeNull();
          return;
        }
        const index = compiled.backends.indexOf(picked as never);
        const before = list.slice(0, index).reduce((sum, weight) => sum + weight, 0) / total;
        expect(list[index]).toBeGreaterThan(0);
        expect(number).toBeGreaterThanOrEqual(before - 1e-9);
        expect(number).toBeLessThan(before + list[index] / total + 1e-9);
      }),
    );
  });
});

describe('compileRoutes', () => {
  it('holds live clusters and drops mirrors without one', () => {
    const compiled = compileOne({
      backends: [backend('b')],
      mirrors: [
        { cluster: 'c', fraction: 1 },
        { cluster: 'unknown', fraction: 1 },
      ],
    });
    expect(compiled.backends[0].cluster).toBe(live.get('b'));
    expect(compiled.mirrors).toEqual([{ cluster: live.get('c'), fraction: 1 }]);
  });

  it('turns values into bytes, so that no character becomes a line feed on the wire', () => {
    const requestFields = { set: [['x', 'Ċ']] as const, add: [], remove: [] };
    const [compiled] = compileRoutes(routes(route({}, { requestFields })), () => null).routes;
    const value = compiled.requestFields?.set[0][1] ?? '';
    expect(Buffer.from(value, 'latin1').toString('utf8')).toBe('Ċ');
  });

  it('has null for edits that edit nothing', () => {
    const requestFields = { set: [], add: [], remove: [] };
    const [compiled] = compileRoutes(routes(route({}, { requestFields })), () => null).routes;
    expect(compiled.requestFields).toBeNull();
  });
});

describe('editRequest', () => {
  it('sets Host as the authority and never as a field', () => {
    const head = request('/', { fields: ['x', '1'] });
    editRequest(head, { set: [['host', 'New.Example']], add: [['y', '2']], remove: ['x'] });
    expect(head.authority).toBe('new.example');
    expect(head.fields).toEqual(['y', '2']);
    editRequest(head, { set: [], add: [['host', 'b']], remove: [] });
    expect(head.authority).toBe('b');
    expect(head.fields).toEqual(['y', '2']);
  });
});
