import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  clusterConfig,
  clusterOf,
  endpointConfig,
  endpointsConfig,
  seededRandom,
} from '../cluster/cluster.fixture.ts';
import { Cluster } from '../cluster/cluster.ts';
import type { BalancingPolicy } from '../cluster/cluster-config.ts';
import type { Endpoint } from '../cluster/endpoint.ts';
import { DECAY_MS, expectedLatency, observeLatency } from './peak-ewma.ts';

const policies: BalancingPolicy[] = ['peak-ewma', 'least-request', 'round-robin', 'random'];

function clusterWith(weights: number[], balancing: BalancingPolicy): Cluster {
  const cluster = new Cluster(clusterConfig({ balancing }));
  cluster.updateEndpoints(endpointsConfig(weights.map((weight, i) => endpointConfig(i, { weight }))));
  return cluster;
}

/** How often each endpoint is picked when attempts end at once. */
function count(cluster: Cluster, picks: number, now = 0): number[] {
  const random = seededRandom(7);
  const counts = new Map<Endpoint, number>();
  for (let i = 0; i < picks; i++) {
    const endpoint = cluster.pick([], random, now) as Endpoint;
    counts.set(endpoint, (counts.get(endpoint) ?? 0) + 1);
  }
  return cluster.endpoints.map(endpoint => counts.get(endpoint) ?? 0);
}

// What every policy must keep.
describe.each(policies)('%s', balancing => {
  it('picks nothing from nothing', () => {
    expect(clusterOf(0, { balancing }).pick([], Math.random, 0)).toBeNull();
  });

  it('spreads idle endpoints by weight', () => {
    const counts = count(clusterWith([1, 3, 6], balancing), 20_000);
    expect(counts[0] / 20_000).toBeCloseTo(0.1, 1);
    expect(counts[1] / 20_000).toBeCloseTo(0.3, 1);
    expect(counts[2] / 20_000).toBeCloseTo(0.6, 1);
  });

  it('avoids tried endpoints while there are others', () => {
    const cluster = clusterOf(4, { balancing });
    const tried: Endpoint[] = [];
    for (let i = 0; i < 4; i++) tried.push(cluster.pick(tried, seededRandom(i + 1), 0) as Endpoint);
    expect(new Set(tried).size).toBe(4);
    expect(tried).toContain(cluster.pick(tried, Math.random, 0));
  });

  it('goes to another priority before it tries an endpoint twice', () => {
    const cluster = new Cluster(clusterConfig({ balancing }));
    cluster.updateEndpoints(endpointsConfig([0, 1, 2].map(i => endpointConfig(i, { priority: i }))));
    cluster.endpoints[0].ejectedUntil = 100;
    cluster.endpoints[1].ejectedUntil = 100;
    const [, , third] = cluster.endpoints;
    expect(cluster.pick([], Math.random, 0)).toBe(third);
    expect(cluster.pick([third], Math.random, 0)).toBe(third);
  });

  it('gives a returning endpoint one attempt at a time until it has proved itself', () => {
    const cluster = clusterOf(3, { balancing });
    const [probe] = cluster.endpoints;
    probe.probing = true;
    probe.active = 1;
    const counts = count(cluster, 300);
    expect(counts[0]).toBe(0);
    probe.active = 0;
    expect(count(cluster, 300)[0]).toBeGreaterThan(0);
  });

  it('never picks an ejected endpoint unless it panics, nor one that was tried, for any state', () => {
    const state = fc.record({
      ejected: fc.boolean(),
      tried: fc.boolean(),
      priority: fc.nat(2),
      weight: fc.integer({ min: 1, max: 5 }),
    });
    fc.assert(
      fc.property(fc.array(state, { minLength: 1, maxLength: 12 }), fc.integer(), (states, seed) => {
        const cluster = new Cluster(clusterConfig({ balancing }));
        cluster.updateEndpoints(
          endpointsConfig(states.map(({ priority, weight }, i) => endpointConfig(i, { priority, weight }))),
        );
        states.forEach(({ ejected }, i) => {
          if (ejected) cluster.endpoints[i].ejectedUntil = 1000;
        });
        const tried = cluster.endpoints.filter((_, i) => states[i].tried);
        const random = seededRandom(seed);
        const { levels } = cluster.view(0);
        const free = levels.some(level => level.endpoints.some(endpoint => !tried.includes(endpoint)));
        for (let i = 0; i < 20; i++) {
          const picked = cluster.pick(tried, random, 0) as Endpoint;
          const level = levels.find(({ priority }) => priority === picked.priority);
          expect(level?.endpoints).toContain(picked);
          if (picked.ejectedUntil > 0) expect(level?.panic).toBe(true);
          if (free) expect(tried).not.toContain(picked);
        }
      }),
    );
  });

  it('takes an endpoint back when its ejection is over', () => {
    const cluster = clusterOf(4, { balancing });
    cluster.endpoints[0].ejectedUntil = 50;
    expect(count(cluster, 200, 49)[0]).toBe(0);
    expect(cluster.ejected).toBe(1);
    expect(count(cluster, 200, 50)[0]).toBeGreaterThan(0);
    expect(cluster.ejected).toBe(0);
    expect(cluster.endpoints[0].probing).toBe(true);
  });
});

describe('round-robin', () => {
  it('goes around in order, also over rebuilds', () => {
    const cluster = clusterOf(3, { balancing: 'round-robin' });
    const picks = Array.from({ length: 6 }, () => {
      cluster.invalidate();
      return cluster.endpoints.indexOf(cluster.pick([], Math.random, 0) as Endpoint);
    });
    expect(picks).toEqual([0, 1, 2, 0, 1, 2]);
  });

  it('is within a few picks of its weight at any time', () => {
    const cluster = clusterWith([1, 2, 7], 'round-robin');
    const counts = [0, 0, 0];
    for (let i = 1; i <= 1000; i++) {
      counts[cluster.endpoints.indexOf(cluster.pick([], Math.random, 0) as Endpoint)]++;
      [0.1, 0.2, 0.7].forEach((share, j) => expect(Math.abs(counts[j] - share * i)).toBeLessThan(4));
    }
  });
});

describe('least-request', () => {
  it('prefers the endpoint with fewer attempts in flight', () => {
    const cluster = clusterOf(2, { balancing: 'least-request' });
    cluster.endpoints[0].active = 2;
    cluster.endpoints[1].active = 1;
    expect(count(cluster, 100)).toEqual([0, 100]);
  });
});

describe('peak-ewma', () => {
  it('prefers the faster and the less busy endpoint', () => {
    const cluster = clusterOf(2);
    const [slow, fast] = cluster.endpoints;
    observeLatency(slow, 30, 0);
    observeLatency(fast, 10, 0);
    expect(count(cluster, 100)).toEqual([0, 100]);
    fast.active = 4;
    expect(count(cluster, 100)).toEqual([100, 0]);
  });

  it('takes a peak at once and lets it fade with its time constant', () => {
    const [endpoint] = clusterOf(1).endpoints;
    observeLatency(endpoint, 10, 0);
    observeLatency(endpoint, 100, 1);
    expect(endpoint.latencyMs).toBe(100);
    observeLatency(endpoint, 10, 1 + DECAY_MS);
    expect(endpoint.latencyMs).toBeCloseTo(10 + 90 / Math.E);
  });

  it('presumes an endpoint without recent samples to be typical', () => {
    const [endpoint] = clusterOf(1).endpoints;
    expect(expectedLatency(endpoint, 20, 0)).toBe(20);
    observeLatency(endpoint, 100, 0);
    expect(expectedLatency(endpoint, 20, 0)).toBe(100);
    expect(expectedLatency(endpoint, 20, DECAY_MS)).toBeCloseTo(20 + 80 / Math.E);
    expect(expectedLatency(endpoint, 20, 100 * DECAY_MS)).toBeCloseTo(20);
  });

  it('does not flood a new endpoint', () => {
    const cluster = clusterOf(10);
    for (const endpoint of cluster.endpoints.slice(1)) {
      observeLatency(endpoint, 10, 0);
      cluster.observe(10);
    }
    const counts = count(cluster, 1000);
    expect(counts[0]).toBeGreaterThan(50);
    expect(counts[0]).toBeLessThan(200);
  });

  it('keeps a stalled endpoint nearly free of traffic', () => {
    const cluster = clusterOf(5);
    const random = seededRandom(3);
    const [stalled] = cluster.endpoints;
    let toStalled = 0;
    for (let i = 0; i < 5000; i++) {
      const endpoint = cluster.pick([], random, i) as Endpoint;
      // Attempts on the stalled endpoint never end; the others answer in 5 ms, before the next pick.
      if (endpoint === stalled) {
        stalled.active++;
        toStalled++;
      } else observeLatency(endpoint, 5, i);
    }
    expect(toStalled).toBeLessThan(10);
  });
});
