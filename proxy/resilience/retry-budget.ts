/**
 * Retries may be a fraction of what is going on, so that they cannot multiply the load of a service that is failing.
 * Exact counts of what is in flight, not a rate: there is no window to tune and nothing to decay.
 */
import type { Cluster } from '../cluster/cluster.ts';
import type { RetryReason } from '../cluster/service-counters.ts';

/** Whether one more retry fits: fewer than the fraction of active requests, or than the minimum. */
export function hasRetryBudget(cluster: Cluster): boolean {
  const { fraction, min } = cluster.config.retryBudget;
  return cluster.activeRetries < Math.max(min, Math.floor(fraction * cluster.activeRequests));
}

/** Takes a retry out of the budget, from the decision to the end of its attempt, waiting included. */
export function takeRetry(cluster: Cluster, reason: RetryReason): void {
  cluster.activeRetries++;
  cluster.counters.retries[reason]++;
}

/** Gives it back; once for every retry taken. */
export function returnRetry(cluster: Cluster): void {
  cluster.activeRetries--;
}
