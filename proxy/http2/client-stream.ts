/** A request and its response on an {@link Http2ClientConnection}. */
import { BLOCK_BYTES } from '../exchange/block-pool.ts';
import type { ClientStream, ResetReason, ResponseReceiver } from '../exchange/stream.ts';
import { ByteQueue } from './byte-queue.ts';
import { CANCEL, PROTOCOL_ERROR, resetReasonOf, STREAM_CLOSED } from './error-code.ts';
import { type HeaderBlock, oversizeLimit, trailerFault } from './header-block.ts';
import type { Multiplexer } from './multiplexer.ts';
import { isBodyless, responseFault, statusOf } from './response-head.ts';
import { Http2Stream } from './stream.ts';

export class Http2ClientStream extends Http2Stream implements ClientStream {
  readonly receiver: ResponseReceiver;
  /** Position in the output of the request's first byte: nobody has seen a request that never left. */
  readonly startsAt: number;
  readonly #method: string;
  /** The request was an extended CONNECT: 2xx is told as 101, the contract's accepted upgrade. */
  readonly #upgrade: boolean;
  #informationals = 0;
  /** What was sent for a tunnel that is not there yet: nobody may take it for anything else (RFC 9113 §8.5). */
  #early: ByteQueue | null = null;
  #earlyEnd = false;
  /** Why the stream was never opened, for the report of it. */
  refusal: ResetReason = 'refused';

  constructor(mux: Multiplexer, id: number, receiver: ResponseReceiver, method: string, upgrade: boolean) {
    super(mux, id);
    this.receiver = receiver;
    this.startsAt = mux.output.position;
    this.#method = method;
    this.#upgrade = upgrade;
  }

  protected override resetCode(): number {
    return CANCEL;
  }

  override data(chunk: Buffer, end: boolean): boolean {
    if (this.#method !== 'CONNECT' || this.headReceived) return super.data(chunk, end);
    // The sender's window bounds it: what is kept is not consumed.
    if (chunk.length > 0) (this.#early ??= new ByteQueue(this.mux.blocks)).push(chunk);
    if (end) this.#earlyEnd = true;
    return false;
  }

  #sendEarly(): void {
    const early = this.#early;
    this.#early = null;
    let room = true;
    while (early !== null && early.length > 0) room = super.data(early.take(BLOCK_BYTES), false);
    early?.clear();
    if (this.#earlyEnd) super.data(EMPTY, true);
    else if (room && early !== null) this.deliverWritable();
  }

  override deliverData(chunk: Buffer, end: boolean): void {
    this.receiver.onResponseData(chunk, end);
  }

  override deliverReset(reason: ResetReason): void {
    if (this.#awaited) this.receiver.onResponseReset(reason);
  }

  /** The receiver does not know the end of the stream yet: a tunnel lasts until both directions have ended. */
  get #awaited(): boolean {
    return !this.endReceived || this.tunnel;
  }

  /**
   * A request that was never handed to the transport cannot have been processed. Bytes that the transport holds
   * may have arrived: it hears of that late. A server that resets a connection on which it has not even sent its
   * SETTINGS, the first thing that it sends (RFC 9113 §3.4), has not read the request either.
   */
  override deliverLoss(reason: ResetReason): void {
    const { output, peer } = this.mux;
    const reset = reason === 'connection-reset';
    if (output.written <= this.startsAt || (reset && !peer.known)) this.deliverReset('refused');
    else this.deliverReset(reset && this.#informationals > 0 ? 'connection-closed' : reason);
  }

  override onPeerReset(code: number): void {
    if (this.#awaited) this.receiver.onResponseReset(resetReasonOf(code, true));
  }

  override deliverWritable(): void {
    this.receiver.onRequestWritable();
  }

  override get overdue(): boolean {
    return !this.headReceived;
  }

  override onEndWritten(): void {}

  /** A decoded header block of this stream: an interim response, the response, or its trailers. */
  onHeaderBlock(block: HeaderBlock, endStream: boolean): void {
    this.activeAt = this.mux.now;
    if (!this.receiving) {
      this.mux.failStream(this, STREAM_CLOSED, 'HEADERS after the end of a stream');
    } else if (block.oversize && block.fault === '') {
      this.mux.observer.onLimit(oversizeLimit(block, this.mux.limits.maxFieldCount));
      this.#cancel();
    } else if (this.headReceived) {
      this.#onTrailers(block, endStream);
    } else {
      this.#onHead(block, endStream);
    }
  }

  #onHead(block: HeaderBlock, endStream: boolean): void {
    const fault = responseFault(block);
    if (fault !== '') {
      this.#fail(fault);
      return;
    }
    const status = statusOf(block);
    if (status < 200) this.#onInformational(status, block, endStream);
    else this.#onResponse(status, block, endStream);
  }

  #onInformational(status: number, block: HeaderBlock, endStream: boolean): void {
    if (endStream) {
      this.#fail('an interim response with END_STREAM');
    } else if (++this.#informationals > this.mux.limits.maxInformational) {
      this.mux.observer.onLimit('maxInformational');
      this.#cancel();
    } else {
      this.receiver.onInformational(status, block.fields);
    }
  }

  #onResponse(status: number, block: HeaderBlock, endStream: boolean): void {
    const { contentLength, fields } = block;
    const tunnel = status < 300 && this.#method === 'CONNECT';
    const bodyless = isBodyless(this.#method, status);
    this.expectedBytes = tunnel ? -1 : bodyless ? 0 : contentLength;
    if (endStream && !bodyless && contentLength > 0 && !tunnel) {
      this.#fail(`content-length is ${contentLength}, and there is no body`);
      return;
    }
    this.headReceived = true;
    this.tunnel = tunnel;
    if (endStream) this.mux.endedByPeer(this);
    this.receiver.onResponse(
      {
        status: tunnel && this.#upgrade ? 101 : status,
        fields,
        contentLength: tunnel ? -1 : announcedLength(status, this.#method, contentLength, endStream),
      },
      endStream,
    );
    if (tunnel) this.#sendEarly();
    // A CONNECT that was refused is complete.
    else if (this.#method === 'CONNECT') super.data(EMPTY, true);
  }

  #onTrailers(block: HeaderBlock, endStream: boolean): void {
    const fault = trailerFault(block, endStream);
    if (fault !== '') {
      this.#fail(fault);
    } else if (this.mux.data.bodyComplete(this)) {
      this.mux.endedByPeer(this);
      this.receiver.onResponseTrailers(block.fields);
    }
  }

  #fail(text: string): void {
    this.mux.failStream(this, PROTOCOL_ERROR, text);
  }

  /** One of our limits was passed: the peer is not at fault, and the connection goes on. */
  #cancel(): void {
    this.mux.resetStream(this, CANCEL);
    this.receiver.onResponseReset('limit');
  }
}

const EMPTY = Buffer.alloc(0);

/** What the head says of the length, see `ResponseHead.contentLength`. */
function announcedLength(status: number, method: string, declared: number, endStream: boolean): number {
  if (method === 'HEAD' || status === 304) return declared;
  return endStream || status === 204 ? 0 : declared;
}
