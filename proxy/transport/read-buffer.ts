import { BORROWED_BELOW } from '../exchange/stream.ts';

/** As much as one read takes at most. */
const READ_BYTES = 65_536;
/** A rest of a given-away buffer that is smaller is not read into. */
const REUSE_BYTES = 16_384;

/**
 * Where the reads of one connection land. Small reads, which are most, use one buffer of the whole process and are only
 * lent (`BORROWED_BELOW` in stream.ts); a connection that carries large bodies reads into buffers of its own, which are
 * given away without a copy.
 *
 * The kernel writes where the last answer of {@link next} said, so the shared buffer is never given away: the first large
 * read of a connection is copied out of it.
 */
export class ReadBuffer {
  readonly #shared: Buffer;
  #own: Buffer | null = null;

  /** `shared` comes from {@link createSharedReadBuffer}, one for the process. */
  constructor(shared: Buffer) {
    this.#shared = shared;
  }

  /** Where the next read goes. */
  next(): Buffer {
    return this.#own ?? this.#shared;
  }

  /** The bytes of a read that went to `buffer`. */
  take(buffer: Buffer, size: number): Buffer {
    if (size < BORROWED_BELOW) {
      this.#own = null;
      return buffer.subarray(0, size);
    }
    if (buffer === this.#shared) {
      const copy = Buffer.allocUnsafeSlow(size);
      buffer.copy(copy, 0, 0, size);
      this.#own = Buffer.allocUnsafeSlow(READ_BYTES);
      return copy;
    }
    this.#own =
      buffer.length - size >= REUSE_BYTES ? buffer.subarray(size) : Buffer.allocUnsafeSlow(READ_BYTES);
    return buffer.subarray(0, size);
  }
}

/** The buffer that all connections of a process read into first. */
export function createSharedReadBuffer(): Buffer {
  return Buffer.allocUnsafeSlow(READ_BYTES);
}
