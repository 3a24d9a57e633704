import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';

const INTERVAL_MS = 1000;
const LINES = 10;

/**
 * A log for what strangers can cause as often as they like: ten lines a second at most. What is left out is told in the
 * first line of a later second.
 */
export class ThrottledLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  #since = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #omitted = 0;

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  info(fields: object, message: string): void {
    if (this.#admits()) this.#log.info(this.#counted(fields), message);
  }

  warn(fields: object, message: string): void {
    if (this.#admits()) this.#log.warn(this.#counted(fields), message);
  }

  #admits(): boolean {
    const now = this.#clock.now();
    if (now - this.#since >= INTERVAL_MS) {
      this.#since = now;
      this.#lines = 0;
    }
    if (++this.#lines <= LINES) return true;
    this.#omitted++;
    return false;
  }

  #counted(fields: object): object {
    if (this.#omitted === 0) return fields;
    const omitted = this.#omitted;
    this.#omitted = 0;
    return { ...fields, omitted };
  }
}
