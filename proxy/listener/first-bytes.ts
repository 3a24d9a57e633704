import type { Clock } from '../../runtime/clock.ts';
import { type TimerOwner, type TimerWheel, WheelTimer } from '../exchange/timer-wheel.ts';
import type { Stage } from './downstream-connection.ts';

/** As much as is looked at; a ClientHello has at most 16 KiB. */
const MAX_BYTES = 20_480;
export interface FirstBytesTimeouts {
  /** From the start, ms; Infinity to wait for the first byte as long as an idle connection may stay. */
  readonly detectTimeoutMs: number;
  /** Who has begun to speak must say what it is within this time, as for a request head. */
  readonly headTimeoutMs: number;
  /** Of a connection on which nothing is ever said. */
  readonly idleTimeoutMs: number;
}

/**
 * Collects the first bytes of a connection until they tell what it is. Nothing is consumed: the whole is handed on.
 * `judge` gives null while they may still become more than one thing; then the timeout, the client's FIN or the limit
 * decides, and `settle` gets null.
 */
export class FirstBytes<Verdict> implements Stage, TimerOwner {
  readonly active = 1;
  readonly #judge: (bytes: Buffer) => Verdict | null;
  readonly #settle: (verdict: Verdict | null, bytes: Buffer, ended: boolean) => void;
  readonly #clock: Clock;
  readonly #wheel: TimerWheel;
  /** 0: the wait is the same however much has been said. */
  readonly #begunMs: number;
  readonly #timer = new WheelTimer(this);
  #bytes: Buffer = EMPTY;
  #done = false;

  constructor(
    clock: Clock,
    wheel: TimerWheel,
    { detectTimeoutMs, headTimeoutMs, idleTimeoutMs }: FirstBytesTimeouts,
    judge: (bytes: Buffer) => Verdict | null,
    settle: (verdict: Verdict | null, bytes: Buffer, ended: boolean) => void,
  ) {
    this.#judge = judge;
    this.#settle = settle;
    this.#clock = clock;
    this.#wheel = wheel;
    this.#begunMs = detectTimeoutMs === Number.POSITIVE_INFINITY ? headTimeoutMs : 0;
    wheel.set(this.#timer, clock.now() + Math.min(detectTimeoutMs, idleTimeoutMs));
  }

  receive(bytes: Buffer): void {
    if (this.#done) return;
    if (this.#begunMs > 0 && this.#bytes.length === 0)
      this.#wheel.set(this.#timer, this.#clock.now() + this.#begunMs);
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
    const verdict = this.#judge(this.#bytes);
    if (verdict !== null || this.#bytes.length >= MAX_BYTES) return this.#end(verdict, false);
    // What was read is only lent.
    if (this.#bytes === bytes) this.#bytes = Buffer.from(bytes);
  }

  receiveEnd(): void {
    if (!this.#done) this.#end(null, true);
  }

  onDeadline(): void {
    this.giveUp();
  }

  /** Settles for what there is. */
  giveUp(): void {
    if (!this.#done) this.#end(null, false);
  }

  closed(): void {
    this.#done = true;
    this.#wheel.clear(this.#timer);
  }

  #end(verdict: Verdict | null, ended: boolean): void {
    this.#done = true;
    this.#wheel.clear(this.#timer);
    const bytes = this.#bytes;
    this.#bytes = EMPTY;
    this.#settle(verdict, bytes, ended);
  }

  tick(): void {}

  drain(): void {}

  cutOff(): void {
    this.closed();
  }

  destroy(): void {
    this.closed();
  }
}

const EMPTY: Buffer = Buffer.alloc(0);
