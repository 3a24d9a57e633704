/** What is too slow on a connection, found out once a second by {@link ConnectionTimeouts.tick}. */
import type { FrameDispatcher } from './frame-dispatcher.ts';
import type { FrameReader } from './frame-reader.ts';
import type { Http2LimitName } from './limits.ts';
import type { Multiplexer } from './multiplexer.ts';
import type { Http2Stream } from './stream.ts';

export class ConnectionTimeouts {
  readonly #mux: Multiplexer;
  readonly #reader: FrameReader;
  readonly #dispatcher: FrameDispatcher;
  readonly #startedAt: number;
  /** Number of the frame that is being collected, and since when that is known. */
  #partialFrame = 0;
  #partialSince = 0;
  /** Bytes that the operating system had taken at the last tick. */
  #delivered = 0;
  /** The first tick that saw bytes wait and none taken; -1 if the last one did not. */
  #stalledSince = -1;

  constructor(mux: Multiplexer, reader: FrameReader, dispatcher: FrameDispatcher) {
    this.#mux = mux;
    this.#reader = reader;
    this.#dispatcher = dispatcher;
    this.#startedAt = mux.now;
  }

  tick(nowMs: number): void {
    this.#tickConnection(nowMs);
    if (this.#mux.live) this.#tickStreams(nowMs);
  }

  #tickConnection(nowMs: number): void {
    const mux = this.#mux;
    const { limits } = mux;
    const limit = this.#passed(nowMs);
    if (limit !== null) {
      mux.timeOut(limit);
    } else if (
      mux.streams.size === 0 &&
      limits.idleTimeoutMs > 0 &&
      nowMs - mux.idleSince >= limits.idleTimeoutMs
    ) {
      mux.observer.onLimit('idleTimeoutMs');
      mux.finish();
    }
  }

  /** The limit for which the connection is dropped; null if there is none. */
  #passed(nowMs: number): Http2LimitName | null {
    const mux = this.#mux;
    if (mux.state === 'awaiting-settings' && nowMs - this.#startedAt >= mux.limits.prefaceTimeoutMs) {
      return 'prefaceTimeoutMs';
    }
    if (this.#headersStall(nowMs)) return 'headerTimeoutMs';
    if (this.#outputStalls(nowMs)) return 'flushStallMs';
    return mux.keepalive.tick(nowMs, mux.clock(), mux.streams.size) ? null : 'keepaliveTimeoutMs';
  }

  #outputStalls(nowMs: number): boolean {
    const { output, limits } = this.#mux;
    if (output.buffered === 0 || output.delivered !== this.#delivered) {
      this.#delivered = output.delivered;
      this.#stalledSince = output.buffered === 0 ? -1 : nowMs;
      return false;
    }
    // What has just been written waits too, and is not late however long the last tick is ago.
    if (this.#stalledSince < 0) this.#stalledSince = nowMs;
    return nowMs - this.#stalledSince >= limits.flushStallMs;
  }

  /** Whether a frame or a header block has been incomplete for too long. */
  #headersStall(nowMs: number): boolean {
    const { headerTimeoutMs } = this.#mux.limits;
    const { blockSince } = this.#dispatcher;
    if (blockSince >= 0 && nowMs - blockSince >= headerTimeoutMs) return true;
    if (!this.#reader.collecting || this.#reader.begun !== this.#partialFrame) {
      this.#partialFrame = this.#reader.begun;
      this.#partialSince = nowMs;
      return false;
    }
    return nowMs - this.#partialSince >= headerTimeoutMs;
  }

  #tickStreams(nowMs: number): void {
    const { streamIdleTimeoutMs, flushStallMs } = this.#mux.limits;
    for (const stream of this.#mux.streams.all()) {
      if (stream.state === 'closed') continue;
      const waits = stream.queue !== null && stream.queue.length > 0;
      if (waits && nowMs - stream.sentAt >= flushStallMs) this.#timeOutStream(stream, 'flushStallMs');
      else if (this.#isIdle(stream, nowMs, streamIdleTimeoutMs)) {
        this.#timeOutStream(stream, 'streamIdleTimeoutMs');
      }
    }
  }

  #isIdle(stream: Http2Stream, nowMs: number, timeoutMs: number): boolean {
    return timeoutMs > 0 && stream.overdue && nowMs - stream.activeAt >= timeoutMs;
  }

  #timeOutStream(stream: Http2Stream, limit: Http2LimitName): void {
    this.#mux.observer.onLimit(limit);
    stream.reset('timeout');
    stream.deliverReset('timeout');
  }
}
