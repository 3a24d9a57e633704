import type { Cluster } from '../cluster/cluster.ts';

/** Takes a place for one request with all its attempts; false if `maxRequests` are in flight (OVERFLOW). */
export function admitRequest(cluster: Cluster): boolean {
  const { maxRequests } = cluster.config;
  if (maxRequests !== 0 && cluster.activeRequests >= maxRequests) return false;
  cluster.activeRequests++;
  return true;
}

/** Gives the place back; once for every admitted request. */
export function releaseRequest(cluster: Cluster): void {
  cluster.activeRequests--;
}
