/** Time as a parameter, so that tests pass their own. */

export interface Clock {
  /** Monotonic milliseconds with a fraction; for durations. */
  now(): number;
  /** Unix time in milliseconds; for certificates and logs. */
  unix(): number;
  /** Calls back once after `ms`; returns what cancels it. Does not keep the process alive. */
  after(ms: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  unix: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** A clock that moves only when it is told to. */
export class ManualClock implements Clock {
  #now: number;
  readonly #offset: number;
  #timers: { at: number; callback: () => void }[] = [];

  constructor(unix = 1_700_000_000_000) {
    this.#now = 0;
    this.#offset = unix;
  }

  now(): number {
    return this.#now;
  }

  unix(): number {
    return this.#offset + this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + ms, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter(other => other !== timer);
    };
  }

  /** Moves time on and runs what falls due, in order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter(timer => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter(timer => timer !== due);
      this.#now = due.at;
      due.callback();
    }
    this.#now = end;
  }
}
