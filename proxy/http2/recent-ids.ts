/**
 * Identifiers of streams that ended lately. Frames of a stream that we reset may still be under way and are
 * ignored (RFC 9113 §5.1, closed); frames of one that ended by itself are an error.
 */
const SIZE = 256;

export class RecentIds {
  #ids: Int32Array | null = null;
  #next = 0;

  add(id: number): void {
    // Most connections never reset a stream.
    this.#ids ??= new Int32Array(SIZE);
    this.#ids[this.#next] = id;
    this.#next = (this.#next + 1) % SIZE;
  }

  has(id: number): boolean {
    return this.#ids !== null && this.#ids.includes(id);
  }
}
