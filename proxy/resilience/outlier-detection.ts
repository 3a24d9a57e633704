/**
 * Passive health: an endpoint that fails several times in a row gets no traffic for a while, longer each time. When it
 * is back it takes one attempt at a time until one succeeds; a failure of that probe ejects it again at once.
 */
import type { Cluster } from '../cluster/cluster.ts';
import type { Endpoint } from '../cluster/endpoint.ts';

/** Ejections last up to this share longer, so that endpoints ejected together do not return together. */
const JITTER = 0.1;

/** Ends the run of failures and the probe; an ejection goes on, since the attempt may have begun before it. */
export function recordSuccess(endpoint: Endpoint): void {
  endpoint.consecutiveFailures = 0;
  endpoint.probing = false;
}

/** Returns whether the endpoint was ejected. */
export function recordFailure(
  cluster: Cluster,
  endpoint: Endpoint,
  now: number,
  random: () => number,
): boolean {
  endpoint.consecutiveFailures++;
  const { consecutiveFailures } = cluster.config.outlier;
  if (consecutiveFailures === 0 || endpoint.removed || endpoint.ejectedUntil > now) return false;
  if (endpoint.consecutiveFailures < consecutiveFailures && !endpoint.probing) return false;
  if (!mayEject(cluster, now)) return false;
  eject(cluster, endpoint, now, random);
  return true;
}

/** Whether one more ejection stays within the allowed share of the cluster; the last endpoint is never ejected. */
function mayEject(cluster: Cluster, now: number): boolean {
  cluster.view(now);
  const total = cluster.endpoints.length;
  if (total < 2) return false;
  const allowed = Math.max(1, Math.floor(cluster.config.outlier.maxEjectedFraction * total));
  return cluster.ejected + 1 <= Math.min(allowed, total - 1);
}

function eject(cluster: Cluster, endpoint: Endpoint, now: number, random: () => number): void {
  const { baseEjectionMs, maxEjectionMs } = cluster.config.outlier;
  // Healthy for as long as the longest ejection: it begins anew.
  if (now - endpoint.returnedAt > maxEjectionMs) endpoint.ejections = 0;
  const length = Math.min(maxEjectionMs, baseEjectionMs * 2 ** Math.min(endpoint.ejections, 30));
  endpoint.ejections++;
  endpoint.ejectedUntil = now + length * (1 + JITTER * random());
  endpoint.returnedAt = endpoint.ejectedUntil;
  endpoint.consecutiveFailures = 0;
  endpoint.probing = false;
  cluster.counters.ejections++;
  cluster.invalidate();
}
