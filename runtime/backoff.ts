/** Exponential backoff with full jitter: a random wait between 0 and a ceiling that doubles with each failure. */
export class Backoff {
  #failures = 0;
  readonly #baseMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;

  constructor(baseMs: number, maxMs: number, random: () => number = Math.random) {
    this.#baseMs = baseMs;
    this.#maxMs = maxMs;
    this.#random = random;
  }

  /** Milliseconds to wait before the next try. */
  next(): number {
    const ceiling = Math.min(this.#maxMs, this.#baseMs * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    return this.#random() * ceiling;
  }

  /** To be called when a try has succeeded. */
  reset(): void {
    this.#failures = 0;
  }
}
