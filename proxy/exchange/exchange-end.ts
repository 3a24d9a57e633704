/** How an exchange ends: with an answer of the proxy's own, cut off, or as its endpoint says. */
import { type FailureCode, failureHeader, failures } from '../../api/failure.ts';
import { type AttemptOutcome, isServerFailure } from '../resilience/attempt.ts';
import { releaseRequest } from '../resilience/request-limit.ts';
import { returnRetry } from '../resilience/retry-budget.ts';
import { joinFlags } from '../telemetry/response-flags.ts';
import type { Exchange } from './exchange.ts';
import { recordExchange } from './exchange-record.ts';
import * as fields from './fields.ts';
import { replyFailure, replyText } from './local-reply.ts';
import type { FieldLines, ResetReason } from './stream.ts';

export function endWithReply(exchange: Exchange, status: number, lines: FieldLines, body: string): void {
  if (exchange.state === 'done') return;
  exchange.status = status;
  exchange.responseBytes = body.length;
  if (exchange.answerEdits !== null) fields.applyEdits(lines, exchange.answerEdits);
  replyText(exchange.stream, status, lines, body, exchange.head.method);
  finish(exchange);
}

export function endWithFailure(exchange: Exchange, code: FailureCode, exhausted: boolean): void {
  if (exchange.state === 'done') return;
  noteFailure(exchange, code, exhausted);
  const { stream, grpc, head, answerEdits } = exchange;
  if (grpc) exchange.grpcStatus = failures[code].grpc;
  exchange.status = replyFailure(stream, code, grpc, head.method, answerEdits);
  finish(exchange);
}

/** For the log and the metrics. `exhausted`: several attempts were made, and no more are allowed. */
export function noteFailure(exchange: Exchange, code: FailureCode, exhausted: boolean): void {
  const { flag } = failures[code];
  exchange.failure = code;
  exchange.flags = exhausted ? joinFlags(flag, 'URX') : flag;
}

/** Ends an answer whose head was passed on. gRPC has a status for it; everything else is reset. */
export function abort(exchange: Exchange, reason: ResetReason, code: FailureCode): void {
  const { grpc, sentence } = failures[code];
  noteFailure(exchange, code, false);
  if (exchange.grpc && exchange.state === 'responding') {
    const said = `${code}; ${sentence}`;
    exchange.grpcStatus = grpc;
    exchange.stream.trailers(['grpc-status', String(grpc), 'grpc-message', said, failureHeader, said]);
  } else {
    exchange.stream.reset(reason);
  }
  finish(exchange);
}

/** The time of the request is over, or that of the attempt whose answer is being passed on. */
export function endByTimeout(exchange: Exchange, code: 'REQUEST_TIMEOUT' | 'ATTEMPT_TIMEOUT'): void {
  exchange.attempt?.cancel('timeout');
  const answered = exchange.state === 'responding';
  settle(exchange, 'failure');
  if (answered) abort(exchange, 'timeout', code);
  else endWithFailure(exchange, code, false);
}

/** The answer is complete, and in a tunnel the other direction as well. */
export function complete(exchange: Exchange): void {
  // What is left of the request has nobody to go to.
  if (!exchange.requestComplete && !exchange.asksTunnel) exchange.attempt?.stream?.reset('cancelled');
  settle(exchange, isServerFailure(exchange.status, exchange.grpcStatus) ? 'failure' : 'success');
  finish(exchange);
}

/** The attempt under way, if there is one, is over. */
export function settle(exchange: Exchange, outcome: AttemptOutcome): void {
  const { attempt, context } = exchange;
  if (attempt === null) return;
  attempt.settle(outcome, context.clock.now(), context.random);
  exchange.attempt = null;
  exchange.lastEndpoint = attempt.endpoint;
}

/** Gives back what the exchange holds, and records it. */
export function finish(exchange: Exchange): void {
  exchange.state = 'done';
  if (exchange.timer !== null) exchange.context.wheel.clear(exchange.timer);
  if (exchange.cluster !== null) {
    if (exchange.retryTaken) returnRetry(exchange.cluster);
    if (exchange.admitted) releaseRequest(exchange.cluster);
  }
  exchange.body?.drop();
  exchange.body = null;
  recordExchange(exchange);
}
