import type {
  ClientConnection,
  ClientConnectionOwner,
  ClientStream,
  FieldLines,
  HttpVersion,
  RequestHead,
  ResetReason,
  ResponseHead,
  ResponseReceiver,
} from '../exchange/stream.ts';
import type { Output } from '../transport/output.ts';
import type { Transport } from '../transport/transport.ts';
import { BodyDecoder, type BodySink, EMPTY } from './body-decoder.ts';
import { Http1ClientStream } from './client-stream.ts';
import { INCOMPLETE, REFUSED } from './head-parser.ts';
import type { Http1Codec } from './http1-codec.ts';
import type { Http1Limits } from './limits.ts';
import { IN_LINE, PartialHead } from './partial-head.ts';
import { ReadGate } from './read-gate.ts';
import { REFUSALS, type Refusal } from './refusal.ts';
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
 */
export class Http1ClientConnection implements ClientConnection, BodySink {
  readonly version: HttpVersion = 11;
  readonly takesUpgrade = true;
  readonly #codec: Http1Codec;
  readonly #transport: Transport;
  readonly #output: Output;
  readonly #owner: ClientConnectionOwner;
  readonly #decoder: BodyDecoder;
  readonly #gate: ReadGate;
  readonly #watch: Stopwatch;
  #phase: Phase = 'idle';
  #stream: Http1ClientStream | null = null;
  #partial: PartialHead | null = null;
  #informational = 0;
  /** The peer allows another request after this one. */
  #reusable = true;
  #draining = false;
  #idleTimeoutMs: number;
  #closeReason: ResetReason | null = null;

  /** The transport must be connected; the connection has capacity from the start and does not announce it. */
  constructor(codec: Http1Codec, transport: Transport, owner: ClientConnectionOwner) {
    this.#codec = codec;
    this.#transport = transport;
    this.#output = transport.output;
    this.#owner = owner;
    this.#decoder = new BodyDecoder(this, codec.limits, codec.parser);
    this.#gate = new ReadGate(transport);
    this.#watch = new Stopwatch(transport.output);
    this.#idleTimeoutMs = codec.limits.idleTimeoutMs;
    this.#output.onDrain = () => this.#drained();
    this.#output.onProgress = () => this.#progressed();
  }

  get active(): number {
    return this.#stream === null ? 0 : 1;
  }

  get capacity(): number {
    return this.#phase === 'idle' && this.#stream === null && !this.#draining ? 1 : 0;
  }

  open(head: RequestHead, end: boolean, receiver: ResponseReceiver): ClientStream {
    if (this.capacity === 0) throw new Error('HTTP/1.1 connection has no capacity for another request');
    const stream = new Http1ClientStream(this, this.#output, head, end, receiver);
    this.#stream = stream;
    this.#phase = 'head';
    this.#informational = 0;
    this.#watch.restart();
    return stream;
  }

  /** Takes bytes of the upstream; see transport.ts for who owns them. */
  receive(bytes: Buffer): void {
    const end = bytes.length;
    let i = 0;
    while (i < end) {
      switch (this.#phase) {
        case 'head':
          i = this.#head(bytes, i, end);
          break;
        case 'body':
          i = this.#body(bytes, i, end);
          break;
        case 'tunnel':
          this.onBody(i === 0 ? bytes : bytes.subarray(i), false);
          i = end;
          break;
        case 'idle':
          this.#refuse(REFUSALS.unexpectedBytes);
          return;
        case 'linger':
        case 'closed':
          return;
      }
    }
    if (this.#phase === 'idle') this.#endTurn();
  }

  #head(bytes: Buffer, start: number, end: number): number {
    const stream = this.#stream;
    // An answer to a request of which nothing has been sent is no answer to it.
    if (stream === null || this.#isUnsent(stream)) {
      this.#refuse(REFUSALS.unexpectedBytes);
      return end;
    }
    if (this.#partial !== null) return this.#partialHead(stream, this.#partial, bytes, start, end);
    const { parser, limits } = this.#codec;
    const next = parser.parseResponse(bytes, start, end);
    if (next === INCOMPLETE) {
      this.#partial = new PartialHead(
        IN_LINE,
        limits.maxHeadBytes,
        limits.maxStartLineBytes,
        REFUSALS.headBytes,
      );
      this.#watch.restart();
      return this.#partialHead(stream, this.#partial, bytes, start, end);
    }
    if (next === REFUSED) {
      this.#refuse(parser.refusal);
      return end;
    }
    this.#response(stream);
    return next;
  }

  #partialHead(
    stream: Http1ClientStream,
    partial: PartialHead,
    bytes: Buffer,
    start: number,
    end: number,
  ): number {
    const { parser } = this.#codec;
    const next = partial.append(bytes, start, end);
    if (partial.refusal !== null) {
      this.#refuse(partial.refusal);
      return end;
    }
    if (!partial.complete) return next;
    this.#partial = null;
    if (parser.parseResponse(partial.bytes, 0, partial.length) > 0) this.#response(stream);
    else this.#refuse(parser.refusal);
    return next;
  }

  /** Interprets the head in the parser (RFC 9112 §6.3). */
  #response(stream: Http1ClientStream): void {
    const p = this.#codec.parser;
    const { status, fields } = p;
    if (status < 200) {
      if (status !== 101) return this.#informed(stream, status, fields);
      if (stream.upgrade === '' || p.upgrade !== stream.upgrade) return this.#refuse(REFUSALS.unaskedUpgrade);
      return this.#openTunnel(stream, { status, fields, contentLength: -1 });
    }
    if (stream.isConnect && status < 300)
      return this.#openTunnel(stream, { status, fields, contentLength: -1 });
    if (stream.asksTunnel) stream.tunnelRefused();
    this.#reusable = p.keepAlive;
    this.#setIdleTimeout(p.keepAliveSeconds);
    const head: ResponseHead = { status, fields, contentLength: p.chunked ? -1 : p.contentLength };
    const bodiless = stream.isHead || status === 204 || status === 304;
    if (bodiless) this.#bodiless(head);
    else if (p.chunked) this.#decoder.startChunked();
    else if (p.contentLength >= 0) this.#decoder.startFixed(p.contentLength);
    else this.#decoder.startUntilClose();
    if (this.#decoder.untilClose) this.#reusable = false;
    const end = this.#decoder.done;
    this.#phase = end ? 'idle' : 'body';
    stream.answered = end;
    stream.receiver.onResponse(head, end);
    if (!this.#reusable) this.#startDraining();
  }

  #informed(stream: Http1ClientStream, status: number, fields: FieldLines): void {
    const p = this.#codec.parser;
    if (!p.keepAlive || p.chunked || p.contentLength > 0) return this.#refuse(REFUSALS.informationalFraming);
    if (++this.#informational > this.#codec.limits.maxInformational)
      return this.#refuse(REFUSALS.informational);
    stream.receiver.onInformational(status, fields);
  }

  /** A 204 that announces a body is followed by one more often than not. */
  #bodiless(head: ResponseHead): void {
    if (head.status !== 204) return;
    if (this.#codec.parser.chunked || head.contentLength > 0) this.#reusable = false;
    head.contentLength = 0;
  }

  #openTunnel(stream: Http1ClientStream, head: ResponseHead): void {
    this.#phase = 'tunnel';
    this.#reusable = false;
    stream.receiver.onResponse(head, false);
    if (!stream.dead) stream.tunnelOpened();
    if (!stream.dead && this.#output.writable) stream.receiver.onRequestWritable();
    this.#startDraining();
  }

  /** Stops using the connection a second before the upstream does, so that no request meets its FIN. */
  #setIdleTimeout(keepAliveSeconds: number): void {
    if (keepAliveSeconds < 0) return;
    this.#idleTimeoutMs = Math.min(
      this.#codec.limits.idleTimeoutMs,
      Math.max(keepAliveSeconds * 1000 - 1000, 0),
    );
  }

  #body(bytes: Buffer, start: number, end: number): number {
    const decoder = this.#decoder;
    const next = decoder.decode(bytes, start, end);
    if (this.#phase !== 'body') return next;
    if (decoder.refusal !== null) {
      this.#refuse(decoder.refusal);
      return end;
    }
    if (decoder.done) this.#phase = 'idle';
    return next;
  }

  onBody(chunk: Buffer, end: boolean): void {
    const stream = this.#stream;
    if (stream === null || stream.dead) return;
    this.#gate.delivered(chunk.length);
    stream.answered = end;
    stream.receiver.onResponseData(chunk, end);
    this.#gate.check();
  }

  onBodyTrailers(fields: FieldLines): void {
    const stream = this.#stream;
    if (stream === null || stream.dead) return;
    stream.answered = true;
    stream.receiver.onResponseTrailers(fields);
  }

  /** The response is complete: makes room for the next request if the current one is complete too. */
  #endTurn(): void {
    const stream = this.#stream;
    if (stream === null || !stream.ended) return;
    stream.dead = true;
    this.#stream = null;
    this.#gate.reset();
    this.#watch.restart();
    if (!this.#reusable || this.#draining) this.#endOutput();
    else this.#owner.onCapacity(this);
  }

  /** FIN from the upstream: the end of a body that has no other end, else of the connection. */
  receiveEnd(): void {
    switch (this.#phase) {
      case 'body':
        if (!this.#decoder.untilClose) return this.#fail('connection-closed');
        this.#decoder.stop();
        this.#phase = 'idle';
        this.onBody(EMPTY, true);
        // A request that is still going on has nobody to go to.
        if (this.#phase === 'idle') this.#endOutput();
        return;
      case 'tunnel':
        return this.onBody(EMPTY, true);
      case 'linger':
      case 'closed':
        return;
      case 'idle':
      case 'head':
        if (this.#stream !== null) return this.#fail('connection-closed');
        this.#startDraining();
        return this.#endOutput();
    }
  }

  /** The transport is gone. */
  closed(reason: ResetReason): void {
    this.#fail(reason);
    this.#owner.onClosed(this, this.#closeReason ?? reason);
  }

  /** Decides about timeouts. @param nowMs monotonic milliseconds, called about once a second */
  tick(nowMs: number): void {
    const { limits } = this.#codec;
    if (this.#phase === 'closed') return;
    if (this.#watch.stalled(nowMs, limits.bodyIdleTimeoutMs)) return this.#timeout('bodyIdleTimeoutMs');
    switch (this.#phase) {
      case 'head':
        return this.#tickHead(nowMs);
      case 'idle':
        return this.#tickIdle(nowMs);
      case 'linger':
        if (this.#output.buffered > 0) this.#watch.restart();
        else if (this.#watch.passed(nowMs, limits.lingerTimeoutMs)) this.#close('timeout');
        return;
      case 'body':
      case 'tunnel':
        return;
    }
  }

  /** While a body is still being sent the upstream need not answer. */
  #tickHead(nowMs: number): void {
    const { headTimeoutMs, answerTimeoutMs } = this.#codec.limits;
    if (this.#partial !== null) {
      if (this.#watch.passed(nowMs, headTimeoutMs)) this.#timeout('headTimeoutMs');
    } else if (this.#stream !== null && !this.#stream.ended && !this.#stream.asksTunnel) {
      this.#watch.restart();
    } else if (this.#watch.passed(nowMs, answerTimeoutMs)) {
      this.#timeout('answerTimeoutMs');
    }
  }

  #tickIdle(nowMs: number): void {
    if (this.#stream !== null) {
      if (this.#watch.passed(nowMs, this.#codec.limits.bodyIdleTimeoutMs)) this.#timeout('bodyIdleTimeoutMs');
    } else if (this.#watch.passed(nowMs, this.#idleTimeoutMs)) {
      if (this.#idleTimeoutMs === this.#codec.limits.idleTimeoutMs)
        this.#codec.observer.onLimit('idleTimeoutMs');
      this.drain();
    }
  }

  #timeout(limit: keyof Http1Limits): void {
    this.#codec.observer.onLimit(limit);
    this.#fail('timeout');
  }

  drain(): void {
    this.#startDraining();
    if (this.#phase === 'idle' && this.#stream === null) this.#endOutput();
  }

  #startDraining(): void {
    if (this.#draining || this.#phase === 'closed') return;
    this.#draining = true;
    this.#owner.onDraining(this);
  }

  destroy(): void {
    this.#close('connection-closed');
  }

  // From here to #progressed: called by the stream.

  requestEnded(stream: Http1ClientStream): void {
    if (stream === this.#stream && this.#phase === 'idle') this.#watch.restart();
  }

  /** The sender of the request does not keep to its Content-Length. */
  abort(): void {
    this.#close('internal-error');
  }

  /** FIN towards the upstream; the other direction of the tunnel goes on. */
  tunnelHalfEnded(): void {
    this.#transport.end();
  }

  streamReset(stream: Http1ClientStream): void {
    if (stream === this.#stream && !(stream.answered && stream.ended)) this.#close('cancelled');
  }

  consumed(bytes: number): void {
    this.#gate.consumed(bytes);
  }

  /** A request that ended after its response gives the connection back here, not inside the call that ended it. */
  #progressed(): void {
    if (this.#phase === 'idle' && this.#stream !== null) this.#endTurn();
  }

  #drained(): void {
    const stream = this.#stream;
    if (stream !== null && !stream.dead && !stream.ended) stream.receiver.onRequestWritable();
  }

  #isUnsent(stream: Http1ClientStream): boolean {
    return this.#output.written <= stream.start;
  }

  #refuse(refusal: Refusal): void {
    this.#codec.refused('client', refusal);
    this.#fail(refusal.limit === '' ? 'protocol-error' : 'limit');
  }

  /** Ends the connection and tells the stream, which may be retried if nothing of it was handed to the socket. */
  #fail(reason: ResetReason): void {
    const stream = this.#stream;
    const why = this.#closeReason ?? reason;
    this.#close(reason);
    this.#stream = null;
    if (stream === null || stream.dead) return;
    stream.dead = true;
    if (stream.awaited) stream.receiver.onResponseReset(this.#isUnsent(stream) ? 'refused' : this.#lost(why));
  }

  /** A reset after bytes of an answer is no sign that the request was not read. */
  #lost(reason: ResetReason): ResetReason {
    const heard = this.#informational > 0 || this.#partial !== null;
    return reason === 'connection-reset' && heard ? 'connection-closed' : reason;
  }

  /** Sends FIN after what is written. */
  #endOutput(): void {
    this.#phase = 'linger';
    this.#watch.restart();
    this.#gate.reset();
    this.#transport.end();
  }

  #close(reason: ResetReason): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#closeReason = reason;
    this.#decoder.stop();
    this.#output.close();
    this.#transport.destroy();
  }
}
