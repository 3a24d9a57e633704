/** HPACK decoding (RFC 7541): one per connection, because the dynamic table follows the connection. */
import type { HeaderBlock } from '../header-block.ts';
import { fieldKind } from './field-kind.ts';
import {
  DEFAULT_TABLE_BYTES,
  DYNAMIC_BASE,
  makeEntry,
  STATIC_TABLE,
  type TableEntry,
} from './static-table.ts';
import type { StringCache } from './string-cache.ts';

/** No integer of a sane encoder is longer: 2^28 octets, or 5 octets of which some may be padding zeros. */
const LONGEST_INTEGER_SHIFT = 28;

const EMPTY = Buffer.alloc(0);

export class HpackDecoder {
  /** What we advertised as SETTINGS_HEADER_TABLE_SIZE: the bound of the encoder's size updates. */
  readonly #bound: number;
  readonly #strings: StringCache;
  #maxSize: number;
  #size = 0;
  /** Ring of entries; `#head` is where the next goes, `#count` how many live. Grows by doubling. */
  #ring: TableEntry[] = [];
  #head = 0;
  #count = 0;

  #bytes: Buffer = EMPTY;
  #pos = 0;
  #end = 0;
  #fault = '';
  /** Class bits of the string that was read last. */
  #class = 0;

  /** @param tableBytes SETTINGS_HEADER_TABLE_SIZE as advertised, at least 4096; octets as RFC 7541 §4.1 counts them */
  constructor(strings: StringCache, tableBytes: number) {
    this.#strings = strings;
    this.#bound = tableBytes;
    this.#maxSize = DEFAULT_TABLE_BYTES;
  }

  /**
   * Decodes a whole header block into `block`.
   * @returns '' or what is wrong: a connection error COMPRESSION_ERROR (RFC 9113 §4.3), after which the table
   * no longer matches the encoder's
   */
  decode(bytes: Buffer, start: number, end: number, block: HeaderBlock): string {
    this.#bytes = bytes;
    this.#pos = start;
    this.#end = end;
    this.#fault = '';
    this.#sizeUpdates();
    while (this.#fault === '') {
      this.#indexed(block);
      if (this.#pos >= end || this.#fault !== '') break;
      this.#field(block);
    }
    this.#bytes = EMPTY;
    return this.#fault;
  }

  /** Size updates are allowed at the beginning of a block only (RFC 7541 §4.2), at most two. */
  #sizeUpdates(): void {
    for (let updates = 0; this.#pos < this.#end && this.#bytes[this.#pos] >>> 5 === 1; updates++) {
      const size = this.#integer(0x1f);
      if (this.#fault !== '') return;
      if (size > this.#bound) this.#fault = `dynamic table size ${size} is above ${this.#bound}`;
      else if (updates === 2) this.#fault = 'more than two dynamic table size updates';
      if (this.#fault !== '') return;
      this.#maxSize = size;
      this.#evict(size);
    }
  }

  /** Indexed fields, which are most: until something else comes, or an index that takes several octets. */
  #indexed(block: HeaderBlock): void {
    const bytes = this.#bytes;
    const end = this.#end;
    let pos = this.#pos;
    while (pos < end) {
      const first = bytes[pos];
      if (first < 0x80 || first === 0xff) break;
      const entry = this.#entry(first & 0x7f);
      if (entry === null) break;
      pos++;
      block.add(entry);
    }
    this.#pos = pos;
  }

  #field(block: HeaderBlock): void {
    const first = this.#bytes[this.#pos];
    if (first === 0xff) {
      const entry = this.#entry(this.#integer(0x7f));
      if (entry !== null) block.add(entry);
    } else if (first >= 0x40) {
      this.#literal(block, 0x3f, true, false);
    } else if (first >= 0x20) {
      this.#fault = 'dynamic table size update inside a header block';
    } else {
      this.#literal(block, 0x0f, false, first >= 0x10);
    }
  }

  #literal(block: HeaderBlock, mask: number, index: boolean, never: boolean): void {
    const nameIndex = this.#integer(mask);
    let name: string;
    let kind: number;
    if (nameIndex === 0) {
      name = this.#string(true);
      if (this.#fault !== '') return;
      kind = fieldKind(name, this.#class);
    } else {
      const entry = this.#entry(nameIndex);
      if (entry === null) return;
      name = entry.name;
      kind = entry.kind;
    }
    const value = this.#string(!never);
    if (this.#fault !== '') return;
    const entry = makeEntry(name, value, kind, this.#class);
    if (index) this.#insert(entry);
    else if (never) block.neverIndexed(name);
    block.add(entry);
  }

  /** A string literal; its class is left in `#class`. */
  #string(keep: boolean): string {
    if (this.#pos >= this.#end) {
      this.#fault ||= 'header block ends inside a field';
      return '';
    }
    const huffman = this.#bytes[this.#pos] >= 0x80;
    const length = this.#integer(0x7f);
    const start = this.#pos;
    if (this.#fault !== '') return '';
    if (length > this.#end - start) {
      this.#fault = 'string is longer than its header block';
      return '';
    }
    this.#pos = start + length;
    const text = this.#strings.read(this.#bytes, start, start + length, huffman, keep);
    this.#class = this.#strings.stringClass;
    if (text !== null) return text;
    this.#fault = 'broken Huffman code';
    return '';
  }

  /** An integer whose first octet is at #pos, with the prefix `mask` (RFC 7541 §5.1). */
  #integer(mask: number): number {
    const bytes = this.#bytes;
    let value = bytes[this.#pos++] & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= LONGEST_INTEGER_SHIFT; shift += 7) {
      if (this.#pos >= this.#end) {
        this.#fault = 'header block ends inside an integer';
        return 0;
      }
      const octet = bytes[this.#pos++];
      value += (octet & 0x7f) * 2 ** shift;
      if (octet < 0x80) return value;
    }
    this.#fault = 'integer is too long';
    return 0;
  }

  #entry(index: number): TableEntry | null {
    if (index < DYNAMIC_BASE) {
      if (index !== 0) return STATIC_TABLE[index];
    } else if (index - DYNAMIC_BASE < this.#count) {
      return this.#ring[(this.#head - 1 - (index - DYNAMIC_BASE)) & (this.#ring.length - 1)];
    }
    this.#fault ||= `no table entry ${index}`;
    return null;
  }

  #insert(entry: TableEntry): void {
    const { size } = entry;
    // An entry larger than the table empties it and is not an error (RFC 7541 §4.4).
    this.#evict(this.#maxSize - size);
    if (size > this.#maxSize) return;
    if (this.#count === this.#ring.length) this.#grow();
    this.#ring[this.#head] = entry;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#count++;
    this.#size += size;
  }

  #evict(target: number): void {
    while (this.#count > 0 && this.#size > target) {
      this.#size -= this.#ring[(this.#head - this.#count) & (this.#ring.length - 1)].size;
      this.#count--;
    }
  }

  /** Doubles the ring: most connections hold a handful of entries, the bound is size / 32. */
  #grow(): void {
    const old = this.#ring;
    const ring = Array.from({ length: Math.max(16, old.length * 2) }, () => STATIC_TABLE[0]);
    for (let i = 0; i < this.#count; i++) ring[i] = old[(this.#head - this.#count + i) & (old.length - 1)];
    this.#ring = ring;
    this.#head = this.#count;
  }
}
