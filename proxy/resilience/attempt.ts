/** Bookkeeping of one try on one endpoint: in-flight count, latency and the run of failures, each told once. */
import type { Cluster } from '../cluster/cluster.ts';
import type { Endpoint } from '../cluster/endpoint.ts';
import { expectedLatency, observeLatency } from '../load-balancer/peak-ewma.ts';
import { recordFailure, recordSuccess } from './outlier-detection.ts';

/**
 * How an attempt ended, as far as the endpoint is to blame.
 *  - `success`: an answer that is not a server failure; a refusal by GOAWAY or REFUSED_STREAM does not count as success.
 *  - `failure`: no connection, a reset before the answer, a timeout, or a status of {@link isServerFailure}.
 *  - `neutral`: says nothing of the endpoint (the client went away, refused stream, own limit).
 */
export type AttemptOutcome = 'success' | 'failure' | 'neutral';

/** To be called right after the pick. */
export function beginAttempt(endpoint: Endpoint): void {
  endpoint.active++;
}

/**
 * To be called once for every begun attempt, when nothing of it is in flight any more. `latencyMs` is the time from the
 * pick to the response head, of a timeout the time waited, or -1 without either. Returns whether the endpoint was ejected by it.
 */
export function endAttempt(
  cluster: Cluster,
  endpoint: Endpoint,
  outcome: AttemptOutcome,
  latencyMs: number,
  now: number,
  random: () => number,
): boolean {
  endpoint.active--;
  if (latencyMs >= 0 && outcome !== 'neutral') {
    // A quick failure must not make the endpoint attractive.
    const sample =
      outcome === 'success'
        ? latencyMs
        : Math.max(latencyMs, expectedLatency(endpoint, cluster.typicalMs, now));
    observeLatency(endpoint, sample, now);
    if (outcome === 'success') cluster.observe(latencyMs);
  }
  if (outcome === 'success') recordSuccess(endpoint);
  else if (outcome === 'failure') return recordFailure(cluster, endpoint, now, random);
  return false;
}

/** Statuses that count against the endpoint: 5xx, and for gRPC what means the server is at fault. */
export function isServerFailure(status: number, grpcStatus: number): boolean {
  if (status >= 500) return true;
  switch (grpcStatus) {
    case 2: // UNKNOWN: what servers answer for an uncaught exception
    case 4: // DEADLINE_EXCEEDED
    case 13: // INTERNAL
    case 14: // UNAVAILABLE
    case 15: // DATA_LOSS
      return true;
    default:
      return false;
  }
}
