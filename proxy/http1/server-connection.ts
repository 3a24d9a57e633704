import { failureHeader } from '../../api/failure.ts';
import type {
  FieldLines,
  HttpVersion,
  RequestHandler,
  ResetReason,
  ServerConnection,
} from '../exchange/stream.ts';
import type { Output } from '../transport/output.ts';
import type { Transport } from '../transport/transport.ts';
import { BodyDecoder, type BodySink } from './body-decoder.ts';
import { HeadReader } from './head-reader.ts';
import { statusLine, writeHead } from './head-writer.ts';
import { HeldBytes } from './held-bytes.ts';
import type { Http1Codec } from './http1-codec.ts';
import { ReadGate } from './read-gate.ts';
import { type Refusal, refusalStatus, resetReason } from './refusal.ts';
import { deliverBody, receiveEndFromClient, receiveFromClient, releaseHeld } from './server-input.ts';
import type { Http1ServerStream } from './server-stream.ts';
import { tickServer } from './server-timeouts.ts';
import { Stopwatch } from './stopwatch.ts';

/**
 * What the next byte belongs to (RFC 9112 §2.1, §6, §9):
 *
 *     head ── a request with a body ──→ body ── its end ──→ wait ── the response is sent ──→ head
 *     head ── a request without one, or for a tunnel ──→ wait ── 101, 2xx of CONNECT ──→ tunnel
 *     head, body, wait ── last response, refusal, idle ──→ linger: FIN is sent
 *     any ── error, timeout, the transport is gone ──→ closed
 *
 *  - head: a request head, or nothing yet: the only state without a stream.
 *  - body: the body of the current request; thrown away when its response has ended already.
 *  - wait: a later request (or a tunnel that is not there yet): kept until the current one is done.
 *  - linger: nothing. Reading on for a while, however much comes, lets a client that still sends read the response before
 *    it sees a reset (§9.6).
 *  - closed: nothing; the transport is closing or closed.
 */
type Phase = 'head' | 'body' | 'wait' | 'tunnel' | 'linger' | 'closed';

/**
 * The server side of one HTTP/1.1 (or 1.0) connection. Requests are served one at a time; what a client sends ahead of
 * its turn is kept up to a limit. A request's turn ends when its body has been read and the operating system has
 * taken its response, so a client that does not read gets no further requests served.
 *
 * When the response ends before the request body does, the receiver hears no more of the request than
 * `onResponseSent`; the rest of the body is read and dropped up to `maxDiscardBytes`, or the connection closes.
 * A request for an upgrade or CONNECT starts with `end` false; no end comes for it unless it becomes a tunnel.
 *
 * What comes in is read by `server-input.ts`; `server-timeouts.ts` says how long that may take. Both are functions over the
 * state that is here.
 */
export class Http1ServerConnection implements ServerConnection, BodySink {
  readonly version: HttpVersion = 11;
  readonly context: unknown;
  readonly codec: Http1Codec;
  readonly output: Output;
  readonly handler: RequestHandler;
  readonly scheme: string;
  readonly head: HeadReader;
  readonly decoder: BodyDecoder;
  readonly gate: ReadGate;
  readonly held: HeldBytes;
  readonly watch: Stopwatch;
  readonly #transport: Transport;
  phase: Phase = 'head';
  stream: Http1ServerStream | null = null;
  /** Bytes of an empty line before the request line: 0..2. */
  emptyLine = 0;
  /** The response has ended before the request body: what still comes is thrown away. */
  discarding = false;
  /** Bytes thrown away. */
  discarded = 0;
  /** The client sent FIN. */
  inputEnded = false;
  /** The receiver of a tunnel has been told so. */
  endTold = false;
  draining = false;

  /** @param scheme `http` or `https`: of requests whose target does not say it */
  constructor(
    codec: Http1Codec,
    transport: Transport,
    handler: RequestHandler,
    scheme: 'http' | 'https',
    context: unknown,
  ) {
    this.codec = codec;
    this.output = transport.output;
    this.handler = handler;
    this.scheme = scheme;
    this.context = context;
    this.head = new HeadReader(codec.parser, codec.limits, 'request');
    this.decoder = new BodyDecoder(this, codec.limits, codec.parser);
    this.gate = new ReadGate(transport);
    this.held = new HeldBytes(codec.limits.maxBufferedBytes);
    this.watch = new Stopwatch(transport.output);
    this.#transport = transport;
    this.output.onDrain = () => this.#drained();
    this.output.onProgress = () => this.#progressed();
  }

  get active(): number {
    return this.stream === null ? 0 : 1;
  }

  /** Takes bytes of the client; see transport.ts for who owns them. */
  receive(bytes: Buffer): void {
    receiveFromClient(this, bytes);
  }

  receiveEnd(): void {
    receiveEndFromClient(this);
  }

  onBody(chunk: Buffer, end: boolean): void {
    deliverBody(this, chunk, end);
  }

  onBodyTrailers(fields: FieldLines): void {
    if (!this.discarding) this.stream?.receiver.onRequestTrailers(fields);
  }

  /** The transport is gone. */
  closed(reason: ResetReason): void {
    const stream = this.stream;
    const finished = stream === null || (stream.sent && (!stream.isTunnel || this.endTold));
    this.phase = 'closed';
    this.decoder.stop();
    this.held.clear();
    this.output.close();
    if (!finished) this.fail(reason);
    this.stream = null;
  }

  /** Decides about timeouts. @param nowMs monotonic milliseconds, called about once a second */
  tick(nowMs: number): void {
    tickServer(this, nowMs);
  }

  /**
   * Says `Connection: close` in the next response. An idle connection is closed only after `drainIdleTimeoutMs`,
   * because a request may be on its way, and a client cannot know whether it was read.
   */
  drain(): void {
    if (this.draining) return;
    this.draining = true;
    if (this.phase === 'head' && this.head.state === 'none') this.watch.restart();
  }

  cutOff(): void {
    const stream = this.stream;
    this.draining = true;
    if (stream !== null && !stream.dead && !(stream.ended && !stream.isTunnel)) stream.receiver.onCutOff();
    if (this.phase === 'tunnel') this.close();
    else this.endOutput();
  }

  destroy(): void {
    this.close();
  }

  // From here to #progressed: called by the stream.

  /** Whether the connection can go on after this response, as its head is written. */
  staysOpenAfter(stream: Http1ServerStream, end: boolean): boolean {
    if (!stream.keepAlive || this.draining || (this.inputEnded && this.held.length === 0)) return false;
    // The client may already send as if the tunnel were there, so what follows cannot be read as requests.
    if (stream.isConnect || (stream.asksTunnel && this.held.length > 0)) return false;
    // Without a 100 response the client may or may not send the body (RFC 9110 §10.1.1).
    return !stream.awaitsContinue && (!end || this.#canSkipBody());
  }

  /** Whether the rest of the request body can be read over. */
  #canSkipBody(): boolean {
    return this.decoder.done || this.decoder.remaining <= this.codec.limits.maxDiscardBytes;
  }

  responseEnded(stream: Http1ServerStream): void {
    if (!stream.keepAlive || !this.#canSkipBody()) return this.endOutput();
    if (this.decoder.done) return;
    this.discarding = true;
    this.gate.reset();
  }

  tunnelOpened(): void {
    this.phase = 'tunnel';
  }

  /** FIN towards the client; the other direction of the tunnel goes on. */
  tunnelHalfEnded(): void {
    this.#transport.end();
  }

  consumed(bytes: number): void {
    this.gate.consumed(bytes);
  }

  streamReset(stream: Http1ServerStream): void {
    if (stream !== this.stream) return;
    this.stream = null;
    this.truncate(stream);
  }

  /** Ends the connection so that the client can tell that the response is not complete. */
  truncate(stream: Http1ServerStream): void {
    if (stream.showsTruncation) this.endOutput();
    else this.close();
  }

  #progressed(): void {
    const stream = this.stream;
    if (stream !== null && stream.ended && !stream.sent && this.output.delivered >= stream.mark) {
      stream.sent = true;
      if (!stream.dead) stream.receiver.onResponseSent();
    }
    if (this.phase === 'tunnel' || this.endTurn()) releaseHeld(this);
  }

  /** Makes room for the next request when the current one is done in both directions. */
  endTurn(): boolean {
    const stream = this.stream;
    if (stream === null || !stream.sent || !this.decoder.done || this.phase === 'tunnel') return false;
    this.stream = null;
    this.discarding = false;
    this.discarded = 0;
    if (this.phase !== 'wait') return false;
    this.phase = 'head';
    this.watch.restart();
    this.gate.reset();
    return true;
  }

  #drained(): void {
    const stream = this.stream;
    if (stream !== null && !stream.dead && !stream.ended) stream.receiver.onWritable();
  }

  /** Refuses a request whose head cannot be understood. */
  refuse(refusal: Refusal): void {
    this.head.clear();
    this.codec.refused('server', refusal);
    this.#answer(refusal);
  }

  refuseBody(refusal: Refusal): void {
    const stream = this.stream;
    this.codec.refused('server', refusal);
    if (stream === null || stream.waiting) this.#answer(refusal);
    else if (stream.ended) this.endOutput();
    else this.truncate(stream);
    if (stream?.ended !== true) this.fail(resetReason(refusal));
  }

  #answer(refusal: Refusal): void {
    const fields = [failureHeader, `${refusal.code}; ${refusal.sentence}`];
    writeHead(
      this.output,
      statusLine(refusalStatus(refusal)),
      fields,
      'content-length: 0\r\nconnection: close\r\n\r\n',
    );
    this.endOutput();
  }

  /** Sends FIN after what is written, and reads on for a while. */
  endOutput(): void {
    if (this.phase === 'linger' || this.phase === 'closed') return;
    this.phase = 'linger';
    this.decoder.stop();
    this.held.clear();
    this.watch.restart();
    this.gate.reset();
    this.gate.open();
    this.#transport.end();
  }

  close(): void {
    if (this.phase === 'closed') return;
    this.phase = 'closed';
    this.decoder.stop();
    this.output.close();
    this.#transport.destroy();
  }

  fail(reason: ResetReason): void {
    const stream = this.stream;
    if (stream === null || stream.dead) return;
    stream.dead = true;
    this.stream = null;
    stream.receiver.onRequestReset(reason);
  }
}
