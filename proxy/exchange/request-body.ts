import { BLOCK_BYTES, type BlockPool } from './block-pool.ts';
import type { ClientStream, FieldLines } from './stream.ts';

/** A first block for bodies that are short, as most are. */
const SHORT_BYTES = 1024;

export const NOTHING: Buffer = Buffer.alloc(0);

/**
 * The body of a request as far as it may be needed again: for an attempt that is not open yet, and for another after
 * it. What was received before any attempt is open is kept whatever its size, since the sender's window bounds it.
 * Chunks are copied together into blocks, so that a body sent byte by byte takes no more memory than its bytes.
 */
export class RequestBody {
  readonly #pool: BlockPool;
  readonly #limit: number;
  readonly #blocks: Buffer[] = [];
  /** Bytes used of the last block; all of those before it. */
  #used = 0;
  /** Bytes kept. */
  bytes = 0;
  /** Everything received so far is kept. */
  intact = true;

  /** `limit`: bytes beyond which what an attempt has already got is given up. */
  constructor(pool: BlockPool, limit: number) {
    this.#pool = pool;
    this.#limit = limit;
  }

  /** Keeps a chunk; `sent`: an attempt has it already, so it may be given up when it is too much. */
  keep(chunk: Buffer, sent: boolean): void {
    if (!this.intact) return;
    if (sent && this.bytes + chunk.length > this.#limit) {
      this.drop();
      return;
    }
    this.bytes += chunk.length;
    let from = 0;
    while (from < chunk.length) {
      const block = this.#room(chunk.length - from);
      const copied = chunk.copy(block, this.#used, from);
      this.#used += copied;
      from += copied;
    }
  }

  /** A block with room in it. */
  #room(size: number): Buffer {
    const blocks = this.#blocks;
    if (blocks.length > 0 && this.#used < blocks[blocks.length - 1].length) return blocks[blocks.length - 1];
    const short = blocks.length === 0 && size <= SHORT_BYTES;
    blocks.push(short ? Buffer.allocUnsafe(SHORT_BYTES) : this.#pool.take());
    this.#used = 0;
    return blocks[blocks.length - 1];
  }

  /** Sends everything kept. False if the stream asks to pause. */
  replay(stream: ClientStream, complete: boolean, trailers: FieldLines | null): boolean {
    const blocks = this.#blocks;
    const last = blocks.length - 1;
    let writable = true;
    for (let i = 0; i <= last; i++) {
      const bytes = i < last ? blocks[i] : blocks[i].subarray(0, this.#used);
      writable = stream.data(bytes, i === last && complete && trailers === null);
    }
    if (complete && trailers !== null) stream.trailers(trailers);
    else if (complete && last === -1) stream.data(NOTHING, true);
    if (this.bytes > this.#limit) this.drop();
    return writable;
  }

  /** The same bytes for another receiver. */
  copy(): RequestBody {
    const copy = new RequestBody(this.#pool, this.#limit);
    const last = this.#blocks.length - 1;
    this.#blocks.forEach((block, i) => copy.keep(i < last ? block : block.subarray(0, this.#used), false));
    return copy;
  }

  /** Nothing is needed again. */
  drop(): void {
    this.intact = false;
    this.bytes = 0;
    for (const block of this.#blocks) if (block.length === BLOCK_BYTES) this.#pool.give(block);
    this.#blocks.length = 0;
  }
}
