/**
 * Body bytes that wait for a window. Short chunks, which are only lent, are copied together into blocks, so
 * that a body sent octet by octet takes no more memory than its octets.
 */
import { BORROWED_BELOW } from '../exchange/stream.ts';

/** The least that a block holds; one for a long chunk holds all of it. */
const BLOCK_BYTES = 4096;

export class ByteQueue {
  length = 0;
  #chunks: Buffer[] = [];
  /** The first chunk, and the octet in it, that {@link take} gives out next. */
  #first = 0;
  #offset = 0;
  /** Octets used of the last chunk if it is a block of ours that may take more; -1 if it is not. */
  #blockEnd = -1;

  /** Takes `chunk` over, or copies it if it is shorter than {@link BORROWED_BELOW}. */
  push(chunk: Buffer): void {
    this.length += chunk.length;
    if (chunk.length >= BORROWED_BELOW) {
      this.#close();
      this.#chunks.push(chunk);
      return;
    }
    let from = 0;
    while (from < chunk.length) {
      if (this.#blockEnd < 0 || this.#blockEnd === this.#chunks[this.#chunks.length - 1].length) {
        this.#open(Math.max(BLOCK_BYTES, chunk.length - from));
      }
      const block = this.#chunks[this.#chunks.length - 1];
      const copied = chunk.copy(block, this.#blockEnd, from);
      this.#blockEnd += copied;
      from += copied;
    }
  }

  /** The next octets, at most `max` and at least one; call only when there are some. */
  take(max: number): Buffer {
    const chunk = this.#chunks[this.#first];
    const isBlock = this.#blockEnd >= 0 && this.#first === this.#chunks.length - 1;
    const available = isBlock ? this.#blockEnd : chunk.length;
    const end = Math.min(available, this.#offset + max);
    const taken = chunk.subarray(this.#offset, end);
    this.length -= taken.length;
    this.#offset = end;
    if (end === chunk.length || this.length === 0) this.#next();
    return taken;
  }

  #open(size: number): void {
    this.#chunks.push(Buffer.allocUnsafeSlow(size));
    this.#blockEnd = 0;
  }

  /** The last block takes no more: it ends where it is filled to. */
  #close(): void {
    if (this.#blockEnd >= 0) {
      const last = this.#chunks.length - 1;
      this.#chunks[last] = this.#chunks[last].subarray(0, this.#blockEnd);
      this.#blockEnd = -1;
    }
  }

  #next(): void {
    this.#first++;
    this.#offset = 0;
    if (this.#first === this.#chunks.length) {
      this.#chunks = [];
      this.#first = 0;
      this.#blockEnd = -1;
    } else if (this.#first >= 64) {
      this.#chunks.splice(0, this.#first);
      this.#first = 0;
    }
  }
}
