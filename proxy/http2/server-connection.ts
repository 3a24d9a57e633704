/** The server's end of an HTTP/2 connection: requests come in. */
import { failureHeader, failures } from '../../api/failure.ts';
import { truncate } from '../../runtime/truncate.ts';
import type { RequestHandler, ResetReason, ResponseHead, ServerConnection } from '../exchange/stream.ts';
import type { TransportUser } from '../transport/transport.ts';
import { NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, STREAM_CLOSED } from './error-code.ts';
import { CLIENT_PREFACE, MAX_31 } from './frame.ts';
import { type HeaderBlock, oversizeLimit, trailerFault } from './header-block.ts';
import { type Http2ConnectionOptions, Multiplexer, type Side } from './multiplexer.ts';
import { RequestReader } from './request-head.ts';
import { writeResponse } from './response-head.ts';
import { Http2ServerStream, type ServerStreamOwner } from './server-stream.ts';
import { serverSettings } from './settings.ts';

export interface Http2ServerOptions extends Http2ConnectionOptions {
  readonly handler: RequestHandler;
  /** Handed to the exchange as {@link ServerConnection.context}. */
  readonly context: unknown;
  /** Scheme of a plain CONNECT, which names none. */
  readonly scheme: 'http' | 'https';
}

/**
 * How far a drain is (RFC 9113 §6.8): `none` → GOAWAY(2^31-1) and PING → `announced`, new streams are
 * still served → drainGraceMs after the answer to the PING, or closeTimeoutMs → GOAWAY(last stream) → `final`, new
 * streams are ignored and the connection ends with its last stream.
 */
type DrainState = 'none' | 'announced' | 'final';

/** Identifiers of streams that ended lately, for telling a frame that is late from an identifier out of order. */
const ENDED_IDS = 16;

export class Http2ServerConnection implements ServerConnection, TransportUser, Side, ServerStreamOwner {
  readonly version = 20;
  readonly context: unknown;
  readonly #mux: Multiplexer;
  readonly #handler: RequestHandler;
  readonly #requests: RequestReader;
  #prefaceBytes = 0;
  #drain: DrainState = 'none';
  #drainSince = 0;
  /** When the PING of the drain was answered, ms of the connection's clock; -1 before. */
  #answeredAt = -1;
  /** The highest stream that the peer has opened. */
  #lastStream = 0;
  /** Above it nothing is served any more. */
  #finalStream = MAX_31;
  readonly #endedIds = new Int32Array(ENDED_IDS);
  #endedNext = 0;
  /** Responses that are written and not yet with the operating system, in their order. */
  #leaving: Http2ServerStream[] = [];
  #leavingFirst = 0;

  /** Writes our SETTINGS at once. The client's preface is expected in the first bytes received. */
  constructor(options: Http2ServerOptions) {
    this.context = options.context;
    this.#handler = options.handler;
    this.#requests = new RequestReader(options.scheme);
    this.#mux = new Multiplexer(options, this);
    this.#mux.output.onProgress = () => this.#onProgress();
    this.#mux.start(serverSettings(options.limits));
  }

  get active(): number {
    return this.#mux.streams.size;
  }

  get lastPeerStream(): number {
    return Math.min(this.#lastStream, this.#finalStream);
  }

  /** Bytes from the transport, under the rules of its `receive`. */
  receive(bytes: Buffer): void {
    const from = this.#prefaceBytes < CLIENT_PREFACE.length ? this.#receivePreface(bytes) : 0;
    if (from >= 0) this.#mux.receive(bytes, from);
  }

  receiveEnd(): void {
    this.#mux.receiveEnd('cancelled');
  }

  closed(reason: ResetReason): void {
    this.#mux.closed(reason);
  }

  /** Decides timeouts; to be called about once a second with the time of the clock that the options gave. */
  tick(nowMs: number): void {
    this.#mux.tick(nowMs);
  }

  drain(): void {
    if (this.#drain !== 'none' || !this.#mux.live) return;
    this.#drain = 'announced';
    this.#drainSince = this.#mux.now;
    this.#mux.writer.goaway(MAX_31, NO_ERROR, '');
    this.#mux.keepalive.drainPing();
  }

  cutOff(): void {
    const mux = this.#mux;
    if (!mux.live) return;
    for (const stream of mux.streams.all()) (stream as Http2ServerStream).receiver.onCutOff();
    mux.cutOff();
  }

  destroy(): void {
    this.#mux.destroy();
  }

  /** @returns where the frames begin, or -1 if the preface is not complete or not one */
  #receivePreface(bytes: Buffer): number {
    let at = 0;
    while (at < bytes.length && this.#prefaceBytes < CLIENT_PREFACE.length) {
      if (bytes[at++] !== CLIENT_PREFACE[this.#prefaceBytes++]) {
        this.#mux.fail(PROTOCOL_ERROR, 'the connection does not begin with the HTTP/2 preface');
        return -1;
      }
    }
    return this.#prefaceBytes === CLIENT_PREFACE.length ? at : -1;
  }

  isIdle(streamId: number): boolean {
    return (streamId & 1) === 0 || streamId > this.#lastStream;
  }

  onHeaderBlock(streamId: number, endStream: boolean, block: HeaderBlock): void {
    const stream = this.#mux.streams.get(streamId);
    if (stream !== null) this.#onTrailers(stream as Http2ServerStream, endStream, block);
    else if ((streamId & 1) === 0) this.#mux.fail(PROTOCOL_ERROR, `HEADERS on even stream ${streamId}`);
    else if (streamId > this.#lastStream) this.#onRequest(streamId, endStream, block);
    else this.#onHeadersAfterEnd(streamId);
  }

  #onRequest(streamId: number, endStream: boolean, block: HeaderBlock): void {
    const mux = this.#mux;
    this.#lastStream = streamId;
    if (streamId > this.#finalStream || !mux.reads()) return;
    if (mux.streams.size >= mux.limits.maxConcurrentStreams) {
      mux.observer.onLimit('maxConcurrentStreams');
      mux.rejectStream(streamId, REFUSED_STREAM, '');
      return;
    }
    if (block.oversize && block.fault === '') {
      this.#answerOversize(streamId, endStream, block);
      return;
    }
    const head = this.#requests.read(block, endStream);
    if (head === null) {
      mux.rejectStream(streamId, PROTOCOL_ERROR, this.#requests.fault);
      return;
    }
    const stream = new Http2ServerStream(mux, streamId, this, head);
    stream.expectedBytes = head.contentLength;
    if (endStream) stream.state = 'half-closed-remote';
    mux.streams.add(stream);
    this.#handler.onRequest(stream, head, endStream);
  }

  /** RFC 6585 §5. The exchange never sees the request; the connection and its other streams go on. */
  #answerOversize(streamId: number, endStream: boolean, block: HeaderBlock): void {
    const mux = this.#mux;
    mux.observer.onLimit(oversizeLimit(block, mux.limits.maxFieldCount));
    writeResponse(mux.writer, mux.encoder, streamId, OVERSIZE, true);
    if (!endStream) mux.writer.reset(streamId, NO_ERROR);
    mux.resetIds.add(streamId);
    mux.count('resets');
  }

  #onTrailers(stream: Http2ServerStream, endStream: boolean, block: HeaderBlock): void {
    const mux = this.#mux;
    const fault = trailerFault(block, endStream);
    if (!stream.receiving) mux.failStream(stream, STREAM_CLOSED, 'HEADERS after the end of a stream');
    else if (fault !== '') mux.failStream(stream, PROTOCOL_ERROR, fault);
    else if (block.oversize) {
      mux.observer.onLimit(oversizeLimit(block, mux.limits.maxFieldCount));
      stream.reset('limit');
      stream.deliverReset('limit');
    } else if (mux.data.bodyComplete(stream)) {
      stream.activeAt = mux.now;
      mux.endedByPeer(stream);
      stream.receiver.onRequestTrailers(block.fields);
    }
  }

  /** Trailers of a stream that we have reset may still come; anything else is reuse of an identifier (§5.1.1). */
  #onHeadersAfterEnd(streamId: number): void {
    if (this.#mux.resetIds.has(streamId)) return;
    const ended = this.#endedIds.includes(streamId);
    const code = ended ? STREAM_CLOSED : PROTOCOL_ERROR;
    this.#mux.fail(code, `HEADERS on stream ${streamId}, which is closed`);
  }

  onResponseEnded(stream: Http2ServerStream): void {
    this.#leaving.push(stream);
    if (stream.state !== 'half-closed-local' || stream.tunnel) return;
    // The response is complete, so what the client still sends is of no use (§8.1). It keeps the response.
    this.#mux.resetStream(stream, NO_ERROR);
  }

  onStreamClosed(streamId: number): void {
    this.#endedIds[this.#endedNext] = streamId;
    this.#endedNext = (this.#endedNext + 1) % ENDED_IDS;
    if (this.#drain === 'final' && this.active === 0) this.#mux.finish();
  }

  onSettings(): void {}

  /** A client that goes away may still wait for responses; it opens nothing more. */
  onGoaway(): void {}

  onDrainAnswer(): void {
    if (this.#drain !== 'announced') return;
    this.#answeredAt = this.#mux.clock();
    if (this.#mux.limits.drainGraceMs === 0) this.#endDrain();
  }

  #endDrain(): void {
    this.#drain = 'final';
    this.#finalStream = this.#lastStream;
    if (this.active === 0) this.#mux.finish();
    else this.#mux.writer.goaway(this.#finalStream, NO_ERROR, '');
  }

  onTick(nowMs: number): void {
    if (this.#drain !== 'announced') return;
    const { closeTimeoutMs, drainGraceMs } = this.#mux.limits;
    const heard = this.#answeredAt >= 0 && nowMs - this.#answeredAt >= drainGraceMs;
    if (heard || nowMs - this.#drainSince >= closeTimeoutMs) this.#endDrain();
  }

  onClosing(): void {}

  /** Responses whose last byte has not left are lost with the connection. */
  onClosed(reason: ResetReason): void {
    const { delivered } = this.#mux.output;
    const leaving = this.#leaving;
    this.#leaving = [];
    for (let i = this.#leavingFirst; i < leaving.length; i++) {
      if (leaving[i].endsAt <= delivered) leaving[i].receiver.onResponseSent();
      else leaving[i].receiver.onRequestReset(reason);
    }
    this.#leavingFirst = 0;
  }

  #onProgress(): void {
    const { delivered } = this.#mux.output;
    while (this.#leavingFirst < this.#leaving.length) {
      const stream = this.#leaving[this.#leavingFirst];
      if (stream.endsAt > delivered) return;
      this.#leavingFirst++;
      stream.receiver.onResponseSent();
    }
    truncate(this.#leaving, 0);
    this.#leavingFirst = 0;
  }
}

const OVERSIZE: ResponseHead = {
  status: failures.HEADERS_TOO_LARGE.status,
  fields: [failureHeader, `HEADERS_TOO_LARGE; ${failures.HEADERS_TOO_LARGE.sentence}`],
  contentLength: 0,
};
