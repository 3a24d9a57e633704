/**
 * Body bytes that wait for a window. They are only lent, so they are copied together into blocks: a body sent octet by
 * octet takes no more memory than its octets.
 */
import type { BlockPool } from '../exchange/block-pool.ts';

/** The first block of a queue that holds little. */
const SHORT_BYTES = 1024;

export class ByteQueue {
  length = 0;
  readonly #pool: BlockPool;
  #blocks: Buffer[] = [];
  /** The first block, and the octet in it, that {@link take} gives out next. */
  #first = 0;
  #offset = 0;
  /** Octets used of the last block. */
  #used = 0;

  constructor(pool: BlockPool) {
    this.#pool = pool;
  }

  push(chunk: Buffer): void {
    this.length += chunk.length;
    let from = 0;
    while (from < chunk.length) {
      const last = this.#blocks.length - 1;
      if (last < this.#first || this.#used === this.#blocks[last].length) this.#open(chunk.length - from);
      const block = this.#blocks[this.#blocks.length - 1];
      const copied = chunk.copy(block, this.#used, from);
      this.#used += copied;
      from += copied;
    }
  }

  /** The next octets, at most `max` and at least one, lent until the next call here; call only when there are some. */
  take(max: number): Buffer {
    if (this.#offset === this.#blocks[this.#first].length) this.#next();
    const block = this.#blocks[this.#first];
    const available = this.#first === this.#blocks.length - 1 ? this.#used : block.length;
    const taken = block.subarray(this.#offset, Math.min(available, this.#offset + max));
    this.length -= taken.length;
    this.#offset += taken.length;
    return taken;
  }

  /** Gives the memory back; what was queued is gone. Also to be called when all has been taken. */
  clear(): void {
    for (let i = this.#first; i < this.#blocks.length; i++) this.#pool.give(this.#blocks[i]);
    this.#blocks = [];
    this.#first = this.#offset = this.#used = this.length = 0;
  }

  #open(size: number): void {
    const short = this.#blocks.length === 0 && size <= SHORT_BYTES;
    this.#blocks.push(short ? Buffer.allocUnsafe(SHORT_BYTES) : this.#pool.take());
    this.#used = 0;
  }

  #next(): void {
    this.#pool.give(this.#blocks[this.#first]);
    this.#first++;
    this.#offset = 0;
    if (this.#first >= 64) {
      this.#blocks.splice(0, this.#first);
      this.#first = 0;
    }
  }
}
