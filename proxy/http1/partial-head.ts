import { CR, LF } from './bytes.ts';
import { REFUSALS, type Refusal } from './refusal.ts';

const INITIAL_BYTES = 1024;
/** The line break is the beginning of the section: an empty line ends it at once (trailers). */
export const AT_LINE_START = 2;
/** A start line comes first. */
export const IN_LINE = 0;

/**
 * Collects a head that comes in pieces until its empty line is there, so that it is parsed once: work is linear in the
 * bytes however small the pieces are. Line breaks that no head may hold are refused as they come.
 */
export class PartialHead {
  bytes: Buffer = Buffer.allocUnsafe(INITIAL_BYTES);
  length = 0;
  refusal: Refusal | null = null;
  /** How much of CR LF CR LF has been seen: 0..4. */
  #matched: number;
  #lines = 0;
  readonly #maxBytes: number;
  readonly #maxLineBytes: number;
  readonly #tooLong: Refusal;

  /** @param maxLineBytes bound of the first line, 0 for none; refused with 414 instead of `tooLong` */
  constructor(
    from: typeof AT_LINE_START | typeof IN_LINE,
    maxBytes: number,
    maxLineBytes: number,
    tooLong: Refusal,
  ) {
    this.#matched = from;
    this.#maxBytes = maxBytes;
    this.#maxLineBytes = maxLineBytes;
    this.#tooLong = tooLong;
  }

  /** Whether the empty line is there. */
  get complete(): boolean {
    return this.#matched === 4;
  }

  /** Takes bytes up to the end of the section. @returns the offset after the last byte taken. */
  append(chunk: Buffer, start: number, end: number): number {
    const stop = Math.min(end, start + this.#maxBytes - this.length);
    const next = this.#scan(chunk, start, stop);
    this.#copy(chunk, start, next);
    if (this.refusal === null && this.#matched !== 4) this.#checkLength(stop < end);
    return next;
  }

  #scan(chunk: Buffer, start: number, stop: number): number {
    let matched = this.#matched;
    let i = start;
    while (i < stop && matched !== 4) {
      const byte = chunk[i++];
      if (byte === LF) {
        if ((matched & 1) === 0) {
          this.refusal = REFUSALS.bareLf;
          break;
        }
        matched++;
        this.#lines++;
      } else if ((matched & 1) === 1) {
        this.refusal = REFUSALS.bareCr;
        break;
      } else if (byte === CR) {
        matched++;
      } else {
        matched = 0;
      }
    }
    this.#matched = matched;
    return i;
  }

  #copy(chunk: Buffer, start: number, end: number): void {
    const length = this.length + end - start;
    if (length > this.bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(length, this.bytes.length * 2));
      this.bytes.copy(grown, 0, 0, this.length);
      this.bytes = grown;
    }
    chunk.copy(this.bytes, this.length, start, end);
    this.length = length;
  }

  #checkLength(more: boolean): void {
    if (this.#lines === 0 && this.#maxLineBytes > 0 && this.length >= this.#maxLineBytes) {
      this.refusal = REFUSALS.startLineBytes;
    } else if (more || this.length >= this.#maxBytes) {
      this.refusal = this.#tooLong;
    }
  }
}
