import type { Cluster } from '../cluster/cluster.ts';

/** Takes a place for one request with all its attempts at the time `now`; false if `maxRequests` are in flight (OVERFLOW). */
export function admitRequest(cluster: Cluster, now: number): boolean {
  const { maxRequests } = cluster.config;
  if (maxRequests !== 0 && cluster.activeRequests >= maxRequests) return false;
  cluster.activeRequests++;
  cluster.retryRate?.requested(now);
  return true;
}

/** Gives the place back; once for every admitted request. */
export function releaseRequest(cluster: Cluster): void {
  cluster.activeRequests--;
  cluster.released();
}
