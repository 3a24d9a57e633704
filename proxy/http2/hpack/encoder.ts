/**
 * HPACK encoding (RFC 7541): one per connection, because the dynamic table follows the connection.
 *
 * What it costs to send a header list again is what counts. Each field that has an index remembers which field
 * came after it the last time; a list that repeats is encoded by following these links, comparing strings that
 * are mostly the same object, and writing one octet a field. Fields off the trodden path cost two map lookups.
 *
 * A value enters the dynamic table when it is seen for the second time among the last few of its name, so that
 * values that never repeat (trace ids, dates) do not push out those that do.
 */
import type { FieldLines } from '../../exchange/stream.ts';
import type { Output } from '../../transport/output.ts';
import { CONNECTION_SPECIFIC, DROPPED, fieldKind, INVALID_NAME, UNKNOWN_PSEUDO } from './field-kind.ts';
import { huffmanEncode, huffmanLength } from './huffman.ts';
import { classify } from './octet-class.ts';
import type { SensitiveNames } from './sensitive-names.ts';
import { DEFAULT_TABLE_BYTES, DYNAMIC_BASE, ENTRY_OVERHEAD, STATIC_NAMES } from './static-table.ts';

/** An indexed field takes at most this many octets: indices end at 61 + 4096 / 32. */
const INDEX_OCTETS = 3;
/** Octets that a literal takes besides its two strings: type and name index, and two lengths. */
const LITERAL_OCTETS = 16;
/** Names remembered per connection. */
const MOST_NAMES = 256;
/** Up to this length a loop is cheaper than a call into the runtime. */
const SHORT = 40;
const INDEXED = 0x80;
const INCREMENTAL = 0x40;
const PLAIN = 0x00;
const NEVER = 0x10;

/** A field that can be sent as an index. */
class IndexedField {
  readonly name: string;
  readonly value: string;
  /** Index in the static table, or 0. */
  readonly staticIndex: number;
  /** For dynamic entries: how many were inserted before it. */
  readonly position: number;
  alive = true;
  /** The indexed field that followed this one the last time. */
  next: IndexedField;

  constructor(name: string, value: string, staticIndex: number, position: number, next: IndexedField | null) {
    this.name = name;
    this.value = value;
    this.staticIndex = staticIndex;
    this.position = position;
    this.next = next ?? this;
  }
}

/** All that is known of one field name on this connection. */
class KnownName {
  readonly name: string;
  readonly staticIndex: number;
  /** False for names that a peer would reject or misread: they are left out. */
  readonly sendable: boolean;
  readonly fields = new Map<string, IndexedField>();
  /** The entry that was inserted last; older ones are evicted before it. */
  newest: IndexedField;
  /** The last values that were sent as literals. */
  seen0 = '';
  seen1 = '';
  seen2 = '';
  seen3 = '';
  #turn = 0;

  constructor(name: string, none: IndexedField) {
    const known = STATIC_NAMES.get(name);
    this.name = name;
    this.staticIndex = known?.index ?? 0;
    this.sendable = isSendable(fieldKind(name, classify(name)));
    this.newest = none;
    for (const [value, index] of known?.values ?? []) {
      this.fields.set(value, new IndexedField(name, value, index, 0, none));
    }
  }

  /** True if the value was sent lately; remembers it. */
  repeats(value: string): boolean {
    if (value === this.seen0 || value === this.seen1 || value === this.seen2 || value === this.seen3)
      return true;
    const turn = this.#turn;
    this.#turn = (turn + 1) & 3;
    if (turn === 0) this.seen0 = value;
    else if (turn === 1) this.seen1 = value;
    else if (turn === 2) this.seen2 = value;
    else this.seen3 = value;
    return false;
  }
}

function isSendable(kind: number): boolean {
  return kind !== CONNECTION_SPECIFIC && kind !== INVALID_NAME && kind !== UNKNOWN_PSEUDO && kind !== DROPPED;
}

export class HpackEncoder {
  readonly #none = new IndexedField('', '', 0, -1, null);
  readonly #start: IndexedField;
  readonly #sensitive: SensitiveNames;
  /** Our own bound, whatever the decoder would allow. */
  readonly #bound: number;
  #previous: IndexedField;
  #sensitiveVersion: number;
  #names = new Map<string, KnownName>();
  /** Dynamic entries, oldest first from #oldest on. */
  #entries: IndexedField[] = [];
  #oldest = 0;
  #inserted = 0;
  #size = 0;
  #maxSize: number;
  /** Size updates to announce at the next block: the smallest since, and the current one; -1 for none. */
  #announceLowest = -1;
  #output: Output;
  /** Octets kept free in the output for the indexed fields still to come. */
  #reserve = 0;

  /** @param tableBytes our bound of the table, at least 4096; octets as RFC 7541 §4.1 counts them */
  constructor(output: Output, sensitive: SensitiveNames, tableBytes: number) {
    this.#output = output;
    this.#sensitive = sensitive;
    this.#sensitiveVersion = sensitive.version;
    this.#bound = tableBytes;
    this.#maxSize = DEFAULT_TABLE_BYTES;
    this.#none.alive = false;
    this.#start = new IndexedField('', '', 0, -1, this.#none);
    this.#previous = this.#start;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  limitTable(bytes: number): void {
    const size = Math.min(bytes, this.#bound);
    if (size === this.#maxSize) return;
    if (this.#announceLowest < 0 || size < this.#announceLowest) this.#announceLowest = size;
    this.#maxSize = size;
    this.#evict(size);
  }

  /** Begins a header block at the end of the output. @param count how many fields it will have, at most */
  begin(count: number): void {
    this.#reserve = count * INDEX_OCTETS + LITERAL_OCTETS;
    this.#output.ensure(this.#reserve);
    this.#previous = this.#start;
    if (this.#sensitive.version !== this.#sensitiveVersion) this.#forget();
    if (this.#announceLowest >= 0) this.#announce();
  }

  /** Adds the fields of a list. */
  fields(lines: FieldLines): void {
    const output = this.#output;
    let previous = this.#previous;
    for (let i = 0; i < lines.length; i += 2) {
      const name = lines[i];
      const value = lines[i + 1];
      const guess = previous.next;
      if (guess.value === value && guess.name === name && guess.alive) {
        previous = guess;
        const index = this.#indexOf(guess);
        if (index < 0x7f) output.bytes[output.end++] = INDEXED | index;
        else this.#integer(INDEXED, 0x7f, index);
      } else {
        this.#previous = previous;
        this.#find(name, value);
        previous = this.#previous;
      }
    }
    this.#previous = previous;
  }

  field(name: string, value: string): void {
    const guess = this.#previous.next;
    if (guess.value === value && guess.name === name && guess.alive) {
      this.#previous = guess;
      this.#integer(INDEXED, 0x7f, this.#indexOf(guess));
    } else {
      this.#find(name, value);
    }
  }

  /** A field that did not come after the one before it the last time. */
  #find(name: string, value: string): void {
    const known = this.#names.get(name) ?? this.#learn(name);
    const field = known.fields.get(value);
    if (field === undefined) {
      this.#literal(known, value);
      return;
    }
    this.#previous.next = field;
    this.#previous = field;
    this.#integer(INDEXED, 0x7f, this.#indexOf(field));
  }

  #indexOf(field: IndexedField): number {
    return field.staticIndex === 0 ? DYNAMIC_BASE + this.#inserted - 1 - field.position : field.staticIndex;
  }

  #literal(known: KnownName, value: string): void {
    if (!known.sendable) return;
    const { name } = known;
    const size = name.length + value.length + ENTRY_OVERHEAD;
    this.#output.ensure(name.length + value.length + LITERAL_OCTETS + this.#reserve);
    if (this.#sensitive.has(name)) {
      this.#writeLiteral(NEVER, 0x0f, known, value, false);
      return;
    }
    // A name without an index is worth one even if its value never comes again.
    const nameless = known.staticIndex === 0 && !known.newest.alive;
    if (size * 4 > this.#maxSize || !(known.repeats(value) || nameless)) {
      this.#writeLiteral(PLAIN, 0x0f, known, value, false);
      return;
    }
    this.#writeLiteral(INCREMENTAL, 0x3f, known, value, true);
    this.#insert(known, value, size);
  }

  #writeLiteral(type: number, mask: number, known: KnownName, value: string, huffman: boolean): void {
    let nameIndex = known.staticIndex;
    if (nameIndex === 0 && known.newest.alive) nameIndex = this.#indexOf(known.newest);
    this.#integer(type, mask, nameIndex);
    if (nameIndex === 0) this.#string(known.name, huffman);
    this.#string(value, huffman);
  }

  #insert(known: KnownName, value: string, size: number): void {
    this.#evict(this.#maxSize - size);
    const field = new IndexedField(known.name, value, 0, this.#inserted++, this.#none);
    this.#entries.push(field);
    this.#size += size;
    known.fields.set(value, field);
    known.newest = field;
    this.#previous.next = field;
    this.#previous = field;
  }

  #evict(target: number): void {
    while (this.#size > target && this.#oldest < this.#entries.length) {
      const field = this.#entries[this.#oldest++];
      this.#size -= field.name.length + field.value.length + ENTRY_OVERHEAD;
      field.alive = false;
      field.next = this.#none;
      const known = this.#names.get(field.name);
      if (known?.fields.get(field.value) === field) known.fields.delete(field.value);
    }
    if (this.#oldest >= 64) {
      this.#entries.splice(0, this.#oldest);
      this.#oldest = 0;
    }
  }

  #learn(name: string): KnownName {
    if (this.#names.size >= MOST_NAMES) {
      for (const known of this.#names.values()) if (known.fields.size === 0) this.#names.delete(known.name);
    }
    const known = new KnownName(name, this.#none);
    this.#names.set(name, known);
    return known;
  }

  /** A name became sensitive: nothing that was indexed before is referred to again. */
  #forget(): void {
    this.#sensitiveVersion = this.#sensitive.version;
    this.#names = new Map();
    this.#start.next = this.#none;
    for (let i = this.#oldest; i < this.#entries.length; i++) this.#entries[i].alive = false;
  }

  /** Size updates come first in a block: the lowest that applied in between, then the current one (RFC 7541 §4.2). */
  #announce(): void {
    if (this.#announceLowest < this.#maxSize) this.#integer(0x20, 0x1f, this.#announceLowest);
    this.#integer(0x20, 0x1f, this.#maxSize);
    this.#announceLowest = -1;
  }

  #string(text: string, huffman: boolean): void {
    const output = this.#output;
    const length = text.length;
    const coded = huffman ? huffmanLength(text) : length;
    if (coded < length) {
      this.#integer(0x80, 0x7f, coded);
      output.end = huffmanEncode(text, output.bytes, output.end);
      return;
    }
    this.#integer(0, 0x7f, length);
    if (length > SHORT) {
      output.end += output.bytes.latin1Write(text, output.end, length);
      return;
    }
    const bytes = output.bytes;
    let at = output.end;
    for (let i = 0; i < length; i++) bytes[at++] = text.charCodeAt(i);
    output.end = at;
  }

  /** RFC 7541 §5.1. */
  #integer(type: number, mask: number, value: number): void {
    const bytes = this.#output.bytes;
    let at = this.#output.end;
    if (value < mask) {
      bytes[at++] = type | value;
    } else {
      bytes[at++] = type | mask;
      let rest = value - mask;
      for (; rest >= 0x80; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
      bytes[at++] = rest;
    }
    this.#output.end = at;
  }
}
