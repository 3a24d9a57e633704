import type { FieldLines } from '../exchange/stream.ts';
import { CR, HEX, LF, SEMICOLON } from './bytes.ts';
import { type ExtensionState, nextExtensionState } from './chunk-extension.ts';
import { REFUSED } from './head-outcome.ts';
import type { HeadParser } from './head-parser.ts';
import type { Http1Limits } from './limits.ts';
import { AT_LINE_START, PartialHead } from './partial-head.ts';
import { REFUSALS, type Refusal } from './refusal.ts';

/** Receives a decoded body. */
export interface BodySink {
  onBody(chunk: Buffer, end: boolean): void;
  /** Ends the body; instead of an `end` in {@link onBody}. */
  onBodyTrailers(fields: FieldLines): void;
}

export const EMPTY = Buffer.alloc(0);

/**
 * What the next byte belongs to (RFC 9112 §6.3). The states of the chunked coding are the places in its grammar (§7.1):
 *
 *     chunked-body = *chunk last-chunk trailer-section CRLF
 *     chunk        = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
 *
 *     size-start ── HEXDIG ──→ size ── CR ──→ size-lf ── LF ──→ data ── chunk-size bytes ──→ data-cr
 *     size ── ";" ──→ extension ── CR ──→ size-lf      size-lf ── LF, chunk-size 0 ──→ trailers ── empty line ──→ done
 *     data-cr ── CR ──→ data-lf ── LF ──→ size-start
 *
 *  - done: no body, or its end. fixed: `remaining` bytes more (Content-Length). until-close: until the connection ends.
 *  - size-start: there must be one digit. extension: see chunk-extension.ts.
 */
type BodyState =
  | 'done'
  | 'fixed'
  | 'until-close'
  | 'size-start'
  | 'size'
  | 'extension'
  | 'size-lf'
  | 'data'
  | 'data-cr'
  | 'data-lf'
  | 'trailers';

/** Shorter pieces of chunked data are moved together: that costs less than passing each on by itself. */
const GATHER_BELOW = 4096;
/** 13 hexadecimal digits: sizes stay below 2^52 and so exact. */
const MAX_SIZE_DIGITS = 13;

/** Decodes message bodies (RFC 9112 §6, §7.1), one after another. */
export class BodyDecoder {
  refusal: Refusal | null = null;
  #state: BodyState = 'done';
  #remaining = 0;
  #digits = 0;
  #extensionBytes = 0;
  #extension: ExtensionState = 'name-start';
  #trailers: PartialHead | null = null;
  // Data of this call that has not been passed on: [#from, #to) of the bytes.
  #from = 0;
  #to = 0;
  readonly #sink: BodySink;
  readonly #limits: Http1Limits;
  readonly #parser: HeadParser;

  constructor(sink: BodySink, limits: Http1Limits, parser: HeadParser) {
    this.#sink = sink;
    this.#limits = limits;
    this.#parser = parser;
  }

  /** No body is expected, or it has ended. */
  get done(): boolean {
    return this.#state === 'done';
  }

  /** The body ends where the connection ends. */
  get untilClose(): boolean {
    return this.#state === 'until-close';
  }

  /** Bytes that are known to come, at least. */
  get remaining(): number {
    return this.#remaining;
  }

  startFixed(length: number): void {
    this.#state = length === 0 ? 'done' : 'fixed';
    this.#remaining = length;
  }

  startChunked(): void {
    this.#state = 'size-start';
    this.#remaining = 0;
    this.#digits = 0;
    this.#extensionBytes = 0;
  }

  startUntilClose(): void {
    this.#state = 'until-close';
    this.#remaining = 0;
  }

  /** Forgets the body; a running {@link decode} returns. */
  stop(): void {
    this.#state = 'done';
    this.#remaining = 0;
    this.#trailers = null;
  }

  /**
   * Takes the bytes [start, end) as far as they belong to the body and passes the data on. May move bytes inside that
   * range, to pass the data of many short chunks on at once.
   * @returns the offset after the last byte taken; with {@link refusal} set, the body is malformed.
   */
  decode(bytes: Buffer, start: number, end: number): number {
    if (this.#state === 'fixed') return this.#fixed(bytes, start, end);
    if (this.#state === 'until-close') {
      this.#sink.onBody(slice(bytes, start, end), false);
      return end;
    }
    return this.#chunked(bytes, start, end);
  }

  #fixed(bytes: Buffer, start: number, end: number): number {
    const stop = Math.min(end, start + this.#remaining);
    this.#remaining -= stop - start;
    const last = this.#remaining === 0;
    if (last) this.#state = 'done';
    this.#sink.onBody(slice(bytes, start, stop), last);
    return stop;
  }

  #chunked(bytes: Buffer, start: number, end: number): number {
    let i = start;
    this.#from = start;
    this.#to = start;
    while (i < end && this.#state !== 'done' && this.refusal === null) {
      if (this.#state === 'data') {
        const stop = Math.min(end, i + this.#remaining);
        this.#gather(bytes, i, stop);
        this.#remaining -= stop - i;
        i = stop;
        if (this.#remaining === 0 && this.#state === 'data') this.#state = 'data-cr';
      } else if (this.#state === 'trailers') {
        i = this.#trailerSection(bytes, i, end);
      } else {
        this.#framing(bytes[i++]);
      }
    }
    this.#pass(bytes, false);
    return i;
  }

  /** One byte between the data of two chunks. */
  #framing(byte: number): void {
    switch (this.#state) {
      case 'size-start':
      case 'size':
        return this.#size(byte);
      case 'extension':
        return this.#extensionByte(byte);
      case 'size-lf':
        if (byte !== LF) return this.#refuse(REFUSALS.bareCr);
        this.#state = this.#remaining === 0 ? 'trailers' : 'data';
        this.#digits = 0;
        return;
      case 'data-cr':
        if (byte !== CR) return this.#refuse(REFUSALS.chunkEnd);
        this.#state = 'data-lf';
        return;
      case 'data-lf':
        if (byte !== LF) return this.#refuse(REFUSALS.chunkEnd);
        this.#state = 'size-start';
        return;
      case 'done':
      case 'fixed':
      case 'until-close':
      case 'data':
      case 'trailers':
        return;
    }
  }

  #size(byte: number): void {
    const digit = HEX[byte];
    if (digit !== 0) {
      if (++this.#digits > MAX_SIZE_DIGITS) return this.#refuse(REFUSALS.chunkSize);
      this.#remaining = this.#remaining * 16 + digit - 1;
      this.#state = 'size';
    } else if (this.#state === 'size' && byte === CR) {
      this.#state = 'size-lf';
    } else if (this.#state === 'size' && byte === SEMICOLON) {
      this.#state = 'extension';
      this.#extension = 'name-start';
    } else {
      this.#refuse(byte === LF ? REFUSALS.bareLf : REFUSALS.chunkSize);
    }
  }

  #extensionByte(byte: number): void {
    if (++this.#extensionBytes > this.#limits.maxChunkExtensionBytes)
      return this.#refuse(REFUSALS.chunkExtensionBytes);
    const next = nextExtensionState(this.#extension, byte);
    if (typeof next !== 'string') return this.#refuse(next);
    this.#extension = next;
    if (next === 'end') this.#state = 'size-lf';
  }

  #trailerSection(bytes: Buffer, start: number, end: number): number {
    if (this.#trailers === null && end - start >= 2 && bytes[start] === CR && bytes[start + 1] === LF) {
      this.#state = 'done';
      this.#pass(bytes, true);
      return start + 2;
    }
    const { maxTrailerBytes } = this.#limits;
    this.#trailers ??= new PartialHead(AT_LINE_START, maxTrailerBytes, 0, REFUSALS.trailerBytes);
    const section = this.#trailers;
    const next = section.append(bytes, start, end);
    if (section.refusal !== null) this.#refuse(section.refusal);
    else if (section.complete) this.#endWithTrailers(bytes, section);
    return next;
  }

  #endWithTrailers(bytes: Buffer, section: PartialHead): void {
    const parser = this.#parser;
    if (parser.parseTrailers(section.bytes, 0, section.length) === REFUSED)
      return this.#refuse(parser.refusal);
    const fields = parser.fields;
    this.#trailers = null;
    if (fields.length === 0) {
      this.#state = 'done';
      this.#pass(bytes, true);
      return;
    }
    this.#pass(bytes, false);
    // The receiver of the data may have ended the connection.
    if (this.#state === 'done') return;
    this.#state = 'done';
    this.#sink.onBodyTrailers(fields);
  }

  /** Adds data to what this call passes on; short pieces move up to the ones before them. */
  #gather(bytes: Buffer, start: number, end: number): void {
    if (this.#from < this.#to && end - start < GATHER_BELOW) {
      bytes.copyWithin(this.#to, start, end);
      this.#to += end - start;
      return;
    }
    this.#pass(bytes, false);
    if (this.#state === 'done') return;
    this.#from = start;
    this.#to = end;
  }

  #pass(bytes: Buffer, end: boolean): void {
    const from = this.#from;
    const to = this.#to;
    this.#from = to;
    if (from < to) this.#sink.onBody(slice(bytes, from, to), end);
    else if (end) this.#sink.onBody(EMPTY, true);
  }

  #refuse(refusal: Refusal): void {
    this.refusal = refusal;
  }
}

function slice(bytes: Buffer, start: number, end: number): Buffer {
  return start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
}
