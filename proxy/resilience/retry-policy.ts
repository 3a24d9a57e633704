import type { Cluster } from '../cluster/cluster.ts';
import type { RetryDenial, RetryReason } from '../cluster/service-counters.ts';
import * as fields from '../exchange/fields.ts';
import type { RequestHead } from '../exchange/stream.ts';
import type { RetryConfig } from '../route/route-config.ts';
import { hasRetryBudget } from './retry-budget.ts';

/** Attempts after the first for requests that no endpoint can have processed, where the route does not say. */
export const SAFE_ATTEMPTS = 4;

/** A longer wait demanded by the endpoint is not made: its answer is passed on, and the client decides. */
export const MAX_RETRY_AFTER_MS = 5000;

const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** An attempt that did not give the answer wanted. The exchange may implement it with its own fields. */
export interface FailedAttempt {
  /**
   * `refused` and `connect-failed`: no byte was processed. `reset`: the stream ended before the response head. `timeout`:
   * the time of one attempt ran out. `status`, `grpc-status`: an answer, not yet passed on.
   */
  readonly reason: RetryReason;
  /** A `reset` of which nothing was read, most likely, and that does no harm to repeat: one retry needs no rule. */
  readonly unread: boolean;
  /** HTTP status, 0 without an answer. */
  readonly status: number;
  /** gRPC status of a trailers-only answer, -1 without one. */
  readonly grpcStatus: number;
  /** Attempts made, the first included. */
  readonly attempts: number;
  /** The whole body received so far is kept for replay. */
  readonly replayable: boolean;
  /** What the answer demands ({@link retryAfterMs}), -1 without it. */
  readonly retryAfterMs: number;
  /** Clock time at which the request must be over; Infinity for none. */
  readonly deadline: number;
}

export type RetryDecision = 'retry' | RetryDenial;

/**
 * Whether a failed attempt is followed by another (DESIGN §3.5). Changes nothing: who gets 'retry' takes it out of the
 * budget with `takeRetry`, and counts a denial with {@link denyRetry}.
 */
export function shouldRetry(
  attempt: FailedAttempt,
  retry: RetryConfig | null,
  head: RequestHead,
  cluster: Cluster,
  now: number,
): RetryDecision {
  const safe = attempt.reason === 'refused' || attempt.reason === 'connect-failed';
  const allowed = attemptsWithoutRule(attempt, retry);
  const needsRule = !safe && attempt.attempts > allowed;
  if (needsRule && !isRetriable(attempt, retry)) return 'not-retriable';
  if (needsRule && retry !== null && !mayRepeat(attempt, retry, head)) return 'method';
  if (attempt.attempts > Math.max(allowed, retry === null ? 0 : retry.attempts)) return 'attempts';
  if (!attempt.replayable) return 'body';
  if (attempt.retryAfterMs > MAX_RETRY_AFTER_MS) return 'retry-after';
  if (now + Math.max(0, attempt.retryAfterMs) >= attempt.deadline) return 'deadline';
  return isMove(attempt, cluster) || hasRetryBudget(cluster, now) ? 'retry' : 'budget';
}

/** A refused request is no attempt that the route counts: its endpoint says that it has not begun with it. */
function attemptsWithoutRule({ reason, unread }: FailedAttempt, retry: RetryConfig | null): number {
  if (reason === 'refused') return SAFE_ATTEMPTS;
  if (reason === 'connect-failed') return retry === null || retry.attempts === 0 ? SAFE_ATTEMPTS : 0;
  return unread ? 1 : 0;
}

/** Every gRPC call is a POST: who names its statuses means calls. */
function mayRepeat({ reason }: FailedAttempt, retry: RetryConfig, head: RequestHead): boolean {
  return retry.anyMethod || reason === 'grpc-status' || isRepeatable(head);
}

/**
 * The first try of a request that nobody has processed on another endpoint, or on another connection where this one was
 * refused, adds nothing to the load of the service, which the budget is for. When a pod ends, a burst that is on its way
 * to it would otherwise lose all that exceeds the budget.
 */
function isMove({ reason, attempts }: FailedAttempt, { endpoints }: Cluster): boolean {
  return attempts === 1 && (reason === 'refused' || (reason === 'connect-failed' && endpoints.length > 1));
}

/** Counts a denial; 'not-retriable' is the usual answer of a request without retries and not counted. */
export function denyRetry(cluster: Cluster, denial: RetryDenial): void {
  if (denial !== 'not-retriable') cluster.counters.retriesDenied[denial]++;
}

function isRetriable(attempt: FailedAttempt, retry: RetryConfig | null): boolean {
  if (retry === null) return false;
  switch (attempt.reason) {
    case 'refused':
    case 'connect-failed':
      return true;
    case 'reset':
      return retry.onReset;
    case 'timeout':
      return retry.onReset || retry.statuses.includes(504);
    case 'status':
      return retry.statuses.includes(attempt.status);
    case 'grpc-status':
      return retry.grpcStatuses.includes(attempt.grpcStatus);
  }
}

/** Idempotent by its method (RFC 9110 §9.2.2), or because the client says so. */
export function isRepeatable(head: RequestHead): boolean {
  return IDEMPOTENT.has(head.method) || fields.has(head.fields, 'idempotency-key');
}
