import { Cluster } from '../cluster/cluster.ts';
import type { ServiceLabels } from '../cluster/cluster-config.ts';
import { UNKNOWN_WORKLOAD } from './edges.ts';

/**
 * A cluster of one known address outside the mesh: the application behind the sidecar, or a destination that the control
 * plane does not know. Nothing is ejected, and only what was certainly not processed is tried again.
 */
export function fixedCluster(
  name: string,
  address: string,
  port: number,
  service: ServiceLabels,
  connectTimeoutMs: number,
): Cluster {
  const cluster = new Cluster({
    name,
    version: '',
    service,
    protocol: 'auto',
    connectTimeoutMs,
    balancing: 'random',
    outlier: { consecutiveFailures: 0, baseEjectionMs: 0, maxEjectionMs: 0, maxEjectedFraction: 0 },
    retryBudget: { fraction: 0.2, min: 3, rate: null },
    maxConnections: 0,
    maxRequests: 0,
    session: null,
    backendTls: null,
  });
  cluster.updateEndpoints({
    name,
    version: '',
    endpoints: [
      {
        address,
        port,
        meshed: false,
        identity: '',
        weight: 1,
        priority: 0,
        zone: '',
        labels: UNKNOWN_WORKLOAD,
      },
    ],
  });
  return cluster;
}

/** Clusters of destinations outside the mesh, made when they are first called; the one not used longest goes first. */
export class PassthroughClusters {
  readonly #clusters = new Map<string, Cluster>();
  readonly #connectTimeoutMs: number;
  readonly #max: number;

  constructor(connectTimeoutMs: number, max = 1024) {
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#max = max;
  }

  get(host: string, port: number): Cluster {
    const key = `${host}|${port}`;
    const known = this.#clusters.get(key);
    if (known !== undefined) {
      this.#clusters.delete(key);
      this.#clusters.set(key, known);
      return known;
    }
    const cluster = fixedCluster(PASSTHROUGH.name, host, port, PASSTHROUGH, this.#connectTimeoutMs);
    this.#clusters.set(key, cluster);
    if (this.#clusters.size > this.#max) this.#forgetOldest();
    return cluster;
  }

  #forgetOldest(): void {
    for (const [key, cluster] of this.#clusters) {
      this.#clusters.delete(key);
      cluster.retire();
      return;
    }
  }
}

/** Istio's name for it, which its boards know. */
const PASSTHROUGH: ServiceLabels = { host: '', name: 'PassthroughCluster', namespace: '' };
