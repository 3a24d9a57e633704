import { TOKEN } from './bytes.ts';
import { FIELD_TAGS } from './field-table.ts';

const SLOTS = 1024;
const MAX_NAME = 48;
/** A longer value is made anew faster than it is compared (bench/micro). */
const MAX_VALUE = 48;

/**
 * Strings for bytes seen before, shared by all connections of a process: most field lines of most requests are the
 * same, and making a string costs more than comparing one. Direct-mapped, so it needs no eviction; a hit is always
 * compared in full, so a collision costs time and never a wrong string.
 */
export class FieldCache {
  /** Tag (field-table.ts) of the name that {@link name} returned last. */
  tag = 0;
  readonly #names: string[] = Array.from({ length: SLOTS }, () => '');
  readonly #tags = new Uint8Array(SLOTS);
  readonly #values: string[] = Array.from({ length: SLOTS }, () => '');

  /** The lower-case string of the token at [start, end); `hash` is any hash of its lower-case bytes. */
  name(bytes: Buffer, start: number, end: number, hash: number): string {
    const slot = (hash ^ (hash >>> 11)) & (SLOTS - 1);
    const known = this.#names[slot];
    const length = end - start;
    if (known.length === length) {
      let k = 0;
      while (k < length && known.charCodeAt(k) === TOKEN[bytes[start + k]]) k++;
      if (k === length) {
        this.tag = this.#tags[slot];
        return known;
      }
    }
    return this.#learn(bytes, start, end, slot);
  }

  #learn(bytes: Buffer, start: number, end: number, slot: number): string {
    const name = bytes.latin1Slice(start, end).toLowerCase();
    this.tag = FIELD_TAGS.get(name) ?? 0;
    if (name.length <= MAX_NAME) {
      this.#names[slot] = name;
      this.#tags[slot] = this.tag;
    }
    return name;
  }

  /** The latin1 string of [start, end), for values and targets that are likely to come again. */
  value(bytes: Buffer, start: number, end: number): string {
    const length = end - start;
    if (length === 0) return '';
    if (length > MAX_VALUE) return bytes.latin1Slice(start, end);
    // A sparse hash: the ends and the middle tell repeated values apart well enough.
    let hash = Math.imul(length, 31) + bytes[start];
    hash = Math.imul(hash, 31) + bytes[start + (length >> 1)];
    hash = Math.imul(hash, 31) + bytes[start + length - (length > 3 ? 3 : 1)];
    hash = Math.imul(hash, 31) + bytes[end - 1];
    const slot = (hash ^ (hash >>> 10)) & (SLOTS - 1);
    const known = this.#values[slot];
    if (known.length === length) {
      let k = 0;
      while (k < length && known.charCodeAt(k) === bytes[start + k]) k++;
      if (k === length) return known;
    }
    const value = bytes.latin1Slice(start, end);
    this.#values[slot] = value;
    return value;
  }
}
