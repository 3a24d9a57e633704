import type { FailureCode } from '../../api/failure.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Endpoint } from '../cluster/endpoint.ts';
import { deadline } from '../resilience/deadline.ts';
import { admitRequest } from '../resilience/request-limit.ts';
import type { FieldEdits } from '../route/route-config.ts';
import type { Backend, ForwardRoute, Route } from '../route/route-table.ts';
import type { PoolFailure } from '../upstream/wait-queue.ts';
import type { Attempt } from './attempt.ts';
import * as attempts from './attempts.ts';
import type { Direction, ExchangeContext } from './exchange-context.ts';
import { endWithFailure, endWithReply } from './exchange-end.ts';
import * as fields from './fields.ts';
import type { RequestBody } from './request-body.ts';
import * as requestFlow from './request-flow.ts';
import { isGrpc } from './request-kind.ts';
import * as responseFlow from './response-flow.ts';
import type {
  ClientConnection,
  FieldLines,
  RequestHead,
  RequestReceiver,
  ResetReason,
  ResponseHead,
  ServerStream,
} from './stream.ts';
import { NEVER, type TimerOwner, WheelTimer } from './timer-wheel.ts';
import { asUpgrade } from './upgrade-request.ts';

/**
 *   routing ──▶ connecting ──▶ requesting ──▶ responding ──▶ done
 *      │            │  ▲           │  │           │
 *      │            ▼  │           │  └─ 101, 2xx of CONNECT ─▶ tunnel ──▶ done
 *      │          waiting ◀── retry┘
 *      └────────── fail, reply, the client is gone, deadline (from any state) ──────▶ done
 *
 * routing: the configuration of the destination is not there yet. connecting: an endpoint is chosen and a connection to it
 * awaited. requesting: the request is being sent, nothing of an answer has been passed on. waiting: the time before
 * another attempt, or for an endpoint to appear. responding: the head of the answer has been passed on, so nothing can be
 * tried again.
 */
export type ExchangeState =
  | 'routing'
  | 'connecting'
  | 'requesting'
  | 'waiting'
  | 'responding'
  | 'tunnel'
  | 'done';

/**
 * One request and its response, from the first byte to the record of how it ended. This class holds the state and says who
 * hears what; what happens then is in `request-flow.ts`, `attempts.ts`, `response-flow.ts` and `exchange-end.ts`, which
 * are functions over it: so there is one object per request. Nobody else writes its fields but the direction, while it
 * routes.
 */
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
  readonly webSocketKey: string;
  /** Whatever the direction wants to remember between its calls. */
  note: unknown = null;
  state: ExchangeState = 'routing';

  // Where the request goes.
  cluster: Cluster | null = null;
  route: Route | null = null;
  /** Of {@link route}, if it forwards. */
  forwardRoute: ForwardRoute | null = null;
  backend: Backend | null = null;
  /** It counts as one of the cluster's requests. */
  admitted = false;
  /** The endpoint of the client's session, if it has one that is still there. */
  sessionEndpoint: Endpoint | null = null;
  /** {@link sessionEndpoint} is to be used. */
  stays = false;
  /** The route has no mirrors, or they have got the request. */
  mirrored = true;
  /** What mirrors get, where it is not {@link head}. */
  mirroredHead: RequestHead | null = null;

  // The attempts.
  attempt: Attempt | null = null;
  attempts = 0;
  /** The endpoint of the last attempt that is over. */
  lastEndpoint: Endpoint | null = null;
  /** Endpoints of the attempts that were followed by another; null without any. */
  tried: Endpoint[] | null = null;
  /** A retry is out of the budget, and its attempt has not begun. */
  retryTaken = false;

  // The request: body bytes received from the client, and those given back as credit.
  requestBytes = 0;
  creditedBytes = 0;
  requestComplete: boolean;
  requestTrailers: FieldLines | null = null;
  /** null while there is nothing to keep. */
  body: RequestBody | null = null;

  // The answer.
  status = 0;
  grpcStatus = -1;
  flags = '';
  /** Why a proxy answered itself: this one, or that of the endpoint. */
  failure: FailureCode | '' = '';
  /** Of the route's CORS policy; applied to every answer, the proxy's own as well. */
  answerEdits: FieldEdits | null = null;
  responseBytes = 0;
  /** Response bytes passed on and not yet given back as credit, since the client is slow. */
  owedBytes = 0;
  responseComplete = false;

  // Clock times.
  deadline = NEVER;
  /** End of the present state: the wait for a connection, of the attempt, or of the backoff. */
  stateDeadline = NEVER;
  attemptDeadline = NEVER;
  timer: WheelTimer | null = null;

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
    this.webSocketKey = this.asksTunnel ? asUpgrade(head) : '';
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
    this.stays = true;
  }

  /** Sends the request to the cluster. */
  forward(cluster: Cluster, route: ForwardRoute | null, backend: Backend | null): void {
    if (this.state !== 'routing') return;
    this.cluster = cluster;
    this.route = this.forwardRoute = route;
    this.backend = backend;
    this.admitted = admitRequest(cluster, this.startedAt);
    if (!this.admitted) return this.fail('OVERFLOW');
    const timeoutMs = route === null || this.asksTunnel ? 0 : route.timeoutMs;
    const grpcTimeout = this.grpc ? fields.get(this.head.fields, 'grpc-timeout') : '';
    this.deadline = deadline(this.startedAt, timeoutMs, grpcTimeout);
    if (route !== null && route.mirrors.length > 0 && !this.asksTunnel) this.mirrored = false;
    requestFlow.mirrorOnce(this);
    attempts.beginNextAttempt(this);
  }

  /** Answers in place of a service. */
  reply(status: number, lines: FieldLines, body: string): void {
    endWithReply(this, status, lines, body);
  }

  /** Answers that the request cannot be served. */
  fail(code: FailureCode): void {
    endWithFailure(this, code, false);
  }

  // ---- From the client: request-flow.ts

  onRequestData(chunk: Buffer, end: boolean): void {
    requestFlow.passRequestData(this, chunk, end);
  }

  onRequestTrailers(lines: FieldLines): void {
    requestFlow.passRequestTrailers(this, lines);
  }

  onRequestReset(reason: ResetReason): void {
    requestFlow.clientReset(this, reason);
  }

  onCutOff(): void {
    requestFlow.cutOff(this);
  }

  onWritable(): void {
    responseFlow.clientWritable(this);
  }

  /** Nothing depends on it: the record is made when the last byte has been handed to the codec. */
  onResponseSent(): void {}

  // ---- From the attempt under way, which says nothing once it is over: attempts.ts, request-flow.ts, response-flow.ts

  onAttemptConnected(attempt: Attempt, connection: ClientConnection): void {
    requestFlow.sendRequest(this, attempt, connection);
  }

  onAttemptUnconnected(attempt: Attempt, failure: PoolFailure): void {
    attempts.attemptUnconnected(this, attempt, failure);
  }

  onRequestWritable(): void {
    requestFlow.creditClient(this);
  }

  onInformational(status: number, lines: FieldLines): void {
    this.stream.informational(status, lines);
  }

  onResponse(attempt: Attempt, head: ResponseHead, end: boolean): void {
    responseFlow.passResponse(this, attempt, head, end);
  }

  onResponseData(attempt: Attempt, chunk: Buffer, end: boolean): void {
    responseFlow.passResponseData(this, attempt, chunk, end);
  }

  onResponseTrailers(attempt: Attempt, lines: FieldLines): void {
    responseFlow.passResponseTrailers(this, attempt, lines);
  }

  onResponseReset(attempt: Attempt, reason: ResetReason): void {
    responseFlow.endpointReset(this, attempt, reason);
  }

  // ---- Time

  /** Sets the timer to what comes first; there is none where no timeout applies. */
  arm(): void {
    const next = Math.min(this.deadline, this.stateDeadline);
    if (this.timer === null) {
      if (next === NEVER) return;
      this.timer = new WheelTimer(this);
    }
    this.context.wheel.set(this.timer, next);
  }

  onDeadline(): void {
    attempts.deadlinePassed(this);
  }
}
