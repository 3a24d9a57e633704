/** What the failure of an attempt means: for the endpoint, for a retry, and for the client. */
import type { FailureCode } from '../../api/failure.ts';
import type { RetryReason } from '../cluster/service-counters.ts';
import type { AttemptOutcome } from '../resilience/attempt.ts';
import type { PoolFailure } from '../upstream/wait-queue.ts';
import * as fields from './fields.ts';
import type { FieldLines, ResetReason } from './stream.ts';

export interface AttemptFailure {
  /** null: another attempt would fail in the same way. */
  readonly reason: RetryReason | null;
  readonly outcome: AttemptOutcome;
  readonly code: FailureCode;
}

const connectionFailures: Readonly<Record<PoolFailure, AttemptFailure>> = {
  refused: { reason: 'connect-failed', outcome: 'failure', code: 'CONNECT_FAILED' },
  timeout: { reason: 'connect-failed', outcome: 'failure', code: 'CONNECT_TIMEOUT' },
  identity: { reason: 'connect-failed', outcome: 'failure', code: 'PEER_IDENTITY' },
  // The endpoint does not accept us: not a fault of its own (RELIABILITY §4.4).
  rejected: { reason: 'connect-failed', outcome: 'neutral', code: 'CONNECT_FAILED' },
  removed: { reason: 'refused', outcome: 'neutral', code: 'CONNECT_FAILED' },
  'no-certificate': { reason: null, outcome: 'neutral', code: 'CONFIG_UNAVAILABLE' },
  exhausted: { reason: null, outcome: 'neutral', code: 'OVERFLOW' },
  overflow: { reason: null, outcome: 'neutral', code: 'OVERFLOW' },
};

export function connectionFailure(failure: PoolFailure): AttemptFailure {
  return connectionFailures[failure];
}

const resets: Readonly<Record<ResetReason, AttemptFailure>> = {
  // Nothing of it was processed, which the client's sidecar can tell by the code (isNotProcessed).
  refused: { reason: 'refused', outcome: 'neutral', code: 'CONNECT_FAILED' },
  cancelled: { reason: 'reset', outcome: 'failure', code: 'UPSTREAM_RESET' },
  'connection-closed': { reason: 'reset', outcome: 'failure', code: 'UPSTREAM_RESET' },
  'protocol-error': { reason: 'reset', outcome: 'failure', code: 'UPSTREAM_PROTOCOL' },
  'internal-error': { reason: 'reset', outcome: 'failure', code: 'UPSTREAM_RESET' },
  limit: { reason: null, outcome: 'neutral', code: 'UPSTREAM_LIMIT' },
  timeout: { reason: 'reset', outcome: 'failure', code: 'UPSTREAM_RESET' },
};

/** A reset before the response head. */
export function resetFailure(reason: ResetReason): AttemptFailure {
  return resets[reason];
}

/** The server closed a kept connection at the moment at which the request was sent on it (RFC 9112 §9.3.1). */
export const STALE_CONNECTION: AttemptFailure = {
  reason: 'refused',
  outcome: 'neutral',
  code: 'UPSTREAM_RESET',
};

export const ATTEMPT_TIMEOUT: AttemptFailure = {
  reason: 'timeout',
  outcome: 'failure',
  code: 'ATTEMPT_TIMEOUT',
};

/** Failures with which the sidecar of an endpoint says that its application has seen nothing of the request. */
const NOT_PROCESSED = [
  'CONNECT_FAILED;',
  'CONNECT_TIMEOUT;',
  'DRAINING;',
  'OVERFLOW;',
  'CONFIG_UNAVAILABLE;',
];

/**
 * Whether an answer of a meshed endpoint means that nothing was processed. Only its sidecar can say so: it removes the
 * field from the application's own answers.
 */
export function isNotProcessed(lines: FieldLines): boolean {
  const value = fields.get(lines, 'tulle-error');
  return value !== '' && NOT_PROCESSED.some(code => value.startsWith(code));
}
