import type { Output } from '../transport/output.ts';

const NOT_STARTED = -1;

/**
 * Measures how long a connection has been in its present condition, in steps of the owner's tick: time starts at the
 * first tick that sees the condition. So no clock is read per request, and a timeout comes at most a tick late.
 */
export class Stopwatch {
  readonly #output: Output;
  #since = NOT_STARTED;
  #delivered = 0;
  #stalledSince = NOT_STARTED;

  constructor(output: Output) {
    this.#output = output;
  }

  /** Something happened: the time starts anew. */
  restart(): void {
    this.#since = NOT_STARTED;
  }

  /** Whether `timeoutMs` have passed since the restart. To be asked at every tick. */
  passed(nowMs: number, timeoutMs: number): boolean {
    if (this.#since === NOT_STARTED) this.#since = nowMs;
    return nowMs - this.#since >= timeoutMs;
  }

  /** Whether the peer has taken no byte of waiting output for `timeoutMs`. To be asked at every tick. */
  stalled(nowMs: number, timeoutMs: number): boolean {
    const { buffered, delivered } = this.#output;
    if (buffered === 0 || delivered !== this.#delivered || this.#stalledSince === NOT_STARTED) {
      this.#delivered = delivered;
      this.#stalledSince = buffered === 0 ? NOT_STARTED : nowMs;
      return false;
    }
    return nowMs - this.#stalledSince >= timeoutMs;
  }
}
