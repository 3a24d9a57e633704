import { EMPTY } from './body-decoder.ts';

/** Bytes that came before their turn: [start, end) of `bytes`. Bytes before `start` may have been passed on and stay. */
export class HeldBytes {
  bytes: Buffer = EMPTY;
  start = 0;
  end = 0;
  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.end - this.start;
  }

  /** Reading should stop. What the transport has read already still fits. */
  get full(): boolean {
    return this.end - this.start >= this.#maxBytes / 4;
  }

  /** Copies `chunk` from `from` on. @returns false, and nothing is copied, if that would exceed the limit */
  append(chunk: Buffer, from: number): boolean {
    const length = this.length + chunk.length - from;
    if (length > this.#maxBytes) return false;
    if (this.end + chunk.length - from > this.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(1024, length * 2));
      this.bytes.copy(grown, 0, this.start, this.end);
      this.end -= this.start;
      this.start = 0;
      this.bytes = grown;
    }
    this.end += chunk.copy(this.bytes, this.end, from);
    return true;
  }

  clear(): void {
    this.bytes = EMPTY;
    this.start = 0;
    this.end = 0;
  }
}
