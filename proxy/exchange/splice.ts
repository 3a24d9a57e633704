import { type FailureCode, failures } from '../../api/failure.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Endpoint } from '../cluster/endpoint.ts';
import { type AttemptOutcome, beginAttempt, endAttempt } from '../resilience/attempt.ts';
import { type EdgeSeries, recordBytes, recordClosed, recordOpened } from '../telemetry/edge-series.ts';
import { joinFlags } from '../telemetry/response-flags.ts';
import type { SocketTransport } from '../transport/socket-transport.ts';
import type { Transport } from '../transport/transport.ts';
import type { Dial, DialFailure, DialOwner } from '../upstream/dial.ts';
import { connectionFailure } from './attempt-failure.ts';
import type { EmptyClusters } from './empty-clusters.ts';
import type { ResetReason } from './stream.ts';

/** Where connections that carry bytes come from; `proxy/upstream` implements it. */
interface TcpSource {
  dialTcp(cluster: Cluster, endpoint: Endpoint, clientTls: boolean, owner: DialOwner): Dial | null;
  /** Gives back the place of a connection that is gone. */
  releaseTcp(cluster: Cluster): void;
}

export interface SpliceContext {
  readonly clock: Clock;
  readonly random: () => number;
  readonly connections: TcpSource;
  readonly emptyClusters: EmptyClusters;
  /** A connection on which nothing has moved for this long is closed. */
  readonly idleTimeoutMs: number;
  readonly onLimit: (limit: 'tcpIdleTimeoutMs') => void;
}

/** What a splice tells who made it. */
export interface SpliceOwner {
  /** The series in which the connection is counted. */
  series(endpoint: Endpoint | null): EdgeSeries;
  /** The server's first byte came before any of the client's. */
  serverSpokeFirst(): void;
  /** It is over; `failure` is '' if it was carried. */
  onSpliceEnd(splice: Splice, failure: FailureCode | ''): void;
}

/** Endpoints tried for one connection: none of its bytes was sent before one is open. */
const MAX_ATTEMPTS = 3;
const NONE: Endpoint[] = [];

/**
 * Carries bytes between a client and an endpoint: FIN as FIN in each direction, RST as RST, and each side reads only as
 * fast as the other takes.
 *
 *   connecting ──▶ open ──FIN of both──▶ done
 *       │           └── RST or error of either ──▶ done (RST to the other)
 *       └── no backend, no endpoint, no connection ──▶ done (RST to the client)
 */
export class Splice implements DialOwner {
  readonly active = 1;
  readonly startedAt: number;
  /** null: a backend that is invalid, or no route. */
  readonly cluster: Cluster | null;
  endpoint: Endpoint | null = null;
  attempts = 0;
  sentBytes = 0;
  receivedBytes = 0;
  /** Envoy's response flags, '' if it ended as it should. */
  flags = '';
  readonly #context: SpliceContext;
  readonly #owner: SpliceOwner;
  readonly #client: Transport;
  #server: SocketTransport | null = null;
  #dial: Dial | null = null;
  #tried: Endpoint[] = NONE;
  /** The cluster in which an endpoint is looked for. */
  #seeking: Cluster | null = null;
  #stopWaiting: () => void = () => {};
  #series: EdgeSeries | null = null;
  #state: 'connecting' | 'open' | 'done' = 'connecting';
  /** Bytes of the client that came before there was a connection. */
  #early: Buffer[] = [];
  #clientEnded = false;
  #serverEnded = false;
  #expiresAt = Number.POSITIVE_INFINITY;
  #movedAt: number;
  #movedBytes = 0;
  #countedSent = 0;
  #countedReceived = 0;

  constructor(context: SpliceContext, owner: SpliceOwner, client: Transport, cluster: Cluster | null) {
    this.#context = context;
    this.#owner = owner;
    this.#client = client;
    this.cluster = cluster;
    this.startedAt = this.#movedAt = context.clock.now();
  }

  /** Begins to connect. The client is read from when there is a connection. */
  start(): void {
    this.#seeking = this.cluster;
    if (this.#seeking !== null) this.#seeking.connecting++;
    this.#client.pause();
    this.#try();
  }

  /** Resets the client in place of {@link start}. */
  refuse(code: FailureCode): void {
    this.#fail(code);
  }

  #try(): void {
    const { clock, random, connections } = this.#context;
    const { cluster } = this;
    if (cluster === null) return this.#fail('INVALID_BACKEND');
    const endpoint = cluster.pick(this.#tried, random, clock.now());
    if (endpoint === null) return this.#noEndpoint(cluster);
    this.attempts++;
    this.endpoint = endpoint;
    this.#dial = connections.dialTcp(cluster, endpoint, this.#clientTls(endpoint), this);
    if (this.#dial === null) return this.#fail('OVERFLOW');
    beginAttempt(endpoint);
  }

  /** The client speaks TLS with the application itself: by what is declared, or by its first byte (RFC 8446 §5.1, handshake). */
  #clientTls({ backendTls }: Endpoint): boolean {
    return backendTls !== null && (backendTls.clientTls || this.#early[0]?.[0] === 22);
  }

  #noEndpoint(cluster: Cluster): void {
    const { clock, emptyClusters } = this.#context;
    const waitMs = emptyClusters.wait(cluster, clock.now());
    if (waitMs > 0) this.#stopWaiting = clock.after(waitMs, () => this.#try());
    else this.#fail('NO_HEALTHY_ENDPOINT');
  }

  onDialFailed(_dial: Dial, failure: DialFailure): void {
    this.#dial = null;
    const { outcome, code, reason } = connectionFailure(failure);
    this.#release(outcome);
    if (
      reason === null ||
      this.attempts >= MAX_ATTEMPTS ||
      (this.cluster?.endpoints.length ?? 0) <= this.attempts
    ) {
      return this.#fail(code);
    }
    if (this.#tried === NONE) this.#tried = [];
    if (this.endpoint !== null) this.#tried.push(this.endpoint);
    this.#try();
  }

  onDialed(dial: Dial, transport: SocketTransport): void {
    this.#dial = null;
    this.#server = transport;
    this.#expiresAt = dial.expiresAt;
    this.#state = 'open';
    this.#connected();
    this.#countOpened();
    transport.user = {
      receive: bytes => this.#fromServer(bytes),
      receiveEnd: () => this.#serverEnd(),
      closed: reason => this.#serverClosed(reason),
    };
    transport.output.onDrain = () => this.#client.resume();
    this.#client.output.onDrain = () => transport.resume();
    for (const bytes of this.#early) this.#toServer(bytes);
    this.#early = [];
    if (this.#clientEnded) transport.end();
    transport.resume();
    this.#client.resume();
  }

  // ---- The client

  receive(bytes: Buffer): void {
    if (this.#state === 'open') this.#toServer(bytes);
    else if (this.#state === 'connecting') this.#early.push(Buffer.from(bytes));
  }

  #toServer(bytes: Buffer): void {
    const server = this.#server as SocketTransport;
    this.receivedBytes += bytes.length;
    server.output.chunk(bytes);
    if (!server.output.writable) this.#client.pause();
  }

  receiveEnd(): void {
    this.#clientEnded = true;
    this.#server?.end();
  }

  closed(_reason: ResetReason): void {
    if (this.#state === 'done') return;
    // After both FINs the client's side closes by itself, and the server's as well.
    if (!this.#complete) this.#server?.destroy();
    this.#finish('', this.#complete ? '' : 'DC');
  }

  get #complete(): boolean {
    return this.#clientEnded && this.#serverEnded;
  }

  // ---- The server

  #fromServer(bytes: Buffer): void {
    if (this.sentBytes === 0 && this.receivedBytes === 0) this.#owner.serverSpokeFirst();
    this.sentBytes += bytes.length;
    this.#client.output.chunk(bytes);
    if (!this.#client.output.writable) this.#server?.pause();
  }

  #serverEnd(): void {
    this.#serverEnded = true;
    this.#client.end();
  }

  #serverClosed(_reason: ResetReason): void {
    if (this.#state === 'done') return;
    if (!this.#complete) this.#client.destroy();
    this.#finish('', this.#complete ? '' : 'UC');
  }

  // ---- Time and the end

  tick(nowMs: number): void {
    this.#count();
    this.#server?.tick(nowMs);
    const moved = this.sentBytes + this.receivedBytes;
    if (moved !== this.#movedBytes) {
      this.#movedBytes = moved;
      this.#movedAt = nowMs;
    }
    const { clock, idleTimeoutMs, onLimit } = this.#context;
    const idle = nowMs - this.#movedAt >= idleTimeoutMs;
    if (idle) onLimit('tcpIdleTimeoutMs');
    if (idle) this.#end('SI');
    else if (clock.unix() >= this.#expiresAt) this.#end('');
  }

  /** A connection of bytes has no point at which it could be ended: it goes on until the drain's deadline. */
  drain(): void {}

  destroy(): void {
    this.#end('');
  }

  cutOff(): void {
    this.#end(failures.CUT_OFF.flag, 'CUT_OFF');
  }

  /** The connection is not for the endpoint after all: the client is left as it is. */
  withdraw(): void {
    if (this.#state === 'done') return;
    this.#server?.destroy();
    this.#finish('', '');
  }

  #end(flags: string, failure: FailureCode | '' = ''): void {
    if (this.#state === 'done') return;
    this.#server?.destroy();
    this.#client.destroy();
    this.#finish(failure, flags);
  }

  #fail(code: FailureCode): void {
    this.#client.destroy();
    this.#finish(code, this.attempts > 1 ? joinFlags(failures[code].flag, 'URX') : failures[code].flag);
  }

  #countOpened(): EdgeSeries {
    this.#series = this.#owner.series(this.endpoint);
    recordOpened(this.#series);
    return this.#series;
  }

  #count(): void {
    if (this.#series === null) return;
    recordBytes(this.#series, this.sentBytes - this.#countedSent, this.receivedBytes - this.#countedReceived);
    this.#countedSent = this.sentBytes;
    this.#countedReceived = this.receivedBytes;
  }

  #release(outcome: AttemptOutcome): void {
    const { clock, random, connections } = this.#context;
    if (this.endpoint === null || this.cluster === null) return;
    endAttempt(this.cluster, this.endpoint, outcome, -1, clock.now(), random);
    connections.releaseTcp(this.cluster);
  }

  /** An endpoint is no longer looked for. */
  #connected(): void {
    const cluster = this.#seeking;
    this.#seeking = null;
    if (cluster === null) return;
    cluster.connecting--;
    cluster.released();
  }

  #finish(failure: FailureCode | '', flags: string): void {
    this.flags = flags;
    const open = this.#state === 'open';
    this.#connected();
    const dialling = this.#dial !== null;
    this.#state = 'done';
    this.#dial?.cancel();
    this.#dial = null;
    this.#stopWaiting();
    this.#early = [];
    // A peer that refuses our certificate closes without a byte: not a success of the endpoint, nor its fault.
    if (open) this.#release(this.sentBytes > 0 || !(this.endpoint?.meshed ?? false) ? 'success' : 'neutral');
    else if (dialling) this.#release('neutral');
    this.#count();
    recordClosed(this.#series ?? this.#countOpened(), flags);
    this.#owner.onSpliceEnd(this, failure);
  }
}
