import { type FailureCode, failureHeader, failures } from '../../api/failure.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Endpoint } from '../cluster/endpoint.ts';
import type { RetryReason } from '../cluster/service-counters.ts';
import { type AttemptOutcome, isServerFailure } from '../resilience/attempt.ts';
import { deadline, formatGrpcTimeout } from '../resilience/deadline.ts';
import { admitRequest, releaseRequest } from '../resilience/request-limit.ts';
import { retryAfterMs, retryDelay } from '../resilience/retry-backoff.ts';
import { returnRetry, takeRetry } from '../resilience/retry-budget.ts';
import { denyRetry, isRepeatable, shouldRetry } from '../resilience/retry-policy.ts';
import type { FieldEdits } from '../route/route-config.ts';
import type { Backend, ForwardRoute, Route } from '../route/route-table.ts';
import { joinFlags } from '../telemetry/response-flags.ts';
import type { HttpTransportKind } from '../upstream/endpoint-pools.ts';
import type { PoolFailure } from '../upstream/wait-queue.ts';
import { Attempt } from './attempt.ts';
import {
  ATTEMPT_TIMEOUT,
  type AttemptFailure,
  connectionFailure,
  peerFailure,
  peerReason,
  resetFailure,
  truncationCode,
} from './attempt-failure.ts';
import type { Direction, ExchangeContext } from './exchange-context.ts';
import { recordExchange } from './exchange-record.ts';
import * as fields from './fields.ts';
import { replyFailure, replyText } from './local-reply.ts';
import { startMirrors } from './mirror.ts';
import { RequestBody } from './request-body.ts';
import { grpcStatusOf, isGrpc } from './request-kind.ts';
import type {
  ClientConnection,
  FieldLines,
  RequestHead,
  RequestReceiver,
  ResetReason,
  ResponseHead,
  ServerStream,
} from './stream.ts';
import { type TimerOwner, WheelTimer } from './timer-wheel.ts';
import { cleanTrailers } from './trailer-fields.ts';
import { asUpgrade, fitKey, fitProof } from './upgrade-request.ts';

/**
 *   routing ──▶ connecting ──▶ requesting ──▶ responding ──▶ done
 *      │            │  ▲           │  │           │
 *      │            ▼  │           │  └─ 101, 2xx of CONNECT ─▶ tunnel ──▶ done
 *      │          waiting ◀── retry┘
 *      └────────── fail, reply, the client is gone, deadline (from any state) ──────▶ done
 *
 * routing: the configuration of the destination is not there yet. connecting: an endpoint is chosen and a connection to it
 * awaited. requesting: the request is being sent, nothing of an answer has been passed on. waiting: the time before
 * another attempt, or for an endpoint to appear. responding: the head of the answer has been passed on, so nothing can be tried again.
 */
export type ExchangeState =
  | 'routing'
  | 'connecting'
  | 'requesting'
  | 'waiting'
  | 'responding'
  | 'tunnel'
  | 'done';

const NONE: Endpoint[] = [];
const NEVER = Number.POSITIVE_INFINITY;

/** One request and its response, from the first byte to the record of how it ended. */
export class Exchange implements RequestReceiver, TimerOwner {
  readonly context: ExchangeContext;
  readonly direction: Direction;
  readonly stream: ServerStream;
  /** Edited on the way; {@link path} is as received. */
  readonly head: RequestHead;
  readonly path: string;
  readonly authority: string;
  readonly startedAt: number;
  readonly grpc: boolean;
  /** An upgrade or CONNECT: there is no body, and the answer may open a tunnel. */
  readonly asksTunnel: boolean;
  /** `Sec-WebSocket-Key` of the request, or ours for a client of HTTP/2; '' for what is no WebSocket. */
  readonly #webSocketKey: string;
  /** Whatever the direction wants to remember between its calls. */
  note: unknown = null;

  state: ExchangeState = 'routing';
  cluster: Cluster | null = null;
  route: Route | null = null;
  /** Of {@link route}, if it forwards. */
  forwardRoute: ForwardRoute | null = null;
  backend: Backend | null = null;
  /** The endpoint of the client's session, if it has one that is still there. */
  sessionEndpoint: Endpoint | null = null;
  /** {@link sessionEndpoint} is to be used. */
  #stays = false;
  /** What mirrors get, where it is not {@link head}. */
  mirroredHead: RequestHead | null = null;
  /** Of the route's CORS policy; applied to every answer, the proxy's own as well. */
  answerEdits: FieldEdits | null = null;
  attempt: Attempt | null = null;
  attempts = 0;
  /** The endpoint of the last attempt that is over. */
  lastEndpoint: Endpoint | null = null;

  /** Body bytes received from the client and those given back as credit. */
  requestBytes = 0;
  #creditedBytes = 0;
  requestComplete: boolean;
  requestTrailers: FieldLines | null = null;
  /** null while there is nothing to keep. */
  body: RequestBody | null = null;
  #mirrored = true;

  status = 0;
  grpcStatus = -1;
  flags = '';
  /** Why a proxy answered itself: this one, or that of the endpoint. */
  failure: FailureCode | '' = '';
  responseBytes = 0;
  /** Response bytes passed on and not yet given back as credit, since the client is slow. */
  #owedBytes = 0;
  #responseComplete = false;

  #deadline = NEVER;
  /** End of the present state: the wait for a connection, of the attempt, or of the backoff. */
  #stateDeadline = NEVER;
  #attemptDeadline = NEVER;
  #timer: WheelTimer | null = null;
  #tried: Endpoint[] = NONE;
  #admitted = false;
  /** A retry is out of the budget, and its attempt has not begun. */
  #retryTaken = false;

  constructor(
    context: ExchangeContext,
    direction: Direction,
    stream: ServerStream,
    head: RequestHead,
    end: boolean,
  ) {
    this.context = context;
    this.direction = direction;
    this.stream = stream;
    this.head = head;
    this.path = head.path;
    this.authority = head.authority;
    this.startedAt = context.clock.now();
    this.grpc = isGrpc(head);
    this.asksTunnel = head.method === 'CONNECT' || head.upgrade !== '';
    this.#webSocketKey = this.asksTunnel ? asUpgrade(head) : '';
    this.requestComplete = end;
  }

  /** Sets itself as the stream's receiver and asks the direction where to go. */
  start(): void {
    this.stream.receiver = this;
    this.direction.direct(this);
  }

  /** Answers without asking where to go. */
  refuse(code: FailureCode): void {
    this.stream.receiver = this;
    this.fail(code);
  }

  // ---- Routing: the direction calls one of these, once.

  /** Before {@link forward}: the request belongs to a session of this endpoint of the cluster. */
  stayAt(endpoint: Endpoint): void {
    this.sessionEndpoint = endpoint;
    this.#stays = true;
  }

  /** Sends the request to the cluster. */
  forward(cluster: Cluster, route: ForwardRoute | null, backend: Backend | null): void {
    if (this.state !== 'routing') return;
    this.cluster = cluster;
    this.route = this.forwardRoute = route;
    this.backend = backend;
    this.#admitted = admitRequest(cluster, this.startedAt);
    if (!this.#admitted) return this.fail('OVERFLOW');
    const timeoutMs = route === null || this.asksTunnel ? 0 : route.timeoutMs;
    const grpcTimeout = this.grpc ? fields.get(this.head.fields, 'grpc-timeout') : '';
    this.#deadline = deadline(this.startedAt, timeoutMs, grpcTimeout);
    if (route !== null && route.mirrors.length > 0 && !this.asksTunnel) this.#mirrored = false;
    this.#mirror();
    this.#try();
  }

  /** Answers in place of a service. */
  reply(status: number, lines: FieldLines, body: string): void {
    if (this.state === 'done') return;
    this.status = status;
    this.responseBytes = body.length;
    if (this.answerEdits !== null) fields.applyEdits(lines, this.answerEdits);
    replyText(this.stream, status, lines, body, this.head.method);
    this.#finish();
  }

  /** Answers that the request cannot be served. `exhausted`: several attempts were made, and no more are allowed. */
  fail(code: FailureCode, exhausted = false): void {
    if (this.state === 'done') return;
    this.#failed(code, exhausted);
    if (this.grpc) this.grpcStatus = failures[code].grpc;
    this.status = replyFailure(this.stream, code, this.grpc, this.head.method, this.answerEdits);
    this.#finish();
  }

  #failed(code: FailureCode, exhausted: boolean): void {
    const { flag } = failures[code];
    this.failure = code;
    this.flags = exhausted ? joinFlags(flag, 'URX') : flag;
  }

  // ---- Attempts

  #try(): void {
    const { clock, random } = this.context;
    const cluster = this.cluster as Cluster;
    const now = clock.now();
    const endpoint = this.#endpointOfSession(now) ?? cluster.pick(this.#tried, random, now);
    if (endpoint === null) return this.#noEndpoint(cluster, now);
    this.attempts++;
    const attempt = new Attempt(this, cluster, endpoint, this.#retryTaken);
    this.#retryTaken = false;
    this.attempt = attempt;
    const perTryMs = this.forwardRoute?.retry?.perTryTimeoutMs ?? 0;
    this.#attemptDeadline = perTryMs > 0 && !this.asksTunnel ? now + perTryMs : NEVER;
    this.#connect(attempt, this.direction.transport(this, cluster, endpoint), now);
  }

  #connect(attempt: Attempt, kind: HttpTransportKind, now: number): void {
    const { cluster, endpoint } = attempt;
    attempt.kind = kind;
    const pooled = this.context.connections.acquire(cluster, endpoint, kind, attempt);
    if (pooled !== null) return attempt.onConnection(pooled);
    this.state = 'connecting';
    // The pool reports a connection that cannot be opened; this ends the wait where all are busy.
    this.#stateDeadline = Math.min(this.#attemptDeadline, now + 2 * cluster.config.connectTimeoutMs);
    this.#arm();
  }

  /** A server without extended CONNECT, or without HTTP/2, may take the tunnel in HTTP/1.1, as all did before RFC 8441. */
  #connectInHttp1(attempt: Attempt): void {
    this.#connect(attempt, 'http1', this.context.clock.now());
  }

  /** null without a session, and where its endpoint is gone or fails: another one takes over. */
  #endpointOfSession(now: number): Endpoint | null {
    const endpoint = this.#stays ? this.sessionEndpoint : null;
    return endpoint === null || endpoint.removed || endpoint.ejectedUntil > now ? null : endpoint;
  }

  #noEndpoint(cluster: Cluster, now: number): void {
    const waitMs = this.context.emptyClusters.wait(cluster, now);
    if (waitMs > 0) this.#wait(waitMs, now);
    else this.fail('NO_HEALTHY_ENDPOINT');
  }

  /** The attempt has a connection: sends the head and what there is of the body. */
  onAttemptConnected(attempt: Attempt, connection: ClientConnection): void {
    if (this.head.upgrade !== '') {
      if (!connection.takesUpgrade) return this.#connectInHttp1(attempt);
      if (this.#webSocketKey !== '') fitKey(this.head.fields, this.#webSocketKey, connection.version);
    }
    this.state = 'requesting';
    attempt.sentAt = this.context.clock.now();
    this.#stateDeadline = this.#attemptDeadline;
    this.#arm();
    const { head, body } = this;
    const lines = head.fields;
    if (this.grpc) this.#passOnDeadline(lines);
    const own = lines.length;
    this.direction.appendHopFields(this, attempt.endpoint, lines);
    const end = this.requestComplete && body === null && this.requestTrailers === null;
    const stream = connection.open(head, end, attempt);
    lines.length = own;
    attempt.stream = stream;
    if (end) return;
    if (body !== null) {
      if (body.replay(stream, this.requestComplete, this.requestTrailers)) this.#credit();
    } else if (this.requestTrailers !== null) {
      stream.trailers(this.requestTrailers);
    }
  }

  /** The next hop is told what is left of the caller's time (gRPC over HTTP/2, Timeout). */
  #passOnDeadline(lines: FieldLines): void {
    if (this.#deadline === NEVER) return;
    fields.set(lines, 'grpc-timeout', formatGrpcTimeout(this.#deadline - this.context.clock.now()));
  }

  onAttemptUnconnected(attempt: Attempt, failure: PoolFailure): void {
    if (this.asksTunnel && attempt.kind === 'http2') return this.#connectInHttp1(attempt);
    this.#attemptFailed(connectionFailure(failure));
  }

  /** The attempt has given no answer. */
  #attemptFailed(failure: AttemptFailure): void {
    const { reason, outcome, unread } = failure;
    const elsewhere = reason === 'connect-failed' || unread;
    const again = reason !== null && (!elsewhere || this.direction.retriesConnections);
    if (again && this.#retry(reason, unread, outcome, 0, -1, -1)) return;
    this.#settle(outcome);
    this.fail(failure.code, this.attempts > 1);
  }

  /** Begins another attempt, or says that the budget does not allow it; false if the failure stands. */
  #retry(
    reason: RetryReason,
    unread: boolean,
    outcome: AttemptOutcome,
    status: number,
    grpcStatus: number,
    retryAfter: number,
  ): boolean {
    const { clock, random } = this.context;
    const cluster = this.cluster as Cluster;
    const retry = this.forwardRoute?.retry ?? null;
    const now = clock.now();
    const decision = shouldRetry(
      {
        reason,
        unread,
        status,
        grpcStatus,
        attempts: this.attempts,
        replayable: this.body === null ? this.requestBytes === 0 : this.body.intact,
        retryAfterMs: retryAfter,
        deadline: this.#deadline,
      },
      retry,
      this.head,
      cluster,
      now,
    );
    if (decision !== 'retry') {
      denyRetry(cluster, decision);
      if (decision !== 'budget' || cluster.retryRate === null) return false;
      // A policy that limits retries wants it to be seen (GEP-3388).
      this.attempt?.cancel('cancelled');
      this.#settle(outcome);
      this.fail('RETRY_BUDGET');
      return true;
    }
    const attempt = this.attempt as Attempt;
    attempt.cancel('cancelled');
    this.#settle(outcome);
    takeRetry(cluster, reason, now);
    this.#retryTaken = true;
    if (this.#tried === NONE) this.#tried = [];
    this.#tried.push(attempt.endpoint);
    // An endpoint that answers keeps its sessions; one that does not has lost them.
    if (reason === 'refused' || reason === 'connect-failed' || reason === 'reset') this.#stays = false;
    const unseen = reason === 'refused' || reason === 'connect-failed' || unread;
    const elsewhere = unseen && this.#tried.length < cluster.endpoints.length;
    this.#wait(retryDelay(retry, this.attempts - 1, elsewhere, retryAfter, random), now);
    return true;
  }

  #wait(delayMs: number, now: number): void {
    if (delayMs <= 0) return this.#try();
    this.state = 'waiting';
    this.#stateDeadline = now + delayMs;
    this.#arm();
  }

  #settle(outcome: AttemptOutcome): void {
    const { attempt } = this;
    if (attempt === null) return;
    attempt.settle(outcome, this.context.clock.now(), this.context.random);
    this.attempt = null;
    this.lastEndpoint = attempt.endpoint;
  }

  // ---- The request, from the client

  onRequestData(chunk: Buffer, end: boolean): void {
    if (this.state === 'done') return;
    this.requestBytes += chunk.length;
    if (end) this.requestComplete = true;
    const upstream = this.attempt === null ? null : this.attempt.stream;
    const answered = this.state === 'responding' || this.state === 'tunnel';
    if (!answered || !this.#mirrored) this.#keep(chunk, upstream !== null);
    if (upstream === null) return;
    if (upstream.data(chunk, end)) this.#credit();
    if (end) this.#requestEnded();
  }

  onRequestTrailers(lines: FieldLines): void {
    if (this.state === 'done') return;
    cleanTrailers(lines);
    this.requestComplete = true;
    this.requestTrailers = lines;
    const upstream = this.attempt === null ? null : this.attempt.stream;
    if (upstream === null) return;
    upstream.trailers(lines);
    this.#requestEnded();
  }

  #keep(chunk: Buffer, sent: boolean): void {
    if (chunk.length === 0) return;
    this.body ??= new RequestBody(this.context.blocks, this.direction.replayBytes);
    this.body.keep(chunk, sent);
  }

  #requestEnded(): void {
    this.#mirror();
    if (this.#responseComplete) this.#complete();
  }

  #mirror(): void {
    if (this.#mirrored || !this.requestComplete || this.forwardRoute === null) return;
    this.#mirrored = true;
    if (this.body === null ? this.requestBytes === 0 : this.body.intact)
      startMirrors(this, this.forwardRoute);
    if (this.state === 'responding') this.body?.drop();
  }

  #credit(): void {
    const bytes = this.requestBytes - this.#creditedBytes;
    if (bytes === 0) return;
    this.#creditedBytes = this.requestBytes;
    this.stream.consumed(bytes);
  }

  onRequestWritable(): void {
    this.#credit();
  }

  /** The client is gone. */
  onRequestReset(reason: ResetReason): void {
    if (this.state === 'done') return;
    this.flags = reason === 'limit' || reason === 'protocol-error' ? 'DPE' : 'DC';
    this.attempt?.cancel(reason === 'connection-closed' ? reason : 'cancelled');
    this.#settle('neutral');
    this.#finish();
  }

  /** The client, or its sidecar, can tell from the answer whether an endpoint may have seen the request. */
  onCutOff(): void {
    if (this.state === 'done') return;
    const answered = this.state === 'responding' || this.state === 'tunnel';
    const sent = this.attempt !== null && this.attempt.stream !== null;
    this.attempt?.cancel('cancelled');
    this.#settle('neutral');
    if (answered) this.#abort('timeout', 'CUT_OFF');
    else this.fail(sent ? 'CUT_OFF' : 'DRAINING');
  }

  /** Nothing depends on it: the record is made when the last byte has been handed to the codec. */
  onResponseSent(): void {}

  // ---- The answer, from the endpoint

  onInformational(status: number, lines: FieldLines): void {
    this.stream.informational(status, lines);
  }

  onResponse(attempt: Attempt, head: ResponseHead, end: boolean): void {
    attempt.latencyMs = this.context.clock.now() - attempt.sentAt;
    if (this.grpc && end) this.grpcStatus = grpcStatusOf(head.fields);
    if (this.#retryAnswer(attempt, head)) return;
    this.status = head.status;
    const tunnel =
      this.asksTunnel && (head.status === 101 || (head.status < 300 && this.head.method === 'CONNECT'));
    this.state = tunnel ? 'tunnel' : 'responding';
    if (tunnel) this.#deadline = this.#stateDeadline = NEVER;
    if (tunnel && this.#webSocketKey !== '') {
      fitProof(head.fields, this.#webSocketKey, this.stream.connection.version);
    }
    if (this.#mirrored) this.body?.drop();
    this.#arm();
    this.direction.editResponse(this, head);
    const { route, backend } = this;
    if (route?.responseFields) fields.applyEdits(head.fields, route.responseFields);
    if (backend?.responseFields) fields.applyEdits(head.fields, backend.responseFields);
    if (this.answerEdits !== null) fields.applyEdits(head.fields, this.answerEdits);
    this.stream.respond(head, end);
    if (end) this.#responseEnded();
  }

  /** Whether the answer is not passed on, because another attempt is made. */
  #retryAnswer(attempt: Attempt, head: ResponseHead): boolean {
    const retry = this.forwardRoute?.retry ?? null;
    const { status } = head;
    const { grpcStatus } = this;
    if (status < 400 && grpcStatus <= 0) return false;
    const code = attempt.endpoint.meshed ? peerFailure(head.fields) : '';
    const told = code === '' ? null : peerReason(code);
    const untouched = told === 'connect-failed';
    let reason = told;
    if (!untouched && retry?.statuses.includes(status)) reason = 'status';
    else if (!untouched && grpcStatus > 0 && retry?.grpcStatuses.includes(grpcStatus)) reason = 'grpc-status';
    if (reason !== null) {
      const unread = code === 'CONNECTION_RESET' && isRepeatable(this.head);
      const retryAfter = untouched ? -1 : retryAfterMs(head.fields, this.context.clock.unix());
      const outcome = isServerFailure(status, grpcStatus) ? 'failure' : 'success';
      if (this.#retry(reason, unread, outcome, status, grpcStatus, retryAfter)) {
        this.grpcStatus = -1;
        return true;
      }
    }
    const exhausted = reason !== null && this.attempts > 1;
    if (code !== '') this.#failed(code, exhausted);
    else if (exhausted) this.flags = 'URX';
    return false;
  }

  onResponseData(attempt: Attempt, chunk: Buffer, end: boolean): void {
    this.responseBytes += chunk.length;
    const writable = this.stream.data(chunk, end);
    if (end) return this.#responseEnded();
    if (writable && this.#owedBytes === 0) attempt.stream?.consumed(chunk.length);
    else if (writable) this.#settleDebt(attempt, chunk.length);
    else this.#owedBytes += chunk.length;
  }

  #settleDebt(attempt: Attempt, bytes: number): void {
    const owed = this.#owedBytes + bytes;
    this.#owedBytes = 0;
    attempt.stream?.consumed(owed);
  }

  onWritable(): void {
    if (this.#owedBytes > 0 && this.attempt !== null) this.#settleDebt(this.attempt, 0);
  }

  onResponseTrailers(attempt: Attempt, lines: FieldLines): void {
    if (this.grpc) this.grpcStatus = grpcStatusOf(lines);
    const code = this.grpcStatus > 0 && attempt.endpoint.meshed ? peerFailure(lines) : '';
    cleanTrailers(lines);
    if (code !== '') {
      this.#failed(code, false);
      lines.push(failureHeader, `${code}; ${failures[code].sentence}`);
    }
    this.stream.trailers(lines);
    this.#responseEnded();
  }

  #responseEnded(): void {
    this.#responseComplete = true;
    if (this.state === 'tunnel' && !this.requestComplete) return;
    this.#complete();
  }

  /** The answer is complete, and in a tunnel the other direction as well. */
  #complete(): void {
    const { attempt } = this;
    // What is left of the request has nobody to go to.
    if (!this.requestComplete && !this.asksTunnel) attempt?.stream?.reset('cancelled');
    this.#settle(isServerFailure(this.status, this.grpcStatus) ? 'failure' : 'success');
    this.#finish();
  }

  onResponseReset(attempt: Attempt, reason: ResetReason): void {
    if (this.state === 'responding' || this.state === 'tunnel') return this.#truncated(reason);
    const kept = attempt.onReusedConnection && attempt.pooled?.connection.version !== 20;
    this.#attemptFailed(resetFailure(reason, this.head, kept));
  }

  /** The answer ended before its end; the client must see that. */
  #truncated(reason: ResetReason): void {
    this.#settle(this.state === 'tunnel' ? 'neutral' : 'failure');
    this.#abort(reason, truncationCode(reason));
  }

  /** gRPC has a status for it; everything else is reset. */
  #abort(reason: ResetReason, code: FailureCode): void {
    const { grpc, sentence } = failures[code];
    this.#failed(code, false);
    if (this.grpc && this.state === 'responding') {
      const said = `${code}; ${sentence}`;
      this.grpcStatus = grpc;
      this.stream.trailers(['grpc-status', String(grpc), 'grpc-message', said, failureHeader, said]);
    } else {
      this.stream.reset(reason);
    }
    this.#finish();
  }

  // ---- Time

  /** Sets the timer to what comes first; there is none where no timeout applies. */
  #arm(): void {
    const next = Math.min(this.#deadline, this.#stateDeadline);
    if (this.#timer === null) {
      if (next === NEVER) return;
      this.#timer = new WheelTimer(this);
    }
    this.context.wheel.set(this.#timer, next);
  }

  onDeadline(): void {
    const now = this.context.clock.now();
    if (now >= this.#deadline) return this.#timedOut('REQUEST_TIMEOUT');
    if (now < this.#stateDeadline) return this.#arm();
    if (this.state === 'waiting') {
      this.#stateDeadline = NEVER;
      this.#try();
    } else if (this.state === 'connecting' && now < this.#attemptDeadline) {
      this.attempt?.cancel('cancelled');
      this.#attemptFailed(connectionFailure('overflow'));
    } else if (this.state === 'responding') {
      this.#timedOut('ATTEMPT_TIMEOUT');
    } else if (this.state === 'connecting' || this.state === 'requesting') {
      this.attempt?.cancel('timeout');
      this.#attemptFailed(ATTEMPT_TIMEOUT);
    }
  }

  /** The time of the request is over, or that of the attempt whose answer is being passed on. */
  #timedOut(code: 'REQUEST_TIMEOUT' | 'ATTEMPT_TIMEOUT'): void {
    this.attempt?.cancel('timeout');
    const answered = this.state === 'responding';
    this.#settle('failure');
    if (!answered) return this.fail(code);
    this.#abort('timeout', code);
  }

  // ---- The end

  #finish(): void {
    this.state = 'done';
    if (this.#timer !== null) this.context.wheel.clear(this.#timer);
    if (this.cluster !== null) {
      if (this.#retryTaken) returnRetry(this.cluster);
      if (this.#admitted) releaseRequest(this.cluster);
    }
    this.body?.drop();
    this.body = null;
    recordExchange(this);
  }
}
