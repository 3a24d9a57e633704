import { INCOMPLETE, REFUSED } from './head-outcome.ts';
import type { HeadParser } from './head-parser.ts';
import type { Http1Limits } from './limits.ts';
import { IN_LINE, PartialHead } from './partial-head.ts';
import { REFUSALS, type Refusal } from './refusal.ts';

/**
 *     none ── a whole head in one piece ──→ none, the head is in the parser
 *     none ── the beginning of one ──→ partial ── its end ──→ none, the head is in the parser
 *     none, partial ── malformed, too long ──→ refused
 */
type HeadState = 'none' | 'partial' | 'refused';

/** Reads the heads of one connection, in whatever pieces they come. Nothing is allocated for a head in one piece. */
export class HeadReader {
  state: HeadState = 'none';
  /** In the state `refused`: why. */
  refusal: Refusal = REFUSALS.headBytes;
  readonly #parser: HeadParser;
  readonly #limits: Http1Limits;
  readonly #kind: 'request' | 'response';
  #partial: PartialHead | null = null;

  constructor(parser: HeadParser, limits: Http1Limits, kind: 'request' | 'response') {
    this.#parser = parser;
    this.#limits = limits;
    this.#kind = kind;
  }

  /**
   * Takes the bytes [start, end) as far as they belong to a head.
   * @returns the offset after the last byte taken; the head is in the parser if {@link state} is `none` then.
   */
  read(bytes: Buffer, start: number, end: number): number {
    if (this.#partial !== null) return this.#append(this.#partial, bytes, start, end);
    const next = this.#parse(bytes, start, end);
    if (next > 0) return next;
    if (next === REFUSED) return this.#refuse(this.#parser.refusal, end);
    const { maxHeadBytes, maxStartLineBytes } = this.#limits;
    this.state = 'partial';
    this.#partial = new PartialHead(IN_LINE, maxHeadBytes, maxStartLineBytes, REFUSALS.headBytes);
    return this.#append(this.#partial, bytes, start, end);
  }

  #append(partial: PartialHead, bytes: Buffer, start: number, end: number): number {
    const next = partial.append(bytes, start, end);
    if (partial.refusal !== null) return this.#refuse(partial.refusal, end);
    if (!partial.complete) return next;
    this.clear();
    return this.#parse(partial.bytes, 0, partial.length) > INCOMPLETE
      ? next
      : this.#refuse(this.#parser.refusal, end);
  }

  #parse(bytes: Buffer, start: number, end: number): number {
    return this.#kind === 'request'
      ? this.#parser.parseRequest(bytes, start, end)
      : this.#parser.parseResponse(bytes, start, end);
  }

  #refuse(refusal: Refusal, end: number): number {
    this.clear();
    this.state = 'refused';
    this.refusal = refusal;
    return end;
  }

  /** Forgets what there is of a head. */
  clear(): void {
    this.state = 'none';
    this.#partial = null;
  }
}
