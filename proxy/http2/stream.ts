/** What the streams of both sides have in common: state, windows, and the queue of what waits to be sent. */
import type { FieldLines, ResetReason } from '../exchange/stream.ts';
import type { ByteQueue } from './byte-queue.ts';
import type { Multiplexer } from './multiplexer.ts';

/**
 * RFC 9113 §5.1, without the states that a stream has before it is an object here (idle, reserved):
 *
 *     open ── we sent END_STREAM ──→ half-closed-local ── peer's END_STREAM ──→ closed
 *     open ── peer's END_STREAM ──→ half-closed-remote ── we sent END_STREAM ──→ closed
 *     any ── RST_STREAM, either way; GOAWAY; end of the connection ──→ closed
 */
export type StreamState = 'open' | 'half-closed-local' | 'half-closed-remote' | 'closed';

export abstract class Http2Stream {
  readonly id: number;
  readonly mux: Multiplexer;
  state: StreamState = 'open';

  /** Octets that we may send (§5.2.1); below 0 after the peer shrank its initial window. */
  sendWindow: number;
  queue: ByteQueue | null = null;
  queuedEnd = false;
  queuedTrailers: FieldLines | null = null;
  /** `data` has returned false. */
  blocked = false;
  /** Links of the scheduler's ring of streams that can send. */
  ready = false;
  nextReady: Http2Stream | null = null;
  previousReady: Http2Stream | null = null;

  /** The head of the message that the peer sends is there, so DATA may come; and its END_STREAM is there. */
  headReceived = false;
  endReceived = false;
  /** Raw bytes go both ways (CONNECT): silence is no sign of death. */
  tunnel = false;
  /** Octets that the peer may send. */
  receiveWindow: number;
  /** How many it may have under way once it knows our SETTINGS. */
  windowBytes: number;
  /** Octets delivered and not yet consumed, and those consumed and not yet given back as WINDOW_UPDATE. */
  unconsumed = 0;
  consumedBytes = 0;
  /** Octets of body received, and what Content-Length promised; -1 if nothing. */
  receivedBytes = 0;
  expectedBytes = -1;

  /** When something last moved here, and when the last queued octets left; ms of the connection's clock. */
  activeAt: number;
  sentAt: number;

  constructor(mux: Multiplexer, id: number) {
    this.mux = mux;
    this.id = id;
    this.sendWindow = mux.peer.streamWindowBytes;
    this.receiveWindow = mux.streamWindowBytes;
    this.windowBytes = mux.limits.streamWindowBytes;
    this.activeAt = mux.now;
    this.sentAt = mux.now;
  }

  /** False when nothing more may be sent: the end is sent or queued, or the stream is closed. */
  get sending(): boolean {
    return (
      (this.state === 'open' || this.state === 'half-closed-remote') &&
      !this.queuedEnd &&
      this.queuedTrailers === null
    );
  }

  /** True while the peer may send. */
  get receiving(): boolean {
    return this.state === 'open' || this.state === 'half-closed-local';
  }

  data(chunk: Buffer, end: boolean): boolean {
    return this.sending ? this.mux.scheduler.send(this, chunk, end) : true;
  }

  trailers(fields: FieldLines): void {
    if (this.sending) this.mux.scheduler.sendTrailers(this, fields);
  }

  reset(reason: ResetReason): void {
    if (this.state !== 'closed') this.mux.resetStream(this, this.resetCode(reason));
  }

  consumed(bytes: number): void {
    if (this.state !== 'closed') this.mux.data.consumed(this, bytes);
  }

  /** RST_STREAM code for a reason of the exchange. */
  protected abstract resetCode(reason: ResetReason): number;
  /** Body bytes for the receiver. */
  abstract deliverData(chunk: Buffer, end: boolean): void;
  /** Tells the receiver that the stream failed, unless it has all that it waits for. */
  abstract deliverReset(reason: ResetReason): void;
  /** Tells the receiver that the connection ended under the stream. */
  abstract deliverLoss(reason: ResetReason): void;
  /** RST_STREAM came with this code; the stream is closed already. */
  abstract onPeerReset(code: number): void;
  /** No answer has begun, and the next to move is the peer. An open answer may be quiet as long as it likes. */
  abstract get overdue(): boolean;
  /** Tells the receiver that there is room again. */
  abstract deliverWritable(): void;
  /** The frame with our END_STREAM has been written; `state` is up to date. */
  abstract onEndWritten(): void;
}
