/** What the failure of an attempt means: for the endpoint, for a retry, and for the client. */
import { answerLost, type FailureCode, failureHeader, failures, notProcessed } from '../../api/failure.ts';
import type { RetryReason } from '../cluster/service-counters.ts';
import type { AttemptOutcome } from '../resilience/attempt.ts';
import { isRepeatable } from '../resilience/retry-policy.ts';
import type { PoolFailure } from '../upstream/wait-queue.ts';
import * as fields from './fields.ts';
import type { FieldLines, RequestHead, ResetReason } from './stream.ts';

export interface AttemptFailure {
  /** null: another attempt would fail in the same way. */
  readonly reason: RetryReason | null;
  /** The endpoint has most likely not read the request, and to repeat it does no harm: see {@link UNREAD}. */
  readonly unread: boolean;
  readonly outcome: AttemptOutcome;
  readonly code: FailureCode;
}

function failure(
  reason: RetryReason | null,
  outcome: AttemptOutcome,
  code: FailureCode,
  unread = false,
): AttemptFailure {
  return { reason, unread, outcome, code };
}

const connectionFailures: Readonly<Record<PoolFailure, AttemptFailure>> = {
  refused: failure('connect-failed', 'failure', 'CONNECT_FAILED'),
  timeout: failure('connect-failed', 'failure', 'CONNECT_TIMEOUT'),
  identity: failure('connect-failed', 'failure', 'PEER_IDENTITY'),
  // The endpoint does not accept us: not a fault of its own (RELIABILITY §4.4).
  rejected: failure('connect-failed', 'neutral', 'PEER_REJECTED'),
  removed: failure('refused', 'neutral', 'CONNECT_FAILED'),
  'no-certificate': failure(null, 'neutral', 'CONFIG_UNAVAILABLE'),
  exhausted: failure(null, 'neutral', 'OVERFLOW'),
  overflow: failure(null, 'neutral', 'OVERFLOW'),
  'backend-certificate': failure('connect-failed', 'failure', 'BACKEND_CERTIFICATE'),
  'backend-tls': failure('connect-failed', 'failure', 'BACKEND_TLS'),
  'backend-policy': failure(null, 'neutral', 'BACKEND_TLS_POLICY'),
};

export function connectionFailure(reason: PoolFailure): AttemptFailure {
  return connectionFailures[reason];
}

const resets: Readonly<Record<ResetReason, AttemptFailure>> = {
  // Nothing of it was processed, which the client's sidecar can tell by the code (peerFailure).
  refused: failure('refused', 'neutral', 'CONNECT_FAILED'),
  cancelled: failure('reset', 'failure', 'STREAM_RESET'),
  'connection-closed': failure('reset', 'failure', 'UPSTREAM_RESET'),
  'connection-reset': failure('reset', 'failure', 'CONNECTION_RESET'),
  'connection-lost': failure('reset', 'failure', 'CONNECTION_LOST'),
  'protocol-error': failure('reset', 'failure', 'UPSTREAM_PROTOCOL'),
  'internal-error': failure('reset', 'failure', 'STREAM_RESET'),
  limit: failure(null, 'neutral', 'UPSTREAM_LIMIT'),
  timeout: failure('timeout', 'failure', 'IDLE_TIMEOUT'),
};

/**
 * A reset connection without a byte of an answer, for a request that may be repeated (RFC 9110 §9.2.2). The kernel sends
 * RST, and not FIN, where a process ends with bytes that it has not read, or leaves connections that it has not accepted:
 * what an application that ends does to the requests that still reach it. So one more attempt is made without a rule of the
 * route, as RFC 9112 §9.3.1 allows to any client, and within the retry budget. An application that dies of a request has
 * read it, and its kernel sends FIN: such a request is not handed to the next.
 */
const UNREAD = failure('reset', 'failure', 'CONNECTION_RESET', true);

/** The server closed a kept connection at the moment at which the request was sent on it (RFC 9112 §9.3.1). */
const STALE_CONNECTION = failure('refused', 'neutral', 'UPSTREAM_RESET');

/** A reset before the response head. `kept`: an HTTP/1.1 connection that had carried requests before. */
export function resetFailure(reason: ResetReason, head: RequestHead, kept: boolean): AttemptFailure {
  const reset = reason === 'connection-reset';
  if ((!reset && reason !== 'connection-closed') || !isRepeatable(head)) return resets[reason];
  if (kept) return STALE_CONNECTION;
  return reset ? UNREAD : resets[reason];
}

/** What an answer that was cut off by such a reset is to be called. */
export function truncationCode(reason: ResetReason): FailureCode {
  return reason === 'connection-reset' ? 'UPSTREAM_RESET' : resets[reason].code;
}

export const ATTEMPT_TIMEOUT: AttemptFailure = failure('timeout', 'failure', 'ATTEMPT_TIMEOUT');

const codes: ReadonlyMap<string, FailureCode> = new Map(
  (Object.keys(failures) as FailureCode[]).map(code => [code, code]),
);

/**
 * The failure that the sidecar of a meshed endpoint gives as the reason of an answer of its own, '' for any other answer.
 * Only a sidecar can say so: it removes the field from the application's answers.
 */
export function peerFailure(lines: FieldLines): FailureCode | '' {
  const value = fields.get(lines, failureHeader);
  return value === '' ? '' : (codes.get(value.slice(0, value.indexOf(';'))) ?? '');
}

const peerReasons: ReadonlyMap<FailureCode, RetryReason> = new Map<FailureCode, RetryReason>([
  ...notProcessed.map(code => [code, 'connect-failed'] as const),
  ...answerLost.map(code => [code, 'reset'] as const),
  ['IDLE_TIMEOUT', 'timeout'],
]);

/** What a failure that the peer reports is to our retry policy; null if another attempt would fare no better. */
export function peerReason(code: FailureCode): RetryReason | null {
  return peerReasons.get(code) ?? null;
}
