import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endpointConfig } from './cluster.fixture.ts';
import { Endpoint } from './endpoint.ts';
import { buildView } from './endpoint-view.ts';

/** Endpoints from "priority: usable/ejected" counts. */
function endpoints(...levels: [usable: number, ejected: number][]): Endpoint[] {
  let number = 0;
  return levels.flatMap(([usable, ejected], priority) =>
    Array.from({ length: usable + ejected }, (_, i) => {
      const endpoint = new Endpoint(endpointConfig(number++, { priority }));
      if (i >= usable) endpoint.ejectedUntil = 100;
      return endpoint;
    }),
  );
}

function shares(list: Endpoint[]): Record<number, number> {
  const view = buildView(list, 0, null);
  return Object.fromEntries(
    view.levels.map((level, i) => [level.priority, view.shares[i] - (view.shares[i - 1] ?? 0)]),
  );
}

describe('buildView', () => {
  it('uses the first priority alone while enough of it is usable', () => {
    expect(shares(endpoints([8, 2], [5, 0]))).toEqual({ 0: 1 });
  });

  it('gives the next priority what the first cannot take', () => {
    const got = shares(endpoints([5, 5], [5, 0]));
    expect(got[0]).toBeCloseTo(0.7);
    expect(got[1]).toBeCloseTo(0.3);
  });

  it('fails over entirely when the first priority has none', () => {
    expect(shares(endpoints([0, 4], [2, 0]))).toEqual({ 1: 1 });
  });

  it('spreads the traffic in proportion when all together cannot take it', () => {
    const got = shares(endpoints([3, 7], [1, 9]));
    expect(got[0]).toBeCloseTo(0.75);
    expect(got[1]).toBeCloseTo(0.25);
  });

  it('panics and uses all endpoints when more than half are ejected and no level can help', () => {
    const [level] = buildView(endpoints([4, 6]), 0, null).levels;
    expect(level.panic).toBe(true);
    expect(level.endpoints).toHaveLength(10);
    const [calm] = buildView(endpoints([5, 5]), 0, null).levels;
    expect(calm.panic).toBe(false);
    expect(calm.endpoints).toHaveLength(5);
  });

  it('uses all when all are ejected, each level by its size', () => {
    const got = shares(endpoints([0, 6], [0, 2]));
    expect(got[0]).toBeCloseTo(0.75);
    expect(got[1]).toBeCloseTo(0.25);
  });

  it('says until when it holds', () => {
    const list = endpoints([3, 2]);
    list[4].ejectedUntil = 50;
    expect(buildView(list, 0, null).validUntil).toBe(50);
    expect(buildView(list, 60, null).validUntil).toBe(100);
    expect(buildView(list, 100, null).validUntil).toBe(Number.POSITIVE_INFINITY);
  });

  it('has shares that grow to 1, and an ejected endpoint only in panic, for any endpoints', () => {
    const counts = fc.tuple(fc.nat(6), fc.nat(6));
    fc.assert(
      fc.property(fc.array(counts, { maxLength: 4 }), levels => {
        const list = endpoints(...levels);
        const view = buildView(list, 0, null);
        expect(view.levels.length > 0).toBe(list.length > 0);
        if (view.levels.length > 0) expect(view.shares.at(-1)).toBe(1);
        for (let i = 1; i < view.shares.length; i++) {
          expect(view.shares[i]).toBeGreaterThanOrEqual(view.shares[i - 1]);
        }
        for (const level of view.levels) {
          expect(level.endpoints.length).toBeGreaterThan(0);
          const ejected = level.endpoints.filter(endpoint => endpoint.ejectedUntil > 0).length;
          if (!level.panic) expect(ejected).toBe(0);
          else {
            const usable = list.filter(e => e.priority === level.priority && e.ejectedUntil === 0).length;
            expect(usable).toBeLessThan(level.endpoints.length / 2);
          }
        }
      }),
    );
  });
});
