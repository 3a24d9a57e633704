/** The request on its way from the client to the endpoint. */
import { truncate } from '../../runtime/truncate.ts';
import { formatGrpcTimeout } from '../resilience/deadline.ts';
import type { Attempt } from './attempt.ts';
import { connectInHttp1 } from './attempts.ts';
import type { Exchange } from './exchange.ts';
import { abort, complete, endWithFailure, finish, settle } from './exchange-end.ts';
import * as fields from './fields.ts';
import { startMirrors } from './mirror.ts';
import { RequestBody } from './request-body.ts';
import type { ClientConnection, FieldLines, ResetReason } from './stream.ts';
import { NEVER } from './timer-wheel.ts';
import { cleanTrailers } from './trailer-fields.ts';
import { fitKey } from './upgrade-request.ts';

/** The attempt has a connection: sends the head and what there is of the body. */
export function sendRequest(exchange: Exchange, attempt: Attempt, connection: ClientConnection): void {
  const { head, body, requestTrailers, webSocketKey } = exchange;
  if (head.upgrade !== '') {
    if (!connection.takesUpgrade) return connectInHttp1(exchange, attempt);
    if (webSocketKey !== '') fitKey(head.fields, webSocketKey, connection.version);
  }
  exchange.state = 'requesting';
  attempt.sentAt = exchange.context.clock.now();
  exchange.stateDeadline = exchange.attemptDeadline;
  exchange.arm();
  const lines = head.fields;
  if (exchange.grpc) passOnDeadline(exchange, lines);
  const own = lines.length;
  exchange.direction.appendHopFields(exchange, attempt.endpoint, lines);
  const end = exchange.requestComplete && body === null && requestTrailers === null;
  const stream = connection.open(head, end, attempt);
  truncate(lines, own);
  attempt.stream = stream;
  if (end) return;
  if (body !== null) {
    if (body.replay(stream, exchange.requestComplete, requestTrailers)) creditClient(exchange);
  } else if (requestTrailers !== null) {
    stream.trailers(requestTrailers);
  }
}

/** The next hop is told what is left of the caller's time (gRPC over HTTP/2, Timeout). */
function passOnDeadline(exchange: Exchange, lines: FieldLines): void {
  if (exchange.deadline === NEVER) return;
  const leftMs = exchange.deadline - exchange.context.clock.now();
  fields.set(lines, 'grpc-timeout', formatGrpcTimeout(leftMs));
}

export function passRequestData(exchange: Exchange, chunk: Buffer, end: boolean): void {
  if (exchange.state === 'done') return;
  exchange.requestBytes += chunk.length;
  if (end) exchange.requestComplete = true;
  const upstream = exchange.attempt === null ? null : exchange.attempt.stream;
  const answered = exchange.state === 'responding' || exchange.state === 'tunnel';
  if (!answered || !exchange.mirrored) keep(exchange, chunk, upstream !== null);
  if (upstream === null) return;
  if (upstream.data(chunk, end)) creditClient(exchange);
  if (end) requestEnded(exchange);
}

export function passRequestTrailers(exchange: Exchange, lines: FieldLines): void {
  if (exchange.state === 'done') return;
  cleanTrailers(lines);
  exchange.requestComplete = true;
  exchange.requestTrailers = lines;
  const upstream = exchange.attempt === null ? null : exchange.attempt.stream;
  if (upstream === null) return;
  upstream.trailers(lines);
  requestEnded(exchange);
}

function keep(exchange: Exchange, chunk: Buffer, sent: boolean): void {
  if (chunk.length === 0) return;
  exchange.body ??= new RequestBody(exchange.context.blocks, exchange.direction.replayBytes);
  exchange.body.keep(chunk, sent);
}

function requestEnded(exchange: Exchange): void {
  mirrorOnce(exchange);
  if (exchange.responseComplete) complete(exchange);
}

/** Starts the route's mirrors as soon as the request is complete, if all of it is kept. */
export function mirrorOnce(exchange: Exchange): void {
  const { body, forwardRoute } = exchange;
  if (exchange.mirrored || !exchange.requestComplete || forwardRoute === null) return;
  exchange.mirrored = true;
  if (body === null ? exchange.requestBytes === 0 : body.intact) startMirrors(exchange, forwardRoute);
  if (exchange.state === 'responding') body?.drop();
}

/** The client may send as much again as the endpoint has taken. */
export function creditClient(exchange: Exchange): void {
  const bytes = exchange.requestBytes - exchange.creditedBytes;
  if (bytes === 0) return;
  exchange.creditedBytes = exchange.requestBytes;
  exchange.stream.consumed(bytes);
}

/** The client is gone. */
export function clientReset(exchange: Exchange, reason: ResetReason): void {
  if (exchange.state === 'done') return;
  exchange.flags = reason === 'limit' || reason === 'protocol-error' ? 'DPE' : 'DC';
  exchange.attempt?.cancel(reason === 'connection-closed' ? reason : 'cancelled');
  settle(exchange, 'neutral');
  finish(exchange);
}

/**
 * The drain deadline. The client, or its sidecar, can tell from the answer whether an endpoint may have seen the
 * request.
 */
export function cutOff(exchange: Exchange): void {
  if (exchange.state === 'done') return;
  const answered = exchange.state === 'responding' || exchange.state === 'tunnel';
  const sent = exchange.attempt !== null && exchange.attempt.stream !== null;
  exchange.attempt?.cancel('cancelled');
  settle(exchange, 'neutral');
  if (answered) abort(exchange, 'timeout', 'CUT_OFF');
  else endWithFailure(exchange, sent ? 'CUT_OFF' : 'DRAINING', false);
}
