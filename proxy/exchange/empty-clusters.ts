import type { Cluster } from '../cluster/cluster.ts';

/** A request waits at most this long for an endpoint to appear. */
const PATIENCE_MS = 1000;
/** Between two looks at the cluster. */
const LOOK_MS = 20;

/**
 * How long to wait for endpoints of a cluster that has none. Between the configuration of a destination and its first
 * endpoint, and between the last pod of a Service and the next, there are moments; a request need not fail for them.
 * A cluster that has been empty for longer fails requests at once, so that they do not pile up.
 */
export class EmptyClusters {
  readonly #since = new WeakMap<Cluster, { version: string; at: number }>();

  /** Milliseconds until the next look, 0 if waiting is of no use any more. Called when there was no endpoint to pick. */
  wait(cluster: Cluster, now: number): number {
    const version = cluster.endpointsVersion;
    let since = this.#since.get(cluster);
    if (since === undefined || since.version !== version) {
      since = { version, at: now };
      this.#since.set(cluster, since);
    }
    return now - since.at < PATIENCE_MS ? LOOK_MS : 0;
  }
}
