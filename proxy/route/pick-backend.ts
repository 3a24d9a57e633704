import type { Cluster } from '../cluster/cluster.ts';

/** What a choice by weight needs of a backend. */
interface WeightedBackend {
  /** null if the backend is invalid. */
  readonly cluster: Cluster | null;
  readonly weight: number;
}

/** A rule whose traffic is divided. */
interface Divided<B extends WeightedBackend> {
  readonly backends: readonly B[];
  /** Upper bound of each backend's share in [0, 1), cumulative; backends of weight 0 have an empty share. */
  readonly bounds: readonly number[];
}

/**
 * Backend for a random number in [0, 1), by weight. null if it is invalid, or if no backend has a weight: answer
 * INVALID_BACKEND. Invalid backends take their share of the requests (Gateway API, HTTPBackendRef).
 */
export function pickBackend<B extends WeightedBackend>(route: Divided<B>, random: number): B | null {
  const { backends, bounds } = route;
  for (let i = 0; i < bounds.length; i++) {
    if (random < bounds[i]) return backends[i].cluster === null ? null : backends[i];
  }
  return null;
}

/** Upper bounds of the shares, for {@link pickBackend}; empty if no backend has a weight. */
export function boundsOf(backends: readonly WeightedBackend[]): number[] {
  const total = backends.reduce((sum, backend) => sum + backend.weight, 0);
  if (total === 0) return [];
  const last = backends.findLastIndex(backend => backend.weight > 0);
  let sum = 0;
  return backends.map((backend, i) => {
    sum += backend.weight;
    // Rounding must not leave a gap below 1, nor give one to a backend of weight 0.
    return i >= last ? 1 : sum / total;
  });
}
