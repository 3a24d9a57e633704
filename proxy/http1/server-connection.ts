import type {
  FieldLines,
  HttpVersion,
  RequestHandler,
  RequestHead,
  ResetReason,
  ServerConnection,
} from '../exchange/stream.ts';
import type { Output } from '../transport/output.ts';
import type { Transport } from '../transport/transport.ts';
import { BodyDecoder, type BodySink, EMPTY } from './body-decoder.ts';
import { CR, LF } from './bytes.ts';
import { INCOMPLETE, REFUSED } from './head-parser.ts';
import { statusLine, writeHead } from './head-writer.ts';
import { HeldBytes } from './held-bytes.ts';
import type { Http1Codec } from './http1-codec.ts';
import { IN_LINE, PartialHead } from './partial-head.ts';
import { ReadGate } from './read-gate.ts';
import { REFUSALS, type Refusal } from './refusal.ts';
import { Http1ServerStream } from './server-stream.ts';
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
 */
export class Http1ServerConnection implements ServerConnection, BodySink {
  readonly version: HttpVersion = 11;
  readonly context: unknown;
  readonly #codec: Http1Codec;
  readonly #transport: Transport;
  readonly #output: Output;
  readonly #handler: RequestHandler;
  readonly #scheme: string;
  readonly #decoder: BodyDecoder;
  readonly #gate: ReadGate;
  readonly #held: HeldBytes;
  readonly #watch: Stopwatch;
  #phase: Phase = 'head';
  #stream: Http1ServerStream | null = null;
  #partial: PartialHead | null = null;
  /** Bytes of an empty line before the request line: 0..2. */
  #emptyLine = 0;
  #discarding = false;
  #discarded = 0;
  /** The client sent FIN. */
  #inputEnded = false;
  /** The receiver of a tunnel has been told so. */
  #endTold = false;
  #draining = false;

  /** @param scheme `http` or `https`: of requests whose target does not say it */
  constructor(
    codec: Http1Codec,
    transport: Transport,
    handler: RequestHandler,
    scheme: 'http' | 'https',
    context: unknown,
  ) {
    this.#codec = codec;
    this.#transport = transport;
    this.#output = transport.output;
    this.#handler = handler;
    this.#scheme = scheme;
    this.context = context;
    this.#decoder = new BodyDecoder(this, codec.limits, codec.parser);
    this.#gate = new ReadGate(transport);
    this.#held = new HeldBytes(codec.limits.maxBufferedBytes);
    this.#watch = new Stopwatch(transport.output);
    this.#output.onDrain = () => this.#drained();
    this.#output.onProgress = () => this.#progressed();
  }

  get active(): number {
    return this.#stream === null ? 0 : 1;
  }

  /** Takes bytes of the client; see transport.ts for who owns them. */
  receive(bytes: Buffer): void {
    if (this.#held.length > 0) return this.#hold(bytes, 0);
    const next = this.#consume(bytes, bytes.length, 0);
    if (next < bytes.length) this.#hold(bytes, next);
  }

  #consume(bytes: Buffer, end: number, start: number): number {
    let i = start;
    while (i < end) {
      switch (this.#phase) {
        case 'head':
          i = this.#head(bytes, i, end);
          break;
        case 'body':
          i = this.#body(bytes, i, end);
          break;
        case 'wait':
          return i;
        case 'tunnel':
          this.onBody(i === 0 && end === bytes.length ? bytes : bytes.subarray(i, end), false);
          return end;
        case 'linger':
        case 'closed':
          return end;
      }
    }
    return i;
  }

  #head(bytes: Buffer, start: number, end: number): number {
    if (this.#partial !== null) return this.#partialHead(this.#partial, bytes, start, end);
    if (this.#emptyLine < 2 && (this.#emptyLine === 1 || bytes[start] === CR))
      return this.#skipEmptyLine(bytes, start);
    const { parser, limits } = this.#codec;
    const next = parser.parseRequest(bytes, start, end);
    if (next === INCOMPLETE) {
      this.#partial = new PartialHead(
        IN_LINE,
        limits.maxHeadBytes,
        limits.maxStartLineBytes,
        REFUSALS.headBytes,
      );
      this.#watch.restart();
      return this.#partialHead(this.#partial, bytes, start, end);
    }
    if (next === REFUSED) {
      this.#refuse(parser.refusal);
      return end;
    }
    this.#request();
    return next;
  }

  /** A client may send one too many line breaks after a body (RFC 9112 §2.2). */
  #skipEmptyLine(bytes: Buffer, start: number): number {
    if (this.#emptyLine === 1 && bytes[start] !== LF) this.#refuse(REFUSALS.bareCr);
    if (this.#emptyLine === 0) this.#watch.restart();
    this.#emptyLine++;
    return start + 1;
  }

  #partialHead(partial: PartialHead, bytes: Buffer, start: number, end: number): number {
    const { parser } = this.#codec;
    const next = partial.append(bytes, start, end);
    if (partial.refusal !== null) {
      this.#refuse(partial.refusal);
      return end;
    }
    if (!partial.complete) return next;
    this.#partial = null;
    if (parser.parseRequest(partial.bytes, 0, partial.length) > 0) this.#request();
    else this.#refuse(parser.refusal);
    return next;
  }

  /** Hands the request in the parser to the handler. */
  #request(): void {
    const p = this.#codec.parser;
    const head: RequestHead = {
      method: p.method,
      scheme: p.scheme === '' ? this.#scheme : p.scheme,
      authority: p.authority,
      path: p.path,
      upgrade: p.upgrade,
      version: p.version,
      fields: p.fields,
      contentLength: p.chunked ? -1 : Math.max(p.contentLength, 0),
    };
    const stream = new Http1ServerStream(
      this,
      this.#output,
      p.method,
      p.version,
      p.upgrade,
      p.expectContinue && head.contentLength !== 0,
      p.keepAlive,
    );
    this.#stream = stream;
    this.#emptyLine = 0;
    this.#watch.restart();
    if (p.chunked) this.#decoder.startChunked();
    else this.#decoder.startFixed(head.contentLength);
    this.#phase = head.contentLength === 0 ? 'wait' : 'body';
    this.#handler.onRequest(stream, head, head.contentLength === 0 && !stream.asksTunnel);
  }

  #body(bytes: Buffer, start: number, end: number): number {
    const decoder = this.#decoder;
    this.#watch.restart();
    if (this.#stream !== null) this.#stream.awaitsContinue = false;
    const next = decoder.decode(bytes, start, end);
    if (this.#phase !== 'body') return next;
    if (decoder.refusal !== null) {
      this.#refuseBody(decoder.refusal);
      return end;
    }
    if (decoder.done) {
      this.#phase = 'wait';
      this.#endTurn();
    }
    return next;
  }

  onBody(chunk: Buffer, end: boolean): void {
    if (this.#discarding) return this.#discard(chunk.length);
    if (this.#stream === null) return;
    this.#gate.delivered(chunk.length);
    this.#stream.receiver.onRequestData(chunk, end);
    this.#gate.check();
  }

  onBodyTrailers(fields: FieldLines): void {
    if (!this.#discarding) this.#stream?.receiver.onRequestTrailers(fields);
  }

  #discard(bytes: number): void {
    this.#discarded += bytes;
    if (this.#discarded <= this.#codec.limits.maxDiscardBytes) return;
    this.#codec.observer.onLimit('maxDiscardBytes');
    this.#endOutput();
  }

  #hold(bytes: Buffer, start: number): void {
    if (this.#phase === 'linger' || this.#phase === 'closed') return;
    if (!this.#held.append(bytes, start)) {
      this.#codec.refused('server', REFUSALS.bufferedBytes);
      this.#close();
      this.#fail('limit');
    } else if (this.#held.full) {
      this.#gate.close();
    }
  }

  /** Serves what was kept, when its turn has come. */
  #release(): void {
    const held = this.#held;
    if (held.length > 0) {
      held.start = this.#consume(held.bytes, held.end, held.start);
      if (this.#phase === 'linger' || this.#phase === 'closed' || held.length === 0) held.clear();
    }
    if (!held.full) this.#gate.open();
    if (this.#inputEnded && held.length === 0) this.#endOfInput();
  }

  /** FIN from the client. Requests that are complete are still answered, if that does not take long. */
  receiveEnd(): void {
    this.#inputEnded = true;
    this.#watch.restart();
    if (this.#held.length === 0) this.#endOfInput();
  }

  #endOfInput(): void {
    switch (this.#phase) {
      case 'head':
        return this.#endOutput();
      case 'body':
        if (this.#discarding) return this.#endOutput();
        this.#close();
        return this.#fail('connection-closed');
      case 'tunnel':
        if (!this.#endTold) this.#stream?.receiver.onRequestData(EMPTY, true);
        this.#endTold = true;
        return;
      case 'wait':
      case 'linger':
      case 'closed':
        return;
    }
  }

  /** The transport is gone. */
  closed(reason: ResetReason): void {
    const stream = this.#stream;
    const finished = stream === null || (stream.sent && (!stream.isTunnel || this.#endTold));
    this.#phase = 'closed';
    this.#decoder.stop();
    this.#held.clear();
    this.#output.close();
    if (!finished) this.#fail(reason);
    this.#stream = null;
  }

  /** Decides about timeouts. @param nowMs monotonic milliseconds, called about once a second */
  tick(nowMs: number): void {
    const { limits, observer } = this.#codec;
    if (this.#phase === 'closed') return;
    if (this.#watch.stalled(nowMs, limits.bodyIdleTimeoutMs)) {
      observer.onLimit('bodyIdleTimeoutMs');
      this.#close();
      return this.#fail('timeout');
    }
    switch (this.#phase) {
      case 'head':
        return this.#tickHead(nowMs);
      case 'body':
        // A client that we do not read from is not late.
        if (this.#gate.closed) this.#watch.restart();
        else if (this.#watch.passed(nowMs, limits.bodyIdleTimeoutMs)) this.#refuseBody(REFUSALS.bodyTimeout);
        return;
      case 'wait':
        if (this.#inputEnded && this.#stream?.waiting === true) this.#tickHalfClosed(nowMs);
        return;
      case 'linger':
        if (this.#output.buffered > 0) this.#watch.restart();
        else if (this.#watch.passed(nowMs, limits.lingerTimeoutMs)) this.#close();
        return;
      case 'tunnel':
        return;
    }
  }

  #tickHead(nowMs: number): void {
    const { limits, observer } = this.#codec;
    if (this.#partial !== null || this.#emptyLine > 0) {
      if (this.#watch.passed(nowMs, limits.headTimeoutMs)) this.#refuse(REFUSALS.headTimeout);
    } else if (this.#draining) {
      if (this.#watch.passed(nowMs, limits.drainIdleTimeoutMs)) this.#endOutput();
    } else if (this.#watch.passed(nowMs, limits.idleTimeoutMs)) {
      observer.onLimit('idleTimeoutMs');
      this.#endOutput();
    }
  }

  #tickHalfClosed(nowMs: number): void {
    const { limits, observer } = this.#codec;
    if (!this.#watch.passed(nowMs, limits.halfCloseTimeoutMs)) return;
    observer.onLimit('halfCloseTimeoutMs');
    this.#close();
    this.#fail('cancelled');
  }

  /**
   * Says `Connection: close` in the next response. An idle connection is closed only after `drainIdleTimeoutMs`,
   * because a request may be on its way, and a client cannot know whether it was read.
   */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    if (this.#phase === 'head' && this.#partial === null) this.#watch.restart();
  }

  cutOff(): void {
    const stream = this.#stream;
    this.#draining = true;
    if (stream !== null && !stream.dead && !(stream.ended && !stream.isTunnel)) stream.receiver.onCutOff();
    if (this.#phase === 'tunnel') this.#close();
    else this.#endOutput();
  }

  destroy(): void {
    this.#close();
  }

  // From here to #progressed: called by the stream.

  /** Whether the connection can go on after this response, as its head is written. */
  staysOpenAfter(stream: Http1ServerStream, end: boolean): boolean {
    if (!stream.keepAlive || this.#draining || (this.#inputEnded && this.#held.length === 0)) return false;
    // The client may already send as if the tunnel were there, so what follows cannot be read as requests.
    if (stream.isConnect || (stream.asksTunnel && this.#held.length > 0)) return false;
    // Without a 100 response the client may or may not send the body (RFC 9110 §10.1.1).
    return !stream.awaitsContinue && (!end || this.#canSkipBody());
  }

  /** Whether the rest of the request body can be read over. */
  #canSkipBody(): boolean {
    return this.#decoder.done || this.#decoder.remaining <= this.#codec.limits.maxDiscardBytes;
  }

  responseEnded(stream: Http1ServerStream): void {
    if (!stream.keepAlive || !this.#canSkipBody()) return this.#endOutput();
    if (this.#decoder.done) return;
    this.#discarding = true;
    this.#gate.reset();
  }

  tunnelOpened(): void {
    this.#phase = 'tunnel';
  }

  /** FIN towards the client; the other direction of the tunnel goes on. */
  tunnelHalfEnded(): void {
    this.#transport.end();
  }

  consumed(bytes: number): void {
    this.#gate.consumed(bytes);
  }

  streamReset(stream: Http1ServerStream): void {
    if (stream !== this.#stream) return;
    this.#stream = null;
    this.truncate(stream);
  }

  /** Ends the connection so that the client can tell that the response is not complete. */
  truncate(stream: Http1ServerStream): void {
    if (stream.showsTruncation) this.#endOutput();
    else this.#close();
  }

  #progressed(): void {
    const stream = this.#stream;
    if (stream !== null && stream.ended && !stream.sent && this.#output.delivered >= stream.mark) {
      stream.sent = true;
      if (!stream.dead) stream.receiver.onResponseSent();
    }
    if (this.#phase === 'tunnel' || this.#endTurn()) this.#release();
  }

  /** Makes room for the next request when the current one is done in both directions. */
  #endTurn(): boolean {
    const stream = this.#stream;
    if (stream === null || !stream.sent || !this.#decoder.done || this.#phase === 'tunnel') return false;
    this.#stream = null;
    this.#discarding = false;
    this.#discarded = 0;
    if (this.#phase !== 'wait') return false;
    this.#phase = 'head';
    this.#watch.restart();
    this.#gate.reset();
    return true;
  }

  #drained(): void {
    const stream = this.#stream;
    if (stream !== null && !stream.dead && !stream.ended) stream.receiver.onWritable();
  }

  /** Refuses a request whose head cannot be understood. */
  #refuse(refusal: Refusal): void {
    this.#partial = null;
    this.#codec.refused('server', refusal);
    this.#answer(refusal);
  }

  #refuseBody(refusal: Refusal): void {
    const stream = this.#stream;
    this.#codec.refused('server', refusal);
    if (stream === null || stream.waiting) this.#answer(refusal);
    else if (stream.ended) this.#endOutput();
    else this.truncate(stream);
    if (stream?.ended !== true) this.#fail(resetReason(refusal));
  }

  #answer(refusal: Refusal): void {
    const fields = ['tulle-error', `BAD_REQUEST; ${refusal.sentence}`];
    writeHead(
      this.#output,
      statusLine(refusal.status),
      fields,
      'content-length: 0\r\nconnection: close\r\n\r\n',
    );
    this.#endOutput();
  }

  /** Sends FIN after what is written, and reads on for a while. */
  #endOutput(): void {
    if (this.#phase === 'linger' || this.#phase === 'closed') return;
    this.#phase = 'linger';
    this.#decoder.stop();
    this.#held.clear();
    this.#watch.restart();
    this.#gate.reset();
    this.#gate.open();
    this.#transport.end();
  }

  #close(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#decoder.stop();
    this.#output.close();
    this.#transport.destroy();
  }

  #fail(reason: ResetReason): void {
    const stream = this.#stream;
    if (stream === null || stream.dead) return;
    stream.dead = true;
    this.#stream = null;
    stream.receiver.onRequestReset(reason);
  }
}

function resetReason(refusal: Refusal): ResetReason {
  if (refusal.status === 408) return 'timeout';
  return refusal.limit === '' ? 'protocol-error' : 'limit';
}
