import type {
  ClientConnection,
  ClientConnectionOwner,
  ClientStream,
  FieldLines,
  HttpVersion,
  RequestHead,
  ResetReason,
  ResponseReceiver,
} from '../exchange/stream.ts';
import type { Output } from '../transport/output.ts';
import type { Transport } from '../transport/transport.ts';
import { BodyDecoder, type BodySink } from './body-decoder.ts';
import { deliverResponseBody, receiveEndFromServer, receiveFromServer } from './client-input.ts';
import { Http1ClientStream } from './client-stream.ts';
import { tickClient } from './client-timeouts.ts';
import { HeadReader } from './head-reader.ts';
import type { Http1Codec } from './http1-codec.ts';
import { ReadGate } from './read-gate.ts';
import type { Refusal } from './refusal.ts';
import { Stopwatch } from './stopwatch.ts';

/**
 * What the next byte belongs to (RFC 9112 §2.1, §6.3, §9):
 *
 *     idle ── open() ──→ head ── 1xx ──→ head
 *     head ── final response ──→ body ── its end ──→ idle; without a body at once
 *     head ── 101, 2xx of CONNECT ──→ tunnel
 *     idle ── drained, not reusable, FIN of the peer ──→ linger: FIN is sent
 *     any ── error, timeout, the transport is gone ──→ closed
 *
 *  - idle: nothing: no request is open, or its response is complete. A byte here poisons the connection.
 *  - linger, closed: nothing.
 */
type Phase = 'idle' | 'head' | 'body' | 'tunnel' | 'linger' | 'closed';

/**
 * The client side of one HTTP/1.1 connection: one request at a time. Nothing of an upstream is trusted: a response
 * whose end is not certain, or a byte that nobody asked for, ends the connection, so that no response can be taken
 * for the answer to another request.
 *
 * After a response that came before the end of its request, the request may go on; the connection is used again only
 * if the request is completed. Who has no more to send calls `reset`.
 * A request with `upgrade`, or CONNECT, has no body: `data` before the tunnel is there is kept for it, and dropped
 * when the tunnel is refused.
 *
 * What comes in is read by `client-input.ts`; `client-timeouts.ts` says how long that may take. Both are functions over the
 * state that is here.
 */
export class Http1ClientConnection implements ClientConnection, BodySink {
  readonly version: HttpVersion = 11;
  readonly takesUpgrade = true;
  readonly codec: Http1Codec;
  readonly output: Output;
  readonly head: HeadReader;
  readonly decoder: BodyDecoder;
  readonly gate: ReadGate;
  readonly watch: Stopwatch;
  readonly #transport: Transport;
  readonly #owner: ClientConnectionOwner;
  phase: Phase = 'idle';
  stream: Http1ClientStream | null = null;
  /** Informational responses to the current request. */
  informational = 0;
  /** The peer allows another request after this one. */
  reusable = true;
  draining = false;
  idleTimeoutMs: number;
  #closeReason: ResetReason | null = null;

  /** The transport must be connected; the connection has capacity from the start and does not announce it. */
  constructor(codec: Http1Codec, transport: Transport, owner: ClientConnectionOwner) {
    this.codec = codec;
    this.output = transport.output;
    this.head = new HeadReader(codec.parser, codec.limits, 'response');
    this.decoder = new BodyDecoder(this, codec.limits, codec.parser);
    this.gate = new ReadGate(transport);
    this.watch = new Stopwatch(transport.output);
    this.#transport = transport;
    this.#owner = owner;
    this.idleTimeoutMs = codec.limits.idleTimeoutMs;
    this.output.onDrain = () => this.#drained();
    this.output.onProgress = () => this.#progressed();
  }

  get active(): number {
    return this.stream === null ? 0 : 1;
  }

  get capacity(): number {
    return this.phase === 'idle' && this.stream === null && !this.draining ? 1 : 0;
  }

  open(head: RequestHead, end: boolean, receiver: ResponseReceiver): ClientStream {
    if (this.capacity === 0) throw new Error('HTTP/1.1 connection has no capacity for another request');
    const stream = new Http1ClientStream(this, this.output, head, end, receiver);
    this.stream = stream;
    this.phase = 'head';
    this.informational = 0;
    this.watch.restart();
    return stream;
  }

  /** Takes bytes of the upstream; see transport.ts for who owns them. */
  receive(bytes: Buffer): void {
    receiveFromServer(this, bytes);
  }

  receiveEnd(): void {
    receiveEndFromServer(this);
  }

  onBody(chunk: Buffer, end: boolean): void {
    deliverResponseBody(this, chunk, end);
  }

  onBodyTrailers(fields: FieldLines): void {
    const { stream } = this;
    if (stream === null || stream.dead) return;
    stream.answered = true;
    stream.receiver.onResponseTrailers(fields);
  }

  /** The response is complete: makes room for the next request if the current one is complete too. */
  endTurn(): void {
    const stream = this.stream;
    if (stream === null || !stream.ended) return;
    stream.dead = true;
    this.stream = null;
    this.gate.reset();
    this.watch.restart();
    if (!this.reusable || this.draining) this.endOutput();
    else this.#owner.onCapacity(this);
  }

  /** The transport is gone. */
  closed(reason: ResetReason): void {
    this.fail(reason);
    this.#owner.onClosed(this, this.#closeReason ?? reason);
  }

  /** Decides about timeouts. @param nowMs monotonic milliseconds, called about once a second */
  tick(nowMs: number): void {
    tickClient(this, nowMs);
  }

  drain(): void {
    this.startDraining();
    if (this.phase === 'idle' && this.stream === null) this.endOutput();
  }

  startDraining(): void {
    if (this.draining || this.phase === 'closed') return;
    this.draining = true;
    this.#owner.onDraining(this);
  }

  destroy(): void {
    this.close('connection-closed');
  }

  // From here to #progressed: called by the stream.

  requestEnded(stream: Http1ClientStream): void {
    if (stream === this.stream && this.phase === 'idle') this.watch.restart();
  }

  /** The sender of the request does not keep to its Content-Length. */
  abort(): void {
    this.close('internal-error');
  }

  /** FIN towards the upstream; the other direction of the tunnel goes on. */
  tunnelHalfEnded(): void {
    this.#transport.end();
  }

  streamReset(stream: Http1ClientStream): void {
    if (stream === this.stream && !(stream.answered && stream.ended)) this.close('cancelled');
  }

  consumed(bytes: number): void {
    this.gate.consumed(bytes);
  }

  /** A request that ended after its response gives the connection back here, not inside the call that ended it. */
  #progressed(): void {
    if (this.phase === 'idle' && this.stream !== null) this.endTurn();
  }

  #drained(): void {
    const stream = this.stream;
    if (stream !== null && !stream.dead && !stream.ended) stream.receiver.onRequestWritable();
  }

  /** Nothing of its request has been handed to the socket. */
  isUnsent(stream: Http1ClientStream): boolean {
    return this.output.written <= stream.start;
  }

  /** The peer had sent FIN before it could read the request: the connection is as good as reset. */
  get crossedEnd(): boolean {
    return this.#transport.crossedEnd?.() === true;
  }

  refuse(refusal: Refusal): void {
    this.codec.refused('client', refusal);
    this.fail(refusal.limit === '' ? 'protocol-error' : 'limit');
  }

  /** Ends the connection and tells the stream, which may be retried if nothing of it was handed to the socket. */
  fail(reason: ResetReason): void {
    const stream = this.stream;
    const why = this.#closeReason ?? reason;
    this.close(reason);
    this.stream = null;
    if (stream === null || stream.dead) return;
    stream.dead = true;
    if (stream.awaited) stream.receiver.onResponseReset(this.isUnsent(stream) ? 'refused' : this.#lost(why));
  }

  /** A reset after bytes of an answer is no sign that the request was not read. */
  #lost(reason: ResetReason): ResetReason {
    const heard = this.informational > 0 || this.head.state === 'partial';
    return reason === 'connection-reset' && heard ? 'connection-closed' : reason;
  }

  /** Sends FIN after what is written. */
  endOutput(): void {
    this.phase = 'linger';
    this.watch.restart();
    this.gate.reset();
    this.#transport.end();
  }

  close(reason: ResetReason): void {
    if (this.phase === 'closed') return;
    this.phase = 'closed';
    this.#closeReason = reason;
    this.decoder.stop();
    this.output.close();
    this.#transport.destroy();
  }
}
