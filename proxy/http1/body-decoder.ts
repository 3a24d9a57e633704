import type { FieldLines } from '../exchange/stream.ts';
import { CR, HEX, LF, SEMICOLON, TOKEN, VALUE } from './bytes.ts';
import { type HeadParser, REFUSED } from './head-parser.ts';
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

// What the next byte belongs to. Entry and exit of each state are in #chunked.
const DONE = 0;
const FIXED = 1;
const UNTIL_CLOSE = 2;
const SIZE_FIRST = 3;
const SIZE = 4;
const SIZE_LF = 5;
const EXTENSION_NAME = 6;
const EXTENSION_VALUE = 7;
const EXTENSION_TOKEN = 8;
const EXTENSION_QUOTED = 9;
const EXTENSION_ESCAPED = 10;
const EXTENSION_END = 11;
const DATA = 12;
const DATA_CR = 13;
const DATA_LF = 14;
const TRAILERS = 15;

const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Shorter pieces of chunked data are moved together: that costs less than passing each on by itself. */
const GATHER_BELOW = 4096;
/** 13 hexadecimal digits: sizes stay below 2^52 and so exact. */
const MAX_SIZE_DIGITS = 13;

/** Decodes message bodies (RFC 9112 §6, §7.1), one after another. */
export class BodyDecoder {
  refusal: Refusal | null = null;
  #state = DONE;
  #remaining = 0;
  #digits = 0;
  #extensionBytes = 0;
  #extensionName = 0;
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
    return this.#state === DONE;
  }

  /** The body ends where the connection ends. */
  get untilClose(): boolean {
    return this.#state === UNTIL_CLOSE;
  }

  /** Bytes that are known to come, at least. */
  get remaining(): number {
    return this.#remaining;
  }

  startFixed(length: number): void {
    this.#state = length === 0 ? DONE : FIXED;
    this.#remaining = length;
  }

  startChunked(): void {
    this.#state = SIZE_FIRST;
    this.#remaining = 0;
    this.#digits = 0;
    this.#extensionBytes = 0;
  }

  startUntilClose(): void {
    this.#state = UNTIL_CLOSE;
    this.#remaining = 0;
  }

  /** Forgets the body; a running {@link decode} returns. */
  stop(): void {
    this.#state = DONE;
    this.#remaining = 0;
    this.#trailers = null;
  }

  /**
   * Takes the bytes [start, end) as far as they belong to the body and passes the data on. May move bytes inside that
   * range, to pass the data of many short chunks on at once.
   * @returns the offset after the last byte taken; with {@link refusal} set, the body is malformed.
   */
  decode(bytes: Buffer, start: number, end: number): number {
    if (this.#state === FIXED) return this.#fixed(bytes, start, end);
    if (this.#state === UNTIL_CLOSE) {
      this.#sink.onBody(slice(bytes, start, end), false);
      return end;
    }
    return this.#chunked(bytes, start, end);
  }

  #fixed(bytes: Buffer, start: number, end: number): number {
    const stop = Math.min(end, start + this.#remaining);
    this.#remaining -= stop - start;
    const last = this.#remaining === 0;
    if (last) this.#state = DONE;
    this.#sink.onBody(slice(bytes, start, stop), last);
    return stop;
  }

  #chunked(bytes: Buffer, start: number, end: number): number {
    let i = start;
    this.#from = start;
    this.#to = start;
    while (i < end && this.#state !== DONE && this.refusal === null) {
      if (this.#state === DATA) {
        const stop = Math.min(end, i + this.#remaining);
        this.#gather(bytes, i, stop);
        this.#remaining -= stop - i;
        i = stop;
        if (this.#remaining === 0 && this.#state === DATA) this.#state = DATA_CR;
      } else if (this.#state === TRAILERS) {
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
      case SIZE_FIRST:
      case SIZE:
        return this.#size(byte);
      case SIZE_LF:
        if (byte !== LF) return this.#refuse(REFUSALS.bareCr);
        this.#state = this.#remaining === 0 ? TRAILERS : DATA;
        this.#digits = 0;
        return;
      case DATA_CR:
        if (byte !== CR) return this.#refuse(REFUSALS.chunkEnd);
        this.#state = DATA_LF;
        return;
      case DATA_LF:
        if (byte !== LF) return this.#refuse(REFUSALS.chunkEnd);
        this.#state = SIZE_FIRST;
        return;
      default:
        if (++this.#extensionBytes > this.#limits.maxChunkExtensionBytes) {
          return this.#refuse(REFUSALS.chunkExtensionBytes);
        }
        return this.#extension(byte);
    }
  }

  #size(byte: number): void {
    const digit = HEX[byte];
    if (digit !== 0) {
      if (++this.#digits > MAX_SIZE_DIGITS) return this.#refuse(REFUSALS.chunkSize);
      this.#remaining = this.#remaining * 16 + digit - 1;
      this.#state = SIZE;
    } else if (this.#state === SIZE && byte === CR) {
      this.#state = SIZE_LF;
    } else if (this.#state === SIZE && byte === SEMICOLON) {
      this.#state = EXTENSION_NAME;
      this.#extensionName = 0;
    } else {
      this.#refuse(byte === LF ? REFUSALS.bareLf : REFUSALS.chunkSize);
    }
  }

  /** chunk-ext without the bad whitespace that RFC 9112 §7.1.1 tolerates: what is skipped must not hide a line break. */
  #extension(byte: number): void {
    switch (this.#state) {
      case EXTENSION_NAME:
        if (TOKEN[byte] !== 0) this.#extensionName++;
        else if (this.#extensionName === 0) this.#refuse(REFUSALS.chunkExtension);
        else if (byte === EQUALS) this.#state = EXTENSION_VALUE;
        else this.#extensionDelimiter(byte);
        return;
      case EXTENSION_VALUE:
        if (byte === QUOTE) this.#state = EXTENSION_QUOTED;
        else if (TOKEN[byte] !== 0) this.#state = EXTENSION_TOKEN;
        else this.#refuse(REFUSALS.chunkExtension);
        return;
      case EXTENSION_TOKEN:
        if (TOKEN[byte] === 0) this.#extensionDelimiter(byte);
        return;
      case EXTENSION_QUOTED:
        if (byte === QUOTE) this.#state = EXTENSION_END;
        else if (byte === BACKSLASH) this.#state = EXTENSION_ESCAPED;
        else if (VALUE[byte] === 0) this.#refuse(REFUSALS.chunkExtension);
        return;
      case EXTENSION_ESCAPED:
        if (VALUE[byte] === 0) this.#refuse(REFUSALS.chunkExtension);
        this.#state = EXTENSION_QUOTED;
        return;
      default:
        this.#extensionDelimiter(byte);
    }
  }

  #extensionDelimiter(byte: number): void {
    if (byte === CR) {
      this.#state = SIZE_LF;
    } else if (byte === SEMICOLON) {
      this.#state = EXTENSION_NAME;
      this.#extensionName = 0;
    } else {
      this.#refuse(byte === LF ? REFUSALS.bareLf : REFUSALS.chunkExtension);
    }
  }

  #trailerSection(bytes: Buffer, start: number, end: number): number {
    if (this.#trailers === null && end - start >= 2 && bytes[start] === CR && bytes[start + 1] === LF) {
      this.#state = DONE;
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
      this.#state = DONE;
      this.#pass(bytes, true);
      return;
    }
    this.#pass(bytes, false);
    // The receiver of the data may have ended the connection.
    if (this.#state === DONE) return;
    this.#state = DONE;
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
    if (this.#state === DONE) return;
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
