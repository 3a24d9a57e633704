/**
 * Retries may be a fraction of what is going on, so that they cannot multiply the load of a service that is failing.
 * Exact counts of what is in flight, not a rate: there is no window to tune and nothing to decay. Only where a policy
 * gives a window (GEP-3388) is it counted by time.
 */
import type { Cluster } from '../cluster/cluster.ts';
import type { RetryReason } from '../cluster/service-counters.ts';

/** Whether one more retry fits: fewer than the fraction of active requests, or than the minimum; or the policy's rate. */
export function hasRetryBudget(cluster: Cluster, now: number): boolean {
  if (cluster.retryRate !== null) return cluster.retryRate.allows(now);
  const { fraction, min } = cluster.config.retryBudget;
  return cluster.activeRetries < Math.max(min, Math.floor(fraction * cluster.activeRequests));
}

/** Takes a retry out of the budget, from the decision to the end of its attempt, waiting included. */
export function takeRetry(cluster: Cluster, reason: RetryReason, now: number): void {
  cluster.retryRate?.retried(now);
  cluster.activeRetries++;
  cluster.counters.retries[reason]++;
}

/** Gives it back; once for every retry taken. */
export function returnRetry(cluster: Cluster): void {
  cluster.activeRetries--;
}
