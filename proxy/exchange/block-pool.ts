/** Bytes of one block. */
export const BLOCK_BYTES = 16_384;
/** Blocks that are kept for reuse: 1 MiB. */
const MAX_FREE = 64;

/**
 * Memory for bytes that are kept for a moment, used again and again: V8 answers memory of buffers that comes and goes with
 * full garbage collections.
 */
export class BlockPool {
  readonly #free: Buffer[] = [];

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
  }

  /** Nobody may use the block any more. */
  give(block: Buffer): void {
    if (block.length === BLOCK_BYTES && this.#free.length < MAX_FREE) this.#free.push(block);
  }
}
