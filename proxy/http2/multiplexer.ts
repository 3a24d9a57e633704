/**
 * The part of an HTTP/2 connection that is the same at both ends: its parts, its streams, its limits, and its end. What
 * a header block means is left to the {@link Side}.
 *
 *     awaiting-settings ── the peer's first SETTINGS ──→ open
 *     awaiting-settings, open ── error (GOAWAY), receiveEnd, last stream of a drain ──→ closing: FIN is sent, input is ignored
 *     any ── the transport is gone ──→ closed
 */
import type { BlockPool } from '../exchange/block-pool.ts';
import type { ResetReason } from '../exchange/stream.ts';
import type { Output } from '../transport/output.ts';
import type { Transport } from '../transport/transport.ts';
import { DataReceiver } from './data-receiver.ts';
import { ENHANCE_YOUR_CALM, NO_ERROR, reasonOfFault } from './error-code.ts';
import { FloodGuard } from './flood-guard.ts';
import { DEFAULT_WINDOW_BYTES } from './frame.ts';
import { FrameDispatcher } from './frame-dispatcher.ts';
import { FrameReader } from './frame-reader.ts';
import { FrameWriter } from './frame-writer.ts';
import type { HeaderBlock } from './header-block.ts';
import { HpackEncoder } from './hpack/encoder.ts';
import { Keepalive } from './keepalive.ts';
import type { FloodLimit, Http2LimitName, Http2Limits, Http2Observer } from './limits.ts';
import { RecentIds } from './recent-ids.ts';
import { SendScheduler } from './send-scheduler.ts';
import { PeerSettings } from './settings.ts';
import type { Http2Stream } from './stream.ts';
import { StreamTable } from './stream-table.ts';
import { ConnectionTimeouts } from './timeouts.ts';
import type { Http2Workspace } from './workspace.ts';

export type ConnectionState = 'awaiting-settings' | 'open' | 'closing' | 'closed';

/** What both kinds of connection are made from. */
export interface Http2ConnectionOptions {
  readonly transport: Transport;
  readonly workspace: Http2Workspace;
  readonly limits: Readonly<Http2Limits>;
  readonly observer: Http2Observer;
  /** Monotonic milliseconds, the clock that `tick` is called with. */
  readonly clock: () => number;
}

/** What differs between server and client. */
export interface Side {
  /** A decoded header block is in the workspace. */
  onHeaderBlock(streamId: number, endStream: boolean, block: HeaderBlock): void;
  /** The stream was never opened (RFC 9113 §5.1, idle). */
  isIdle(streamId: number): boolean;
  /** The peer's SETTINGS have been applied. */
  onSettings(first: boolean): void;
  onGoaway(lastStreamId: number, code: number): void;
  /** The peer has answered the PING of a drain. */
  onDrainAnswer(): void;
  /** A stream is closed and no longer counted. */
  onStreamClosed(streamId: number): void;
  /** No new streams come any more: the connection is ending. */
  onClosing(): void;
  onTick(nowMs: number): void;
  /** The highest stream of the peer that we have worked on, for GOAWAY. */
  readonly lastPeerStream: number;
  onClosed(reason: ResetReason): void;
}

export class Multiplexer {
  state: ConnectionState = 'awaiting-settings';
  /** Time of the last tick, ms. Precise enough for timeouts, and free to read. */
  now: number;
  readonly peer = new PeerSettings();
  readonly streams = new StreamTable();
  readonly streamWindowBytes: number;
  readonly output: Output;
  readonly encoder: HpackEncoder;
  readonly writer: FrameWriter;
  readonly scheduler: SendScheduler;
  readonly limits: Readonly<Http2Limits>;
  readonly observer: Http2Observer;
  readonly keepalive: Keepalive;
  /** Memory for bodies that wait. */
  readonly blocks: BlockPool;
  /** Streams that we reset lately. */
  readonly resetIds = new RecentIds();
  /** Streams that we have reset since the beginning, without those that were never open. */
  resets = 0;

  readonly side: Side;
  readonly clock: () => number;
  readonly data: DataReceiver;
  /** Since when there is no stream, ms. */
  idleSince: number;

  readonly #transport: Transport;
  readonly #reader: FrameReader;
  readonly #guard: FloodGuard;
  readonly #timeouts: ConnectionTimeouts;
  #endReason: ResetReason | null = null;
  #closingSince = 0;

  constructor(options: Http2ConnectionOptions, side: Side) {
    const { transport, limits, workspace } = options;
    this.side = side;
    this.#transport = transport;
    this.clock = options.clock;
    this.limits = limits;
    this.observer = options.observer;
    this.blocks = workspace.blocks;
    this.output = transport.output;
    this.now = options.clock();
    this.idleSince = this.now;
    // Until it has seen our SETTINGS the peer goes by the default window.
    this.streamWindowBytes = Math.max(limits.streamWindowBytes, DEFAULT_WINDOW_BYTES);
    this.encoder = new HpackEncoder(this.output, workspace.sensitive, limits.headerTableBytes);
    this.writer = new FrameWriter(this.output, this.encoder);
    this.#guard = new FloodGuard(limits, this.now);
    this.scheduler = new SendScheduler(this, this.output, this.writer, this.#guard);
    this.keepalive = new Keepalive(this.writer, limits, this.now);
    this.data = new DataReceiver(this);
    const dispatcher = new FrameDispatcher(this, this.data, workspace);
    this.#reader = new FrameReader(dispatcher, limits.maxFrameBytes);
    this.#timeouts = new ConnectionTimeouts(this, this.#reader, dispatcher);
    this.output.onDrain = () => this.scheduler.pump();
  }

  /** Writes our SETTINGS and opens the connection window. */
  start(settings: readonly number[]): void {
    this.writer.settings(settings);
    this.data.open();
  }

  /** @param from where the frames begin */
  receive(bytes: Buffer, from: number): void {
    this.keepalive.received(this.now);
    this.#reader.receive(bytes, from);
  }

  /** The peer sends nothing more: it cannot finish what is open. */
  receiveEnd(reason: ResetReason): void {
    if (!this.live) return;
    this.#end(reason);
  }

  closed(reason: ResetReason): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.#reader.stop();
    const ending = this.#endReason ?? reason;
    this.#failAll(ending);
    this.side.onClosed(ending);
  }

  destroy(): void {
    if (this.state === 'closed') return;
    this.#shut();
    this.#transport.destroy();
  }

  /** The connection is up: frames are read and may be written. */
  get live(): boolean {
    return this.state === 'open' || this.state === 'awaiting-settings';
  }

  /** After the last stream: says GOAWAY (again) and closes without losing a byte. */
  finish(): void {
    if (!this.live) return;
    this.writer.goaway(this.side.lastPeerStream, NO_ERROR, '');
    this.#shut();
    this.#transport.end();
  }

  /** As {@link finish}, before the last stream: those that are left fail. */
  cutOff(): void {
    this.#endReason = 'timeout';
    this.finish();
    this.#failAll('timeout');
  }

  /** Ends the connection for an error of the peer (RFC 9113 §5.4.1). */
  fail(code: number, text: string): void {
    if (!this.live) return;
    this.observer.onFault(code, text, 'connection');
    this.writer.goaway(this.side.lastPeerStream, code, text);
    this.#end(reasonOfFault(code));
  }

  /** Ends the connection because a limit was passed. */
  exceed(limit: Http2LimitName, text: string): void {
    this.observer.onLimit(limit);
    this.fail(ENHANCE_YOUR_CALM, text);
  }

  /** Drops the connection: the peer does not answer or does not read, so a GOAWAY would not reach it. */
  timeOut(limit: Http2LimitName): void {
    if (!this.live) return;
    this.observer.onLimit(limit);
    const reason = limit === 'keepaliveTimeoutMs' ? 'connection-lost' : 'timeout';
    this.#endReason = reason;
    this.#shut();
    this.#failAll(reason);
    this.#transport.destroy();
  }

  /** Ends a stream for an error of the peer (§5.4.2). */
  failStream(stream: Http2Stream, code: number, text: string): void {
    this.observer.onFault(code, text, 'stream');
    this.resetStream(stream, code);
    stream.deliverReset(reasonOfFault(code));
    this.count('resets');
  }

  /** Like {@link failStream}, for a stream that is no object yet or any more. */
  rejectStream(streamId: number, code: number, text: string): void {
    if (text !== '') this.observer.onFault(code, text, 'stream');
    this.writer.reset(streamId, code);
    this.resetIds.add(streamId);
    this.count('resets');
  }

  /** Sends RST_STREAM and forgets the stream, without a word to its receiver. */
  resetStream(stream: Http2Stream, code: number): void {
    this.writer.reset(stream.id, code);
    this.resetIds.add(stream.id);
    this.resets++;
    this.close(stream);
  }

  /** The stream's END_STREAM has been written. */
  ended(stream: Http2Stream): void {
    const complete = stream.state === 'half-closed-remote';
    if (!complete) stream.state = 'half-closed-local';
    stream.onEndWritten();
    if (complete) this.close(stream);
  }

  /** The peer's END_STREAM has come. */
  endedByPeer(stream: Http2Stream): void {
    stream.endReceived = true;
    if (stream.state === 'half-closed-local') this.close(stream);
    else stream.state = 'half-closed-remote';
  }

  close(stream: Http2Stream): void {
    stream.state = 'closed';
    this.streams.remove(stream);
    this.scheduler.remove(stream);
    // Whoever holds its octets may never say that it has passed them on.
    this.data.closed(stream);
    if (this.streams.size === 0) this.idleSince = this.now;
    this.side.onStreamClosed(stream.id);
  }

  /** Counts an event that a peer may cause only so often; ends the connection at one too many. */
  count(kind: FloodLimit): void {
    if (this.live && this.#guard.exceeds(kind))
      this.exceed(kind, `too many ${kind} in ${this.limits.intervalMs} ms`);
  }

  /**
   * Whether the peer reads what it asks for. If not, the connection is dropped.
   * Asked before anything that a peer can make us write without flow control.
   */
  reads(): boolean {
    if (this.output.buffered <= this.limits.maxOutstandingBytes) return true;
    this.timeOut('maxOutstandingBytes');
    return false;
  }

  tick(nowMs: number): void {
    this.now = nowMs;
    if (this.state === 'closed') return;
    if (this.state === 'closing') {
      if (nowMs - this.#closingSince >= this.limits.closeTimeoutMs) this.#transport.destroy();
      return;
    }
    this.#guard.tick(nowMs);
    this.#timeouts.tick(nowMs);
    if (this.live) this.side.onTick(nowMs);
  }

  #shut(): void {
    this.state = 'closing';
    this.#closingSince = this.now;
    this.#reader.stop();
    this.side.onClosing();
  }

  #end(reason: ResetReason): void {
    this.#endReason = reason;
    this.#shut();
    this.#transport.end();
    this.#failAll(reason);
  }

  #failAll(reason: ResetReason): void {
    const streams = this.streams.all();
    this.streams.clear();
    for (const stream of streams) {
      stream.state = 'closed';
      this.scheduler.remove(stream);
    }
    for (const stream of streams) stream.deliverLoss(reason);
  }
}
