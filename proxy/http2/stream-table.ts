/**
 * Streams by identifier: a hash table with open addressing, because a Map spends more on a stream's coming and
 * going than the codec on its frames (measured: 200 of 1100 ns for a request at both ends).
 */
import type { Http2Stream } from './stream.ts';

const INITIAL_SLOTS = 16;

export class StreamTable {
  size = 0;
  /** A power of two, at least twice `size`. */
  #slots: (Http2Stream | null)[] = emptySlots(INITIAL_SLOTS);

  get(id: number): Http2Stream | null {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let at = slotOf(id, mask); ; at = (at + 1) & mask) {
      const stream = slots[at];
      if (stream === null || stream.id === id) return stream;
    }
  }

  /** Adds a stream whose identifier is not there. */
  add(stream: Http2Stream): void {
    if (++this.size * 2 > this.#slots.length) this.#grow();
    insert(this.#slots, stream);
  }

  /** Takes a stream out; without effect if it is not there. */
  remove(stream: Http2Stream): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = slotOf(stream.id, mask);
    while (slots[hole] !== stream) {
      if (slots[hole] === null) return;
      hole = (hole + 1) & mask;
    }
    this.size--;
    // Those behind the hole that would be looked for before it move up, so that no search ends too early.
    for (let at = (hole + 1) & mask; slots[at] !== null; at = (at + 1) & mask) {
      const home = slotOf(slots[at]!.id, mask);
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      slots[hole] = slots[at];
      hole = at;
    }
    slots[hole] = null;
  }

  /** All streams, in no order. For what is rare: it copies. */
  all(): Http2Stream[] {
    return this.#slots.filter(stream => stream !== null);
  }

  clear(): void {
    this.#slots = emptySlots(INITIAL_SLOTS);
    this.size = 0;
  }

  #grow(): void {
    const slots = emptySlots(this.#slots.length * 2);
    for (const stream of this.#slots) if (stream !== null) insert(slots, stream);
    this.#slots = slots;
  }
}

function emptySlots(count: number): (Http2Stream | null)[] {
  return Array.from({ length: count }, () => null);
}

/** Identifiers of one side are all odd and come in order, so they spread by themselves. */
function slotOf(id: number, mask: number): number {
  return (id >>> 1) & mask;
}

function insert(slots: (Http2Stream | null)[], stream: Http2Stream): void {
  const mask = slots.length - 1;
  let at = slotOf(stream.id, mask);
  while (slots[at] !== null) at = (at + 1) & mask;
  slots[at] = stream;
}
