import type { RetryRateConfig } from './cluster-config.ts';

/** Parts of an interval; what is older than all of them is forgotten part by part. */
const SLOTS = 10;

/** How often something has happened in the interval that ends now. */
class EventCount {
  readonly #slotMs: number;
  readonly #counts = new Float64Array(SLOTS);
  /** Number of the newest slot since the clock's zero. */
  #slot = 0;
  #total = 0;

  constructor(intervalMs: number) {
    this.#slotMs = intervalMs / SLOTS;
  }

  add(now: number): void {
    this.#advance(now);
    this.#counts[this.#slot % SLOTS]++;
    this.#total++;
  }

  total(now: number): number {
    this.#advance(now);
    return this.#total;
  }

  #advance(now: number): void {
    const slot = Math.floor(now / this.#slotMs);
    const steps = Math.min(SLOTS, slot - this.#slot);
    for (let i = 1; i <= steps; i++) {
      const index = (slot - steps + i) % SLOTS;
      this.#total -= this.#counts[index];
      this.#counts[index] = 0;
    }
    if (slot > this.#slot) this.#slot = slot;
  }
}

/**
 * A retry budget by time (GEP-3388, RetryConstraint): retries may be a share of all requests of an interval, themselves
 * among them, or so many in a time, whichever allows more. Every retry counts, also those of the same request.
 */
export class RetryRate {
  readonly #config: RetryRateConfig;
  readonly #requests: EventCount;
  readonly #retries: EventCount;
  readonly #recent: EventCount;

  constructor(config: RetryRateConfig) {
    this.#config = config;
    this.#requests = new EventCount(config.intervalMs);
    this.#retries = new EventCount(config.intervalMs);
    this.#recent = new EventCount(config.minIntervalMs);
  }

  requested(now: number): void {
    this.#requests.add(now);
  }

  retried(now: number): void {
    this.#retries.add(now);
    this.#recent.add(now);
  }

  /** Whether one more retry fits. */
  allows(now: number): boolean {
    const { fraction, minCount } = this.#config;
    if (this.#recent.total(now) < minCount) return true;
    const retries = this.#retries.total(now) + 1;
    return retries <= fraction * (this.#requests.total(now) + retries);
  }
}
