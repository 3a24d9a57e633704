/** The attempts of a request: which endpoint is next, a connection to it, and whether another one follows. */
import type { Cluster } from '../cluster/cluster.ts';
import type { Endpoint } from '../cluster/endpoint.ts';
import type { RetryDenial, RetryReason } from '../cluster/service-counters.ts';
import type { AttemptOutcome } from '../resilience/attempt.ts';
import { retryDelay } from '../resilience/retry-backoff.ts';
import { takeRetry } from '../resilience/retry-budget.ts';
import { denyRetry, shouldRetry } from '../resilience/retry-policy.ts';
import type { HttpTransportKind } from '../upstream/endpoint-pools.ts';
import type { PoolFailure } from '../upstream/wait-queue.ts';
import { Attempt } from './attempt.ts';
import { ATTEMPT_TIMEOUT, type AttemptFailure, connectionFailure } from './attempt-failure.ts';
import type { Exchange } from './exchange.ts';
import { endByTimeout, endWithFailure, settle } from './exchange-end.ts';
import { NEVER } from './timer-wheel.ts';

const NONE: readonly Endpoint[] = [];

/** Begins the next attempt: the endpoint of the session, or one that was not tried yet if there is one. */
export function beginNextAttempt(exchange: Exchange): void {
  const { clock, random } = exchange.context;
  const cluster = exchange.cluster as Cluster;
  const now = clock.now();
  const endpoint = endpointOfSession(exchange, now) ?? cluster.pick(exchange.tried ?? NONE, random, now);
  if (endpoint === null) return noEndpoint(exchange, cluster, now);
  exchange.attempts++;
  const attempt = new Attempt(exchange, cluster, endpoint, exchange.retryTaken);
  exchange.retryTaken = false;
  exchange.attempt = attempt;
  const perTryMs = exchange.forwardRoute?.retry?.perTryTimeoutMs ?? 0;
  exchange.attemptDeadline = perTryMs > 0 && !exchange.asksTunnel ? now + perTryMs : NEVER;
  connect(exchange, attempt, exchange.direction.transport(exchange, cluster, endpoint), now);
}

/** null without a session, and where its endpoint is gone or fails: another one takes over. */
function endpointOfSession(exchange: Exchange, now: number): Endpoint | null {
  const endpoint = exchange.stays ? exchange.sessionEndpoint : null;
  return endpoint === null || endpoint.removed || endpoint.ejectedUntil > now ? null : endpoint;
}

function noEndpoint(exchange: Exchange, cluster: Cluster, now: number): void {
  const waitMs = exchange.context.emptyClusters.wait(cluster, now);
  if (waitMs > 0) wait(exchange, waitMs, now);
  else endWithFailure(exchange, 'NO_HEALTHY_ENDPOINT', false);
}

function connect(exchange: Exchange, attempt: Attempt, kind: HttpTransportKind, now: number): void {
  const { cluster, endpoint } = attempt;
  attempt.kind = kind;
  const pooled = exchange.context.connections.acquire(cluster, endpoint, kind, attempt);
  if (pooled !== null) return attempt.onConnection(pooled);
  exchange.state = 'connecting';
  // The pool reports a connection that cannot be opened; this ends the wait where all are busy.
  exchange.stateDeadline = Math.min(exchange.attemptDeadline, now + 2 * cluster.config.connectTimeoutMs);
  exchange.arm();
}

/** A server without extended CONNECT, or without HTTP/2, may take the tunnel in HTTP/1.1, as all did before RFC 8441. */
export function connectInHttp1(exchange: Exchange, attempt: Attempt): void {
  connect(exchange, attempt, 'http1', exchange.context.clock.now());
}

export function attemptUnconnected(exchange: Exchange, attempt: Attempt, failure: PoolFailure): void {
  if (exchange.asksTunnel && attempt.kind === 'http2') connectInHttp1(exchange, attempt);
  else attemptFailed(exchange, connectionFailure(failure));
}

/** The attempt has given no answer. */
export function attemptFailed(exchange: Exchange, failure: AttemptFailure): void {
  const { reason, outcome, unread } = failure;
  const elsewhere = reason === 'connect-failed' || unread;
  const again = reason !== null && (!elsewhere || exchange.direction.retriesConnections);
  if (again && retry(exchange, reason, unread, outcome, 0, -1, -1)) return;
  settle(exchange, outcome);
  endWithFailure(exchange, failure.code, exchange.attempts > 1);
}

/**
 * Begins another attempt, or says that the budget does not allow it; false if the failure stands. The parameters are
 * those of `FailedAttempt`, and what the failure is to the endpoint.
 */
export function retry(
  exchange: Exchange,
  reason: RetryReason,
  unread: boolean,
  outcome: AttemptOutcome,
  status: number,
  grpcStatus: number,
  retryAfter: number,
): boolean {
  const { body, deadline, attempts } = exchange;
  const cluster = exchange.cluster as Cluster;
  const rule = exchange.forwardRoute?.retry ?? null;
  const now = exchange.context.clock.now();
  const replayable = body === null ? exchange.requestBytes === 0 : body.intact;
  const decision = shouldRetry(
    { reason, unread, status, grpcStatus, attempts, replayable, retryAfterMs: retryAfter, deadline },
    rule,
    exchange.head,
    cluster,
    now,
  );
  if (decision !== 'retry') return endDenied(exchange, cluster, decision, outcome);
  const attempt = exchange.attempt as Attempt;
  attempt.cancel('cancelled');
  settle(exchange, outcome);
  takeRetry(cluster, reason, now);
  exchange.retryTaken = true;
  const tried = (exchange.tried ??= []);
  tried.push(attempt.endpoint);
  // An endpoint that answers keeps its sessions; one that does not has lost them.
  if (reason === 'refused' || reason === 'connect-failed' || reason === 'reset') exchange.stays = false;
  const unseen = reason === 'refused' || reason === 'connect-failed' || unread;
  const elsewhere = unseen && tried.length < cluster.endpoints.length;
  wait(exchange, retryDelay(rule, attempts - 1, elsewhere, retryAfter, exchange.context.random), now);
  return true;
}

/** A policy that limits retries wants it to be seen (GEP-3388); every other denial leaves the failure as it is. */
function endDenied(
  exchange: Exchange,
  cluster: Cluster,
  denial: RetryDenial,
  outcome: AttemptOutcome,
): boolean {
  denyRetry(cluster, denial);
  if (denial !== 'budget' || cluster.retryRate === null) return false;
  exchange.attempt?.cancel('cancelled');
  settle(exchange, outcome);
  endWithFailure(exchange, 'RETRY_BUDGET', false);
  return true;
}

function wait(exchange: Exchange, delayMs: number, now: number): void {
  if (delayMs <= 0) return beginNextAttempt(exchange);
  exchange.state = 'waiting';
  exchange.stateDeadline = now + delayMs;
  exchange.arm();
}

/** The time of the exchange, or of its present state, is over. */
export function deadlinePassed(exchange: Exchange): void {
  const now = exchange.context.clock.now();
  if (now >= exchange.deadline) return endByTimeout(exchange, 'REQUEST_TIMEOUT');
  if (now < exchange.stateDeadline) return exchange.arm();
  switch (exchange.state) {
    case 'waiting':
      exchange.stateDeadline = NEVER;
      return beginNextAttempt(exchange);
    case 'connecting': {
      const attemptOver = now >= exchange.attemptDeadline;
      exchange.attempt?.cancel(attemptOver ? 'timeout' : 'cancelled');
      return attemptFailed(exchange, attemptOver ? ATTEMPT_TIMEOUT : connectionFailure('overflow'));
    }
    case 'requesting':
      exchange.attempt?.cancel('timeout');
      return attemptFailed(exchange, ATTEMPT_TIMEOUT);
    case 'responding':
      return endByTimeout(exchange, 'ATTEMPT_TIMEOUT');
    case 'routing':
    case 'tunnel':
    case 'done':
      return;
  }
}
