/**
 * The part of an HTTP/2 connection that is the same at both ends: frames, settings, streams and their windows,
 * limits, and the end of the connection. What a header block means is left to the {@link Side}.
 *
 *     awaiting-settings ── the peer's first SETTINGS ──→ open
 *     awaiting-settings, open ── error (GOAWAY), receiveEnd, last stream of a drain ──→ closing: FIN is sent, input is ignored
 *     any ── the transport is gone ──→ closed
 */
import type { ResetReason } from '../exchange/stream.ts';
import type { Output } from '../transport/output.ts';
import type { Transport } from '../transport/transport.ts';
import {
  ENHANCE_YOUR_CALM,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_ERROR,
  NO_ERROR,
  PROTOCOL_ERROR,
  reasonOfFault,
  STREAM_CLOSED,
} from './error-code.ts';
import { FloodGuard } from './flood-guard.ts';
import {
  ACK,
  CONTINUATION,
  DEFAULT_WINDOW_BYTES,
  END_HEADERS,
  END_STREAM,
  GOAWAY,
  HEADERS,
  MAX_31,
  PADDED,
  PING,
  PRIORITY,
  PRIORITY_FLAG,
  PUSH_PROMISE,
  RST_STREAM,
  readUint31,
  readUint32,
  SETTINGS,
  WINDOW_UPDATE,
} from './frame.ts';
import { type FrameHandler, FrameReader } from './frame-reader.ts';
import { FrameWriter } from './frame-writer.ts';
import { HeaderAssembler } from './header-assembler.ts';
import type { HeaderBlock } from './header-block.ts';
import { HpackEncoder } from './hpack/encoder.ts';
import { Keepalive } from './keepalive.ts';
import type { FloodLimit, Http2LimitName, Http2Limits, Http2Observer } from './limits.ts';
import { RecentIds } from './recent-ids.ts';
import { SendScheduler } from './send-scheduler.ts';
import { PeerSettings } from './settings.ts';
import type { Http2Stream } from './stream.ts';
import { StreamTable } from './stream-table.ts';
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

export class Multiplexer implements FrameHandler {
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
  /** Streams that we reset lately. */
  readonly resetIds = new RecentIds();

  readonly #side: Side;
  readonly #transport: Transport;
  readonly #clock: () => number;
  readonly #reader: FrameReader;
  readonly #assembler: HeaderAssembler;
  readonly #block: HeaderBlock;
  readonly #guard: FloodGuard;
  /** Octets that the peer may send on the whole connection, and those to be given back. */
  #receiveWindow: number;
  #consumedBytes = 0;
  /** The stream of the DATA frame that is being received; null if its octets are thrown away. */
  #dataStream: Http2Stream | null = null;
  #dataEnds = false;
  /** The block that is being received depends on its own stream (h2spec 5.3.1; RFC 7540 §5.3.1). */
  #selfDependent = false;
  #endReason: ResetReason | null = null;
  #closingSince = 0;
  #idleSince: number;
  /** Number of the frame that is being collected, and since when that is known. */
  #partialFrame = 0;
  #partialSince = 0;
  #blockSince = 0;
  #startedAt: number;
  #delivered = 0;
  #deliveredAt: number;

  constructor(options: Http2ConnectionOptions, side: Side) {
    const { transport, limits, workspace } = options;
    this.#side = side;
    this.#transport = transport;
    this.#clock = options.clock;
    this.limits = limits;
    this.observer = options.observer;
    this.output = transport.output;
    this.now = options.clock();
    this.#startedAt = this.#idleSince = this.#deliveredAt = this.now;
    // Until it has seen our SETTINGS the peer goes by the default window.
    this.streamWindowBytes = Math.max(limits.streamWindowBytes, DEFAULT_WINDOW_BYTES);
    this.#receiveWindow = Math.max(limits.connectionWindowBytes, DEFAULT_WINDOW_BYTES);
    this.encoder = new HpackEncoder(this.output, workspace.sensitive, limits.headerTableBytes);
    this.writer = new FrameWriter(this.output, this.encoder);
    this.#guard = new FloodGuard(limits, this.now);
    this.scheduler = new SendScheduler(this, this.output, this.writer, this.#guard);
    this.keepalive = new Keepalive(this.writer, limits, this.now);
    this.#reader = new FrameReader(this, limits.maxFrameBytes);
    this.#assembler = new HeaderAssembler(workspace, limits);
    this.#block = workspace.block;
    this.output.onDrain = () => this.scheduler.pump();
  }

  /** Writes our SETTINGS and opens the connection window. */
  start(settings: readonly number[]): void {
    this.writer.settings(settings);
    const more = this.#receiveWindow - DEFAULT_WINDOW_BYTES;
    if (more > 0) this.writer.windowUpdate(0, more);
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
    this.#side.onClosed(ending);
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
    this.writer.goaway(this.#side.lastPeerStream, NO_ERROR, '');
    this.#shut();
    this.#transport.end();
  }

  /** Ends the connection for an error of the peer (RFC 9113 §5.4.1). */
  fail(code: number, text: string): void {
    if (!this.live) return;
    this.observer.onFault(code, text, 'connection');
    this.writer.goaway(this.#side.lastPeerStream, code, text);
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
    this.#endReason = 'timeout';
    this.#shut();
    this.#failAll('timeout');
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
    // Whoever holds these octets may never say that it has passed them on: the others need the window.
    if (stream.unconsumed > 0) this.#giveBack(stream.unconsumed);
    if (this.streams.size === 0) this.#idleSince = this.now;
    this.#side.onStreamClosed(stream.id);
  }

  consumed(stream: Http2Stream, bytes: number): void {
    const octets = Math.min(bytes, stream.unconsumed);
    stream.unconsumed -= octets;
    this.#giveBack(octets);
    if (!stream.receiving) return;
    stream.consumedBytes += octets;
    if (stream.consumedBytes * 2 < this.limits.streamWindowBytes) return;
    this.writer.windowUpdate(stream.id, stream.consumedBytes);
    stream.receiveWindow += stream.consumedBytes;
    stream.consumedBytes = 0;
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
    this.#tickConnection(nowMs);
    if (this.live) this.#tickStreams(nowMs);
    if (this.live) this.#side.onTick(nowMs);
  }

  #tickConnection(nowMs: number): void {
    const { limits, output } = this;
    if (this.state === 'awaiting-settings' && nowMs - this.#startedAt >= limits.prefaceTimeoutMs) {
      this.timeOut('prefaceTimeoutMs');
      return;
    }
    if (this.#headersStall(nowMs)) {
      this.timeOut('headerTimeoutMs');
      return;
    }
    if (output.buffered === 0 || output.delivered !== this.#delivered) {
      this.#delivered = output.delivered;
      this.#deliveredAt = nowMs;
    } else if (nowMs - this.#deliveredAt >= limits.flushStallMs) {
      this.timeOut('flushStallMs');
      return;
    }
    if (!this.keepalive.tick(nowMs, this.#clock(), this.streams.size)) {
      this.timeOut('keepaliveTimeoutMs');
      return;
    }
    const idle =
      this.streams.size === 0 && limits.idleTimeoutMs > 0 && nowMs - this.#idleSince >= limits.idleTimeoutMs;
    if (!idle) return;
    this.observer.onLimit('idleTimeoutMs');
    this.finish();
  }

  /** Whether a frame or a header block has been incomplete for too long. */
  #headersStall(nowMs: number): boolean {
    const { headerTimeoutMs } = this.limits;
    if (this.#assembler.state === 'open' && nowMs - this.#blockSince >= headerTimeoutMs) return true;
    if (!this.#reader.collecting || this.#reader.begun !== this.#partialFrame) {
      this.#partialFrame = this.#reader.begun;
      this.#partialSince = nowMs;
      return false;
    }
    return nowMs - this.#partialSince >= headerTimeoutMs;
  }

  #tickStreams(nowMs: number): void {
    const { streamIdleTimeoutMs, flushStallMs } = this.limits;
    for (const stream of this.streams.all()) {
      if (stream.state === 'closed') continue;
      const waits = stream.queue !== null && stream.queue.length > 0;
      if (waits && nowMs - stream.sentAt >= flushStallMs) this.#timeOutStream(stream, 'flushStallMs');
      else if (streamIdleTimeoutMs > 0 && nowMs - stream.activeAt >= streamIdleTimeoutMs) {
        this.#timeOutStream(stream, 'streamIdleTimeoutMs');
      }
    }
  }

  #timeOutStream(stream: Http2Stream, limit: Http2LimitName): void {
    this.observer.onLimit(limit);
    stream.reset('timeout');
    stream.deliverReset('timeout');
  }

  #shut(): void {
    this.state = 'closing';
    this.#closingSince = this.now;
    this.#reader.stop();
    this.#side.onClosing();
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

  #giveBack(octets: number): void {
    this.#consumedBytes += octets;
    if (this.#consumedBytes * 2 < this.limits.connectionWindowBytes || !this.live) return;
    this.writer.windowUpdate(0, this.#consumedBytes);
    this.#receiveWindow += this.#consumedBytes;
    this.#consumedBytes = 0;
  }

  // Frames, in the order of RFC 9113 §6.

  onFrameError(code: number, text: string): void {
    this.fail(code, text);
  }

  onDataFrame(streamId: number, flags: number, length: number): void {
    this.#dataStream = null;
    if (!this.#mayBegin(streamId, false)) return;
    this.#receiveWindow -= length;
    if (this.#receiveWindow < 0) {
      this.fail(FLOW_CONTROL_ERROR, 'DATA is beyond the window of the connection');
      return;
    }
    const stream = this.streams.get(streamId);
    if (stream === null) {
      this.#dataOfNobody(streamId);
      return;
    }
    if (!stream.receiving) {
      this.failStream(stream, STREAM_CLOSED, 'DATA after the end of a stream');
      return;
    }
    if (!stream.headReceived) {
      this.failStream(stream, PROTOCOL_ERROR, 'DATA before the head of the response');
      return;
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) {
      this.failStream(stream, FLOW_CONTROL_ERROR, 'DATA is beyond the window of its stream');
      return;
    }
    this.#dataStream = stream;
    this.#dataEnds = (flags & END_STREAM) !== 0;
  }

  #dataOfNobody(streamId: number): void {
    if (this.#side.isIdle(streamId)) this.fail(PROTOCOL_ERROR, `DATA on idle stream ${streamId}`);
    else if (!this.resetIds.has(streamId))
      this.rejectStream(streamId, STREAM_CLOSED, 'DATA on a closed stream');
  }

  onPadding(octets: number): void {
    const stream = this.#dataStream;
    if (stream === null || stream.state === 'closed') {
      this.#giveBack(octets);
      return;
    }
    stream.unconsumed += octets;
    this.consumed(stream, octets);
  }

  onData(bytes: Buffer, start: number, end: number, last: boolean): void {
    const stream = this.#dataStream;
    const length = end - start;
    if (stream === null || stream.state === 'closed') {
      this.#giveBack(length);
      return;
    }
    const ends = last && this.#dataEnds;
    stream.receivedBytes += length;
    stream.unconsumed += length;
    stream.activeAt = this.now;
    if (!ends) {
      if (length === 0) this.count('emptyData');
      else if (this.#bodyFits(stream, false)) stream.deliverData(bytes.subarray(start, end), false);
      return;
    }
    if (!this.#bodyFits(stream, true)) return;
    this.endedByPeer(stream);
    stream.deliverData(bytes.subarray(start, end), true);
  }

  /** Content-Length against the octets that came (RFC 9113 §8.1.1). Fails the stream if they differ. */
  #bodyFits(stream: Http2Stream, end: boolean): boolean {
    const { expectedBytes, receivedBytes } = stream;
    if (expectedBytes < 0 || (end ? receivedBytes === expectedBytes : receivedBytes <= expectedBytes))
      return true;
    this.failStream(
      stream,
      PROTOCOL_ERROR,
      `content-length is ${expectedBytes}, the body has ${receivedBytes} octets`,
    );
    return false;
  }

  /** END_STREAM with a header block: the body must be complete. */
  bodyComplete(stream: Http2Stream): boolean {
    return this.#bodyFits(stream, true);
  }

  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (!this.#mayBegin(streamId, type === CONTINUATION, type, flags)) return;
    switch (type) {
      case HEADERS:
        this.#onHeaders(flags, streamId, bytes, start, end);
        return;
      case PRIORITY:
        this.#onPriority(streamId, bytes, start, end);
        return;
      case RST_STREAM:
        this.#onReset(streamId, bytes, start, end);
        return;
      case SETTINGS:
        this.#onSettings(flags, streamId, bytes, start, end);
        return;
      case PUSH_PROMISE:
        this.fail(PROTOCOL_ERROR, 'PUSH_PROMISE, which SETTINGS_ENABLE_PUSH forbids');
        return;
      case PING:
        this.#onPing(flags, streamId, bytes, start, end);
        return;
      case GOAWAY:
        this.#onGoaway(streamId, bytes, start, end);
        return;
      case WINDOW_UPDATE:
        this.#onWindowUpdate(streamId, bytes, start, end);
        return;
      case CONTINUATION:
        this.#onHeaderFault(
          this.#assembler.add(bytes.subarray(start, end), (flags & END_HEADERS) !== 0),
          flags,
        );
        return;
      default:
        // Unknown types are ignored (§5.5).
        this.count('priorities');
    }
  }

  /** What no frame may violate: SETTINGS come first (§3.4), and nothing comes between the parts of a header block (§4.3). */
  #mayBegin(streamId: number, continues: boolean, type = 0, flags = 0): boolean {
    const { state, streamId: openStream } = this.#assembler;
    if (state === 'open' ? !continues || streamId !== openStream : continues) {
      this.fail(
        PROTOCOL_ERROR,
        state === 'open' ? 'a header block is interrupted' : 'CONTINUATION without HEADERS',
      );
      return false;
    }
    if (this.state === 'awaiting-settings' && (type !== SETTINGS || (flags & ACK) !== 0)) {
      this.fail(PROTOCOL_ERROR, 'the first frame is not SETTINGS');
      return false;
    }
    return true;
  }

  #onHeaders(flags: number, streamId: number, bytes: Buffer, from: number, to: number): void {
    if (streamId === 0) {
      this.fail(PROTOCOL_ERROR, 'HEADERS on stream 0');
      return;
    }
    let start = from;
    let end = to;
    const padded = (flags & PADDED) !== 0;
    const priority = (flags & PRIORITY_FLAG) !== 0;
    if (end - start < (padded ? 1 : 0) + (priority ? 5 : 0)) {
      this.fail(FRAME_SIZE_ERROR, 'HEADERS is too short');
      return;
    }
    const padding = padded ? bytes[start++] : 0;
    this.#selfDependent = priority && readUint31(bytes, start) === streamId;
    if (priority) start += 5;
    end -= padding;
    if (end < start) {
      this.fail(PROTOCOL_ERROR, 'padding is longer than its HEADERS frame');
      return;
    }
    const endStream = (flags & END_STREAM) !== 0;
    if ((flags & END_HEADERS) === 0) {
      this.#blockSince = this.now;
      this.#onHeaderFault(this.#assembler.open(streamId, endStream, bytes.subarray(start, end)), 0);
      return;
    }
    const fault = this.#assembler.decode(bytes, start, end);
    if (fault === '') this.#onBlock(streamId, endStream);
    else this.#onHeaderFault(fault, 0);
  }

  #onHeaderFault(fault: string, flags: number): void {
    const assembler = this.#assembler;
    if (fault === '') {
      if ((flags & END_HEADERS) !== 0) this.#onBlock(assembler.streamId, assembler.endStream);
      return;
    }
    if (assembler.faultLimit !== null) this.observer.onLimit(assembler.faultLimit);
    this.fail(assembler.faultCode, fault);
  }

  #onBlock(streamId: number, endStream: boolean): void {
    if (this.#selfDependent && this.#block.fault === '') this.#block.fault = 'a stream depends on itself';
    this.#selfDependent = false;
    this.#side.onHeaderBlock(streamId, endStream, this.#block);
  }

  #onPriority(streamId: number, bytes: Buffer, start: number, end: number): void {
    this.count('priorities');
    if (!this.live) return;
    if (streamId === 0) this.fail(PROTOCOL_ERROR, 'PRIORITY on stream 0');
    else if (end - start !== 5) this.#failById(streamId, FRAME_SIZE_ERROR, 'PRIORITY is not of 5 octets');
    else if (readUint31(bytes, start) === streamId) {
      this.#failById(streamId, PROTOCOL_ERROR, 'a stream depends on itself');
    }
  }

  #failById(streamId: number, code: number, text: string): void {
    const stream = this.streams.get(streamId);
    if (stream !== null) this.failStream(stream, code, text);
    // RST_STREAM on an idle stream is not allowed (§6.4).
    else if (this.#side.isIdle(streamId)) this.fail(code, text);
    else this.rejectStream(streamId, code, text);
  }

  #onReset(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) {
      this.fail(FRAME_SIZE_ERROR, 'RST_STREAM is not of 4 octets');
    } else if (streamId === 0 || this.#side.isIdle(streamId)) {
      this.fail(PROTOCOL_ERROR, `RST_STREAM on idle stream ${streamId}`);
    } else {
      const stream = this.streams.get(streamId);
      if (stream !== null) {
        this.close(stream);
        stream.onPeerReset(readUint32(bytes, start));
      }
      this.count('resets');
    }
  }

  #onSettings(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    const ack = (flags & ACK) !== 0;
    if (streamId !== 0) this.fail(PROTOCOL_ERROR, 'SETTINGS on a stream');
    else if (ack ? length !== 0 : length % 6 !== 0)
      this.fail(FRAME_SIZE_ERROR, `SETTINGS of ${length} octets`);
    else if (ack) return;
    else {
      this.count('settings');
      if (this.live && this.reads()) this.#applySettings(bytes, start, end);
    }
  }

  #applySettings(bytes: Buffer, start: number, end: number): void {
    const { peer } = this;
    const before = peer.streamWindowBytes;
    const first = this.state === 'awaiting-settings';
    if (first) {
      this.state = 'open';
      peer.liftInitialCapacity();
    }
    const fault = peer.apply(bytes, start, end);
    if (fault !== '') {
      this.fail(peer.faultCode, fault);
      return;
    }
    this.writer.maxFrameBytes = peer.maxFrameBytes;
    this.encoder.limitTable(peer.headerTableBytes);
    this.writer.settingsAck();
    if (peer.streamWindowBytes !== before) this.#shiftWindows(peer.streamWindowBytes - before);
    if (this.live) this.#side.onSettings(first);
  }

  /** §6.9.2: a new initial window applies to the streams that are open, and may make their windows negative. */
  #shiftWindows(difference: number): void {
    for (const stream of this.streams.all()) {
      stream.sendWindow += difference;
      if (stream.sendWindow > MAX_31) {
        this.fail(FLOW_CONTROL_ERROR, 'SETTINGS_INITIAL_WINDOW_SIZE makes a window too large');
        return;
      }
      this.scheduler.refit(stream);
    }
    this.scheduler.pump();
  }

  #onPing(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== 0) this.fail(PROTOCOL_ERROR, 'PING on a stream');
    else if (end - start !== 8) this.fail(FRAME_SIZE_ERROR, 'PING is not of 8 octets');
    else if ((flags & ACK) !== 0) this.#onPingAnswer(readUint32(bytes, start), readUint32(bytes, start + 4));
    else {
      this.count('pings');
      if (!this.live || !this.reads()) return;
      this.writer.ping(readUint32(bytes, start), readUint32(bytes, start + 4), true);
    }
  }

  #onPingAnswer(high: number, low: number): void {
    const answer = this.keepalive.answer(high, low);
    if (answer === 'keepalive') this.observer.onRoundTrip(this.keepalive.finish(this.#clock()));
    else if (answer === 'drain') this.#side.onDrainAnswer();
  }

  #onGoaway(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== 0) {
      this.fail(PROTOCOL_ERROR, 'GOAWAY on a stream');
    } else if (end - start < 8) {
      this.fail(FRAME_SIZE_ERROR, 'GOAWAY is too short');
    } else {
      const code = readUint32(bytes, start + 4);
      if (code !== NO_ERROR) {
        const text = JSON.stringify(bytes.latin1Slice(start + 8, Math.min(end, start + 208)));
        this.observer.onFault(code, `the peer says GOAWAY ${text}`, 'connection');
      }
      this.#side.onGoaway(readUint31(bytes, start), code);
    }
  }

  #onWindowUpdate(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) {
      this.fail(FRAME_SIZE_ERROR, 'WINDOW_UPDATE is not of 4 octets');
      return;
    }
    this.count('windowUpdates');
    if (!this.live) return;
    const increment = readUint31(bytes, start);
    if (streamId === 0) this.#growConnection(increment);
    else this.#growStream(streamId, increment);
  }

  #growConnection(increment: number): void {
    if (increment === 0) {
      this.fail(PROTOCOL_ERROR, 'WINDOW_UPDATE of 0');
    } else if (this.scheduler.window + increment > MAX_31) {
      this.fail(FLOW_CONTROL_ERROR, 'WINDOW_UPDATE makes the window of the connection too large');
    } else {
      this.scheduler.window += increment;
      this.scheduler.pump();
    }
  }

  #growStream(streamId: number, increment: number): void {
    const stream = this.streams.get(streamId);
    if (stream === null) {
      if (this.#side.isIdle(streamId)) this.fail(PROTOCOL_ERROR, `WINDOW_UPDATE on idle stream ${streamId}`);
    } else if (increment === 0) {
      this.failStream(stream, PROTOCOL_ERROR, 'WINDOW_UPDATE of 0');
    } else if (stream.sendWindow + increment > MAX_31) {
      this.failStream(stream, FLOW_CONTROL_ERROR, 'WINDOW_UPDATE makes the window of a stream too large');
    } else {
      stream.sendWindow += increment;
      this.scheduler.refit(stream);
      this.scheduler.pump();
    }
  }
}
