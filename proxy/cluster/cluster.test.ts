import { describe, expect, it } from 'vitest';
import { admitRequest, releaseRequest } from '../resilience/request-limit.ts';
import { clusterConfig, clusterOf, endpointConfig, endpointsConfig } from './cluster.fixture.ts';
import { Cluster } from './cluster.ts';
import type { BackendTlsConfig } from './cluster-config.ts';
import type { Endpoint } from './endpoint.ts';

describe('Cluster', () => {
  it('keeps endpoints and what is known of them over updates', () => {
    const cluster = clusterOf(2);
    const [first] = cluster.endpoints;
    first.consecutiveFailures = 3;
    first.pool = 'pool';
    cluster.updateEndpoints(
      endpointsConfig([endpointConfig(5), endpointConfig(0, { weight: 7, priority: 1, zone: 'b' })], '2'),
    );
    expect(cluster.endpointsVersion).toBe('2');
    expect(cluster.endpoints[1]).toBe(first);
    expect(first).toMatchObject({ consecutiveFailures: 3, pool: 'pool', weight: 7, priority: 1, zone: 'b' });
  });

  it('has new endpoints when TLS to the application changes, and only then', () => {
    const cluster = clusterOf(2);
    const [plain] = cluster.endpoints;
    const backendTls = (serverName: string): BackendTlsConfig => ({
      kind: 'verified',
      serverName,
      names: [],
      authorities: null,
      clientTls: false,
    });
    const removed: Endpoint[] = [];
    plain.onRemoved = endpoint => removed.push(endpoint);
    cluster.update(clusterConfig({ backendTls: backendTls('a') }));
    const [secured] = cluster.endpoints;
    expect(removed).toEqual([plain]);
    expect([plain.removed, plain.backendTls, secured.backendTls]).toEqual([true, null, backendTls('a')]);
    const held = cluster.config.backendTls;
    cluster.update(clusterConfig({ version: '3', backendTls: backendTls('a') }));
    expect([cluster.endpoints[0], cluster.config.backendTls === held]).toEqual([secured, true]);
    cluster.updateEndpoints(endpointsConfig([endpointConfig(0), endpointConfig(7)], '4'));
    expect(cluster.endpoints.map(endpoint => endpoint.backendTls === held)).toEqual([true, true]);
    cluster.update(clusterConfig({ version: '5', backendTls: null }));
    expect([secured.removed, cluster.endpoints[0].backendTls, cluster.endpoints.length]).toEqual([
      true,
      null,
      2,
    ]);
  });

  it('takes the same address with another identity, or without a sidecar, for another endpoint', () => {
    const meshed = endpointConfig(0, { meshed: true, identity: 'spiffe://td/ns/a/sa/b' });
    const cluster = new Cluster(clusterConfig());
    cluster.updateEndpoints(endpointsConfig([meshed]));
    const [first] = cluster.endpoints;
    cluster.updateEndpoints(endpointsConfig([{ ...meshed, identity: 'spiffe://td/ns/a/sa/c' }]));
    const [second] = cluster.endpoints;
    expect(second).not.toBe(first);
    expect(first.removed).toBe(true);
    cluster.updateEndpoints(endpointsConfig([endpointConfig(0)]));
    expect(cluster.endpoints[0]).not.toBe(second);
  });

  it('tells endpoints that they are gone once, after the new list is in force', () => {
    const cluster = clusterOf(2);
    const [first, second] = cluster.endpoints;
    const gone: Endpoint[] = [];
    first.onRemoved = endpoint => {
      expect(cluster.endpoints).toEqual([second]);
      gone.push(endpoint);
    };
    cluster.updateEndpoints(endpointsConfig([endpointConfig(1)]));
    cluster.updateEndpoints(endpointsConfig([endpointConfig(1)]));
    expect(gone).toEqual([first]);
    expect(second.removed).toBe(false);
  });

  it('takes an endpoint that is listed twice once, as it is listed first', () => {
    const cluster = new Cluster(clusterConfig());
    const twice = endpointsConfig([endpointConfig(0, { weight: 2 }), endpointConfig(0, { weight: 3 })]);
    for (let i = 0; i < 2; i++) {
      cluster.updateEndpoints(twice);
      expect(cluster.endpoints.map(({ weight }) => weight)).toEqual([2]);
    }
  });

  it('picks nothing when it has retired', () => {
    const cluster = clusterOf(3);
    const endpoints = [...cluster.endpoints];
    cluster.retire();
    expect(endpoints.every(endpoint => endpoint.removed)).toBe(true);
    expect(cluster.pick([], Math.random, 0)).toBeNull();
  });

  it('picks for the requests and connections that it has when it retires, until they are over', () => {
    const cluster = clusterOf(2);
    const endpoints = [...cluster.endpoints];
    admitRequest(cluster, 0);
    cluster.connecting = 1;
    cluster.retire();
    expect(cluster.pick([], Math.random, 0)).not.toBeNull();
    releaseRequest(cluster);
    expect(cluster.pick([], Math.random, 0)).not.toBeNull();
    expect(endpoints.some(endpoint => endpoint.removed)).toBe(false);
    cluster.connecting = 0;
    cluster.released();
    expect(endpoints.every(endpoint => endpoint.removed)).toBe(true);
    expect(cluster.pick([], Math.random, 0)).toBeNull();
  });

  it('forgets cached series when the labels change, and only then', () => {
    const cluster = clusterOf(1);
    const [endpoint] = cluster.endpoints;
    endpoint.httpSeries = 'series' as never;
    cluster.updateEndpoints(endpointsConfig([endpointConfig(0, { labels: { ...endpoint.labels } })]));
    expect(endpoint.httpSeries).toBe('series');
    cluster.updateEndpoints(
      endpointsConfig([endpointConfig(0, { labels: { ...endpoint.labels, version: 'v2' } })]),
    );
    expect(endpoint.httpSeries).toBeNull();
  });

  it('knows what is typical after the first sample', () => {
    const cluster = clusterOf(1);
    cluster.observe(3);
    expect(cluster.typicalMs).toBe(3);
    cluster.observe(5);
    expect(cluster.typicalMs).toBe(4);
  });
});
