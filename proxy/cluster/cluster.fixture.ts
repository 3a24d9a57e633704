/** Configurations for tests and benchmarks. */

import { Cluster } from './cluster.ts';
import type { ClusterConfig, EndpointConfig, EndpointsConfig, WorkloadLabels } from './cluster-config.ts';

export const unknownWorkload: WorkloadLabels = {
  workload: '',
  namespace: '',
  principal: '',
  app: '',
  version: '',
  canonicalService: '',
  canonicalRevision: '',
};

export function clusterConfig(overrides: Partial<ClusterConfig> = {}): ClusterConfig {
  return {
    name: 'service/default/echo:80',
    version: '1',
    service: { host: 'echo.default.svc.cluster.local', name: 'echo', namespace: 'default' },
    protocol: 'http1',
    connectTimeoutMs: 1000,
    balancing: 'peak-ewma',
    outlier: {
      consecutiveFailures: 5,
      baseEjectionMs: 1000,
      maxEjectionMs: 60_000,
      maxEjectedFraction: 0.5,
    },
    retryBudget: { fraction: 0.2, min: 3, rate: null },
    maxConnections: 0,
    maxRequests: 0,
    session: null,
    backendTls: null,
    ...overrides,
  };
}

export function endpointConfig(number: number, overrides: Partial<EndpointConfig> = {}): EndpointConfig {
  return {
    address: `10.0.${number >> 8}.${number & 255}`,
    port: 8080,
    meshed: false,
    identity: '',
    weight: 1,
    priority: 0,
    zone: '',
    labels: unknownWorkload,
    ...overrides,
  };
}

export function endpointsConfig(endpoints: readonly EndpointConfig[], version = '1'): EndpointsConfig {
  return { name: 'service/default/echo:80', version, endpoints };
}

/** A cluster of `count` equal endpoints. */
export function clusterOf(count: number, overrides: Partial<ClusterConfig> = {}): Cluster {
  const cluster = new Cluster(clusterConfig(overrides));
  cluster.updateEndpoints(endpointsConfig(Array.from({ length: count }, (_, i) => endpointConfig(i))));
  return cluster;
}

/** Reproducible numbers in [0, 1) (xorshift32). */
export function seededRandom(seed: number): () => number {
  let state = (seed | 0) === 0 ? 1 : seed | 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}
