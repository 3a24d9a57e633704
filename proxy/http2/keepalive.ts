/** PINGs of ours: is the peer alive, how far is it, and has it seen our GOAWAY (RFC 9113 §6.7, §6.8). */
import type { FrameWriter } from './frame-writer.ts';
import type { Http2Limits } from './limits.ts';

/** First half of the payload, by what the PING is for; the second half counts. */
const KEEPALIVE = 0x74_6c_6b_61;
const DRAIN = 0x74_6c_64_72;

export type PingAnswer = 'keepalive' | 'drain' | 'unknown';

export class Keepalive {
  readonly #writer: FrameWriter;
  readonly #limits: Readonly<Http2Limits>;
  #count = 0;
  /** When the PING that is under way was sent, by the precise clock and by tick; -1 if none is. */
  #sentAt = -1;
  #tickAt = 0;
  #receivedAt: number;

  constructor(writer: FrameWriter, limits: Readonly<Http2Limits>, nowMs: number) {
    this.#writer = writer;
    this.#limits = limits;
    this.#receivedAt = nowMs;
  }

  /** Bytes came. @param nowMs time of the last tick */
  received(nowMs: number): void {
    this.#receivedAt = nowMs;
  }

  drainPing(): void {
    this.#writer.ping(DRAIN, 0, false);
  }

  /** What an acknowledged payload belongs to. */
  answer(high: number, low: number): PingAnswer {
    if (high === DRAIN) return 'drain';
    return high === KEEPALIVE && low === this.#count && this.#sentAt >= 0 ? 'keepalive' : 'unknown';
  }

  /** Ends the PING under way. @returns its round trip in ms */
  finish(clockMs: number): number {
    const elapsed = clockMs - this.#sentAt;
    this.#sentAt = -1;
    return elapsed;
  }

  /** Sends a PING if it is time. @returns false if the peer is dead */
  tick(nowMs: number, clockMs: number, active: number): boolean {
    if (this.#sentAt >= 0)
      return nowMs - Math.max(this.#tickAt, this.#receivedAt) < this.#limits.keepaliveTimeoutMs;
    const intervalMs = active === 0 ? this.#limits.keepaliveIdleMs : this.#limits.keepaliveMs;
    if (intervalMs === 0 || nowMs - this.#receivedAt < intervalMs) return true;
    this.#count = (this.#count + 1) & 0x7fff_ffff;
    this.#sentAt = clockMs;
    this.#tickAt = nowMs;
    this.#writer.ping(KEEPALIVE, this.#count, false);
    return true;
  }
}
