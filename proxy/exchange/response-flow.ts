/** The answer on its way from the endpoint to the client. */
import { failureHeader, failures } from '../../api/failure.ts';
import { isServerFailure } from '../resilience/attempt.ts';
import { retryAfterMs } from '../resilience/retry-backoff.ts';
import { isRepeatable } from '../resilience/retry-policy.ts';
import type { Attempt } from './attempt.ts';
import { peerFailure, peerReason, resetFailure, truncationCode } from './attempt-failure.ts';
import { attemptFailed, retry } from './attempts.ts';
import type { Exchange } from './exchange.ts';
import { abort, complete, noteFailure, settle } from './exchange-end.ts';
import * as fields from './fields.ts';
import { grpcStatusOf } from './request-kind.ts';
import type { FieldLines, ResetReason, ResponseHead } from './stream.ts';
import { NEVER } from './timer-wheel.ts';
import { cleanTrailers } from './trailer-fields.ts';
import { fitProof } from './upgrade-request.ts';

export function passResponse(exchange: Exchange, attempt: Attempt, head: ResponseHead, end: boolean): void {
  attempt.latencyMs = exchange.context.clock.now() - attempt.sentAt;
  if (exchange.grpc && end) exchange.grpcStatus = grpcStatusOf(head.fields);
  if (retriesAnswer(exchange, attempt, head)) return;
  exchange.status = head.status;
  if (opensTunnel(exchange, head.status)) openTunnel(exchange, head);
  else exchange.state = 'responding';
  if (exchange.mirrored) exchange.body?.drop();
  exchange.arm();
  exchange.direction.editResponse(exchange, head);
  const { route, backend, answerEdits } = exchange;
  if (route?.responseFields) fields.applyEdits(head.fields, route.responseFields);
  if (backend?.responseFields) fields.applyEdits(head.fields, backend.responseFields);
  if (answerEdits !== null) fields.applyEdits(head.fields, answerEdits);
  exchange.stream.respond(head, end);
  if (end) responseEnded(exchange);
}

function opensTunnel(exchange: Exchange, status: number): boolean {
  return exchange.asksTunnel && (status === 101 || (status < 300 && exchange.head.method === 'CONNECT'));
}

function openTunnel(exchange: Exchange, head: ResponseHead): void {
  exchange.state = 'tunnel';
  exchange.deadline = exchange.stateDeadline = NEVER;
  const { webSocketKey, stream } = exchange;
  if (webSocketKey !== '') fitProof(head.fields, webSocketKey, stream.connection.version);
}

/** Whether the answer is not passed on, because another attempt is made. */
function retriesAnswer(exchange: Exchange, attempt: Attempt, head: ResponseHead): boolean {
  const rule = exchange.forwardRoute?.retry ?? null;
  const { status } = head;
  const { grpcStatus } = exchange;
  if (status < 400 && grpcStatus <= 0) return false;
  const code = attempt.endpoint.proxied ? peerFailure(head.fields) : '';
  const told = code === '' ? null : peerReason(code);
  const untouched = told === 'connect-failed';
  let reason = told;
  if (!untouched && rule?.statuses.includes(status)) reason = 'status';
  else if (!untouched && grpcStatus > 0 && rule?.grpcStatuses.includes(grpcStatus)) reason = 'grpc-status';
  if (reason !== null) {
    const unread = code === 'CONNECTION_RESET' && isRepeatable(exchange.head);
    const retryAfter = untouched ? -1 : retryAfterMs(head.fields, exchange.context.clock.unix());
    const outcome = isServerFailure(status, grpcStatus) ? 'failure' : 'success';
    if (retry(exchange, reason, unread, outcome, status, grpcStatus, retryAfter)) {
      exchange.grpcStatus = -1;
      return true;
    }
  }
  const exhausted = reason !== null && exchange.attempts > 1;
  if (code !== '') noteFailure(exchange, code, exhausted);
  else if (exhausted) exchange.flags = 'URX';
  return false;
}

export function passResponseData(exchange: Exchange, attempt: Attempt, chunk: Buffer, end: boolean): void {
  exchange.responseBytes += chunk.length;
  const writable = exchange.stream.data(chunk, end);
  if (end) return responseEnded(exchange);
  if (writable && exchange.owedBytes === 0) attempt.stream?.consumed(chunk.length);
  else if (writable) creditEndpoint(exchange, attempt, chunk.length);
  else exchange.owedBytes += chunk.length;
}

/** The endpoint may send `bytes` more, and what is owed to it. */
function creditEndpoint(exchange: Exchange, attempt: Attempt, bytes: number): void {
  const owed = exchange.owedBytes + bytes;
  exchange.owedBytes = 0;
  attempt.stream?.consumed(owed);
}

/** The client takes bytes again. */
export function clientWritable(exchange: Exchange): void {
  const { attempt } = exchange;
  if (exchange.owedBytes > 0 && attempt !== null) creditEndpoint(exchange, attempt, 0);
}

export function passResponseTrailers(exchange: Exchange, attempt: Attempt, lines: FieldLines): void {
  if (exchange.grpc) exchange.grpcStatus = grpcStatusOf(lines);
  const code = exchange.grpcStatus > 0 && attempt.endpoint.proxied ? peerFailure(lines) : '';
  cleanTrailers(lines);
  if (code !== '') {
    noteFailure(exchange, code, false);
    lines.push(failureHeader, `${code}; ${failures[code].sentence}`);
  }
  exchange.stream.trailers(lines);
  responseEnded(exchange);
}

function responseEnded(exchange: Exchange): void {
  exchange.responseComplete = true;
  if (exchange.state !== 'tunnel' || exchange.requestComplete) complete(exchange);
}

export function endpointReset(exchange: Exchange, attempt: Attempt, reason: ResetReason): void {
  if (exchange.state === 'responding' || exchange.state === 'tunnel') return truncated(exchange, reason);
  const kept = attempt.onReusedConnection && attempt.pooled?.connection.version !== 20;
  attemptFailed(exchange, resetFailure(reason, exchange.head, kept));
}

/** The answer ended before its end; the client must see that. */
function truncated(exchange: Exchange, reason: ResetReason): void {
  settle(exchange, exchange.state === 'tunnel' ? 'neutral' : 'failure');
  abort(exchange, reason, truncationCode(reason));
}
