/**
 * Strings by their encoded octets. What repeats on many connections (paths, user agents, tokens of custom
 * fields) is decoded, classified and allocated once, and is then the same object everywhere, which makes
 * every later comparison and map lookup cheap. One per process; direct-mapped, so its memory is fixed and
 * nobody can do more than evict.
 */
import { HuffmanDecoder } from './huffman.ts';
import { ALL, OCTET_CLASS, stringClass } from './octet-class.ts';

/** Longer encodings are decoded each time. */
const LONGEST_KEY = 64;
const SLOTS = 1024;
/** Decoded octets of most strings; a longer one gets a buffer of its own. */
const SCRATCH_BYTES = 4096;
const HUFFMAN_MARK = 0x80;
const HASH_SEED = 0x811c9dc5;
const HASH_PRIME = 0x01000193;

export class StringCache {
  /** Class bits of the string that {@link read} returned last, see octet-class.ts. */
  stringClass = ALL;

  readonly #keys = new Uint8Array(SLOTS * LONGEST_KEY);
  /** Length of the key, with HUFFMAN_MARK. */
  readonly #marks = new Uint8Array(SLOTS);
  readonly #strings: string[] = Array.from({ length: SLOTS }, () => '');
  readonly #classes = new Uint8Array(SLOTS);
  readonly #huffman = new HuffmanDecoder();
  readonly #scratch: Buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

  /**
   * The latin1 string encoded in bytes[start, end); sets {@link stringClass}.
   * @param keep false for values that the sender marked as never to be indexed: they leave no trace here
   * @returns null if the Huffman code is broken
   */
  read(bytes: Buffer, start: number, end: number, huffman: boolean, keep: boolean): string | null {
    const length = end - start;
    if (length === 0) {
      this.stringClass = stringClass(ALL, 0, 0, 0);
      return '';
    }
    if (!keep || length > LONGEST_KEY) return this.#decode(bytes, start, end, huffman);
    let hash = HASH_SEED;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], HASH_PRIME);
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const mark = huffman ? length | HUFFMAN_MARK : length;
    if (this.#marks[slot] === mark && this.#matches(slot * LONGEST_KEY, bytes, start, length)) {
      this.stringClass = this.#classes[slot];
      return this.#strings[slot];
    }
    const text = this.#decode(bytes, start, end, huffman);
    if (text !== null) this.#store(slot, mark, bytes, start, length, text);
    return text;
  }

  #matches(key: number, bytes: Buffer, start: number, length: number): boolean {
    const keys = this.#keys;
    for (let i = 0; i < length; i++) if (keys[key + i] !== bytes[start + i]) return false;
    return true;
  }

  #store(slot: number, mark: number, bytes: Buffer, start: number, length: number, text: string): void {
    const key = slot * LONGEST_KEY;
    for (let i = 0; i < length; i++) this.#keys[key + i] = bytes[start + i];
    this.#marks[slot] = mark;
    this.#strings[slot] = text;
    this.#classes[slot] = this.stringClass;
  }

  #decode(bytes: Buffer, start: number, end: number, huffman: boolean): string | null {
    return huffman ? this.#expand(bytes, start, end) : this.#copy(bytes, start, end);
  }

  #copy(bytes: Buffer, start: number, end: number): string {
    let bits = ALL;
    for (let i = start; i < end; i++) bits &= OCTET_CLASS[bytes[i]];
    this.stringClass = stringClass(bits, end - start, bytes[start], bytes[end - 1]);
    return bytes.latin1Slice(start, end);
  }

  #expand(bytes: Buffer, start: number, end: number): string | null {
    // The shortest code has 5 bits.
    const most = Math.ceil(((end - start) * 8) / 5);
    const out = most <= SCRATCH_BYTES ? this.#scratch : Buffer.allocUnsafeSlow(most);
    const length = this.#huffman.decode(bytes, start, end, out);
    if (length < 0) return null;
    this.stringClass = stringClass(this.#huffman.octetClass, length, out[0], out[length - 1]);
    return out.latin1Slice(0, length);
  }
}
