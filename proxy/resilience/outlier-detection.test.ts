import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clusterOf, endpointConfig, endpointsConfig } from '../cluster/cluster.fixture.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Endpoint } from '../cluster/endpoint.ts';
import { type AttemptOutcome, beginAttempt, endAttempt, isServerFailure } from './attempt.ts';

const noJitter = () => 0;

function attempt(cluster: Cluster, endpoint: Endpoint, outcome: AttemptOutcome, now: number): boolean {
  beginAttempt(endpoint);
  return endAttempt(cluster, endpoint, outcome, 1, now, noJitter);
}

/** Fails until the endpoint is ejected; how many failures that took. */
function fail(cluster: Cluster, endpoint: Endpoint, now: number): number {
  for (let i = 1; i < 100; i++) if (attempt(cluster, endpoint, 'failure', now)) return i;
  return 0;
}

describe('outlier detection', () => {
  it('ejects after the configured number of failures in a row', () => {
    const cluster = clusterOf(3);
    const [endpoint] = cluster.endpoints;
    for (let i = 0; i < 4; i++) attempt(cluster, endpoint, 'failure', 0);
    attempt(cluster, endpoint, 'success', 0);
    expect(fail(cluster, endpoint, 0)).toBe(5);
    expect(endpoint.ejectedUntil).toBe(1000);
    expect(cluster.counters.ejections).toBe(1);
    expect(cluster.view(0).levels[0].endpoints).not.toContain(endpoint);
  });

  it('is off with 0', () => {
    const cluster = clusterOf(3, {
      outlier: { consecutiveFailures: 0, baseEjectionMs: 1, maxEjectionMs: 1, maxEjectedFraction: 1 },
    });
    expect(fail(cluster, cluster.endpoints[0], 0)).toBe(0);
  });

  it('does not count what says nothing of the endpoint', () => {
    const cluster = clusterOf(3);
    const [endpoint] = cluster.endpoints;
    for (let i = 0; i < 20; i++) expect(attempt(cluster, endpoint, 'neutral', 0)).toBe(false);
    expect(endpoint).toMatchObject({ consecutiveFailures: 0, active: 0 });
  });

  it('ejects for twice as long each time, up to the maximum', () => {
    const cluster = clusterOf(3);
    const [endpoint] = cluster.endpoints;
    const lengths: number[] = [];
    let now = 0;
    for (let i = 0; i < 8; i++) {
      fail(cluster, endpoint, now);
      lengths.push(endpoint.ejectedUntil - now);
      now = endpoint.ejectedUntil;
      cluster.view(now);
    }
    expect(lengths).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  });

  it('begins anew after a healthy time as long as the longest ejection', () => {
    const cluster = clusterOf(3);
    const [endpoint] = cluster.endpoints;
    fail(cluster, endpoint, 0);
    cluster.view(1000);
    attempt(cluster, endpoint, 'success', 1000);
    fail(cluster, endpoint, 61_001);
    expect(endpoint.ejectedUntil).toBe(62_001);
  });

  it('spreads returns by jitter of a tenth', () => {
    const cluster = clusterOf(3);
    const [endpoint] = cluster.endpoints;
    for (let i = 0; i < 5; i++) {
      beginAttempt(endpoint);
      endAttempt(cluster, endpoint, 'failure', -1, 0, () => 0.5);
    }
    expect(endpoint.ejectedUntil).toBe(1050);
  });

  it('ejects again at the first failure of the probe, and frees the endpoint at its first success', () => {
    const cluster = clusterOf(3);
    const [endpoint] = cluster.endpoints;
    fail(cluster, endpoint, 0);
    cluster.view(1000);
    expect(endpoint.probing).toBe(true);
    expect(fail(cluster, endpoint, 1000)).toBe(1);
    cluster.view(3000);
    attempt(cluster, endpoint, 'success', 3000);
    expect(endpoint.probing).toBe(false);
    expect(fail(cluster, endpoint, 3000)).toBe(5);
  });

  it('is not ended by an answer to an attempt from before it', () => {
    const cluster = clusterOf(3);
    const [endpoint] = cluster.endpoints;
    beginAttempt(endpoint);
    fail(cluster, endpoint, 0);
    endAttempt(cluster, endpoint, 'success', 1, 10, noJitter);
    expect(endpoint.ejectedUntil).toBe(1000);
    cluster.view(1000);
    expect(endpoint.probing).toBe(true);
  });

  it('is not prolonged by failures of attempts from before it', () => {
    const cluster = clusterOf(3);
    const [endpoint] = cluster.endpoints;
    fail(cluster, endpoint, 0);
    for (let i = 0; i < 20; i++) expect(attempt(cluster, endpoint, 'failure', 10)).toBe(false);
    expect(endpoint.ejectedUntil).toBe(1000);
    expect(cluster.counters.ejections).toBe(1);
  });

  it.each([
    [1, 0.5, 0],
    [2, 0.5, 1],
    [3, 0.5, 1],
    [4, 0.5, 2],
    [10, 0.5, 5],
    [10, 0, 1],
    [10, 1, 9],
  ])('of %i endpoints with a share of %d ejects at most %i', (count, maxEjectedFraction, most) => {
    const outlier = { consecutiveFailures: 1, baseEjectionMs: 1000, maxEjectionMs: 1000, maxEjectedFraction };
    const cluster = clusterOf(count, { outlier });
    for (const endpoint of cluster.endpoints) attempt(cluster, endpoint, 'failure', 0);
    expect(cluster.endpoints.filter(endpoint => endpoint.ejectedUntil > 0)).toHaveLength(most);
  });

  it('keeps its limit and its counts for any history', () => {
    const step = fc.record({
      endpoint: fc.nat(7),
      outcome: fc.constantFrom<AttemptOutcome>('success', 'failure', 'failure', 'neutral'),
      wait: fc.constantFrom(0, 1, 500, 2000),
    });
    const outlier = {
      consecutiveFailures: 2,
      baseEjectionMs: 1000,
      maxEjectionMs: 4000,
      maxEjectedFraction: 0.5,
    };
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), steps => {
        const cluster = clusterOf(8, { outlier });
        let now = 0;
        for (const { endpoint, outcome, wait } of steps) {
          now += wait;
          attempt(cluster, cluster.endpoints[endpoint], outcome, now);
          cluster.view(now);
          const ejected = cluster.endpoints.filter(item => item.ejectedUntil > now).length;
          expect(ejected).toBeLessThanOrEqual(4);
          expect(cluster.ejected).toBe(ejected);
          for (const item of cluster.endpoints) {
            expect(item.active).toBe(0);
            expect(item.ejectedUntil - now).toBeLessThanOrEqual(4000);
          }
        }
      }),
    );
  });

  it('leaves a removed endpoint alone', () => {
    const cluster = clusterOf(3);
    const [endpoint] = cluster.endpoints;
    cluster.updateEndpoints(endpointsConfig([endpointConfig(1), endpointConfig(2)]));
    expect(fail(cluster, endpoint, 0)).toBe(0);
  });
});

describe('latency of an attempt', () => {
  it('of a quick failure does not make the endpoint attractive', () => {
    const cluster = clusterOf(2);
    const [endpoint] = cluster.endpoints;
    beginAttempt(endpoint);
    endAttempt(cluster, endpoint, 'success', 20, 0, noJitter);
    beginAttempt(endpoint);
    endAttempt(cluster, endpoint, 'failure', 0.1, 0, noJitter);
    expect(endpoint.latencyMs).toBe(20);
    expect(cluster.typicalMs).toBe(20);
  });

  it('is not noted without an answer', () => {
    const cluster = clusterOf(2);
    const [endpoint] = cluster.endpoints;
    beginAttempt(endpoint);
    endAttempt(cluster, endpoint, 'failure', -1, 0, noJitter);
    expect(endpoint.observedAt).toBeNaN();
  });
});

describe('isServerFailure', () => {
  it.each([
    [200, -1, false],
    [404, -1, false],
    [429, -1, false],
    [500, -1, true],
    [503, -1, true],
    [200, 0, false],
    [200, 5, false],
    [200, 8, false],
    [200, 13, true],
    [200, 14, true],
  ])('of %i with gRPC status %i is %s', (status, grpcStatus, failure) => {
    expect(isServerFailure(status, grpcStatus)).toBe(failure);
  });
});
