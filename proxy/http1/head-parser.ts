import type { FieldLines } from '../exchange/stream.ts';
import { parseAuthority } from './authority.ts';
import { COLON, CR, HTAB, LF, SP, TOKEN, VALUE } from './bytes.ts';
import {
  chooseUpgrade,
  isEndToEnd,
  isToken,
  keepAliveTimeout,
  listMembers,
  removeFields,
} from './connection-options.ts';
import type { FieldCache } from './field-cache.ts';
import * as field from './field-table.ts';
import { INCOMPLETE, REFUSED } from './head-outcome.ts';
import type { Http1Limits } from './limits.ts';
import { REFUSALS, type Refusal } from './refusal.ts';
import { interpretTarget } from './request-target.ts';
import { parseRequestLine, parseStatusLine } from './start-line.ts';

type Section = 'request' | 'response' | 'trailers';

const NO_FIELDS: FieldLines = [];

/**
 * Parses a head that lies in one buffer. The methods return the offset after the head, or {@link INCOMPLETE}, or
 * {@link REFUSED}; what they found is in the public fields until the next call. One parser serves all connections:
 * parsing never calls anybody, so a connection reads the result before another one can overwrite it.
 *
 * Nothing is guessed: whatever two HTTP implementations could read differently is refused (RFC 9112 §11.2, §11.1).
 */
export class HeadParser {
  refusal: Refusal = REFUSALS.requestLine;
  method = '';
  /** `http` or `https` from an absolute-form target, else ''. */
  scheme = '';
  authority = '';
  path = '';
  status = 0;
  version: 10 | 11 = 11;
  fields: FieldLines = NO_FIELDS;
  /** Declared length in bytes, -1 without. */
  contentLength = -1;
  chunked = false;
  /** Whether the message asks to keep the connection (RFC 9112 §9.3). */
  keepAlive = true;
  /** Protocol in an Upgrade field that the Connection field announces; lower-case, '' without. */
  upgrade = '';
  /** Whether the request expects 100-continue. */
  expectContinue = false;
  /** Seconds in a `Keep-Alive: timeout` parameter, -1 without. */
  keepAliveSeconds = -1;

  readonly cache: FieldCache;
  /** As received, for `request-target.ts`. */
  target = '';
  readonly #limits: Http1Limits;
  #hosts = 0;
  #host = '';
  #hasTransferEncoding = false;
  #close = false;
  #keepAliveOption = false;
  #upgradeOption = false;
  #upgradeValue = '';
  #teTrailers = false;
  #named: string[] | null = null;
  #lastHost = '';
  #lastAuthority = '';
  #lastKeepAlive = '';
  #lastKeepAliveSeconds = -1;

  constructor(limits: Http1Limits, cache: FieldCache) {
    this.#limits = limits;
    this.cache = cache;
  }

  parseRequest(bytes: Buffer, start: number, end: number): number {
    this.#reset();
    const stop = Math.min(end, start + this.#limits.maxHeadBytes);
    const lineStop = Math.min(end, start + this.#limits.maxStartLineBytes);
    let next = parseRequestLine(this, bytes, start, lineStop);
    if (next === INCOMPLETE) return lineStop < end ? this.refuse(REFUSALS.startLineBytes) : INCOMPLETE;
    if (next === REFUSED) return REFUSED;
    next = this.#fieldLines(bytes, next, stop, 'request');
    if (next === INCOMPLETE) return stop < end ? this.refuse(REFUSALS.headBytes) : INCOMPLETE;
    if (next === REFUSED) return REFUSED;
    return this.#interpretRequest() ? next : REFUSED;
  }

  parseResponse(bytes: Buffer, start: number, end: number): number {
    this.#reset();
    const stop = Math.min(end, start + this.#limits.maxHeadBytes);
    const lineStop = Math.min(end, start + this.#limits.maxStartLineBytes);
    let next = parseStatusLine(this, bytes, start, lineStop);
    if (next === INCOMPLETE) return lineStop < end ? this.refuse(REFUSALS.startLineBytes) : INCOMPLETE;
    if (next === REFUSED) return REFUSED;
    next = this.#fieldLines(bytes, next, stop, 'response');
    if (next === INCOMPLETE) return stop < end ? this.refuse(REFUSALS.headBytes) : INCOMPLETE;
    if (next === REFUSED) return REFUSED;
    return this.#interpretResponse() ? next : REFUSED;
  }

  /** Parses a trailer section with its final empty line; fields that trailers may not hold are left out. */
  parseTrailers(bytes: Buffer, start: number, end: number): number {
    this.fields = [];
    return this.#fieldLines(bytes, start, end, 'trailers');
  }

  #reset(): void {
    this.scheme = '';
    this.fields = [];
    this.contentLength = -1;
    this.chunked = false;
    this.upgrade = '';
    this.expectContinue = false;
    this.keepAliveSeconds = -1;
    this.#hosts = 0;
    this.#host = '';
    this.#hasTransferEncoding = false;
    this.#close = false;
    this.#keepAliveOption = false;
    this.#upgradeOption = false;
    this.#upgradeValue = '';
    this.#teTrailers = false;
    this.#named = null;
  }

  /** For the readers of a line. */
  refuse(refusal: Refusal): number {
    this.refusal = refusal;
    return REFUSED;
  }

  /** One pass over the lines up to and including the empty one. */
  #fieldLines(bytes: Buffer, i: number, end: number, section: Section): number {
    const fields = this.fields;
    let room = this.#limits.maxFieldCount;
    for (;;) {
      if (i >= end) return INCOMPLETE;
      let byte = bytes[i];
      if (byte === CR) {
        if (i + 1 === end) return INCOMPLETE;
        return bytes[i + 1] === LF ? i + 2 : this.refuse(REFUSALS.bareCr);
      }
      const nameStart = i;
      let hash = 0;
      for (;;) {
        const lower = TOKEN[byte];
        if (lower === 0) break;
        hash = (Math.imul(hash, 31) + lower) | 0;
        if (++i === end) return INCOMPLETE;
        byte = bytes[i];
      }
      if (byte !== COLON || i === nameStart) return this.#refuseName(byte, i === nameStart);
      const nameEnd = i;
      do {
        if (++i === end) return INCOMPLETE;
        byte = bytes[i];
      } while (byte === SP || byte === HTAB);
      const valueStart = i;
      while (VALUE[byte] !== 0) {
        if (++i === end) return INCOMPLETE;
        byte = bytes[i];
      }
      if (byte !== CR) return this.refuse(byte === LF ? REFUSALS.bareLf : REFUSALS.value);
      if (i + 1 === end) return INCOMPLETE;
      if (bytes[i + 1] !== LF) return this.refuse(REFUSALS.bareCr);
      if (--room < 0) return this.refuse(REFUSALS.fieldCount);
      let valueEnd = i;
      while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB))
        valueEnd--;
      i += 2;
      const name = this.cache.name(bytes, nameStart, nameEnd, hash);
      const tag = this.cache.tag;
      if (section === 'trailers') {
        // What comes too late to frame the message is a trap for who merges trailers into the head.
        if ((tag & field.TRAP) !== 0) return this.refuse(REFUSALS.trailerFraming);
        if ((tag & field.NO_TRAILER) === 0) fields.push(name, bytes.latin1Slice(valueStart, valueEnd));
        continue;
      }
      if ((tag & field.KIND_MASK) === 0) {
        if ((tag & field.REPEATING) === 0) fields.push(name, bytes.latin1Slice(valueStart, valueEnd));
        else fields.push(name, this.cache.value(bytes, valueStart, valueEnd));
      } else if (!this.#special(tag & field.KIND_MASK, bytes, valueStart, valueEnd)) {
        return REFUSED;
      }
    }
  }

  #refuseName(byte: number, atStart: boolean): number {
    if (byte === LF) return this.refuse(REFUSALS.bareLf);
    if (byte === SP || byte === HTAB) return this.refuse(atStart ? REFUSALS.obsFold : REFUSALS.nameSpace);
    return this.refuse(REFUSALS.name);
  }

  /** A field that belongs to the connection or to framing. */
  #special(kind: number, bytes: Buffer, start: number, end: number): boolean {
    if (kind === field.CONTENT_LENGTH) return this.#contentLength(bytes, start, end);
    if (kind === field.DROPPED) return true;
    const value = this.cache.value(bytes, start, end);
    switch (kind) {
      case field.HOST_FIELD:
        this.#hosts++;
        this.#host = value;
        return true;
      case field.CONNECTION:
        return this.#connectionOptions(value);
      case field.TRANSFER_ENCODING:
        if (this.#hasTransferEncoding || value.toLowerCase() !== 'chunked')
          return this.no(REFUSALS.transferEncoding);
        this.#hasTransferEncoding = true;
        return !hasTabAround(bytes, start, end) || this.no(REFUSALS.transferEncoding);
      case field.UPGRADE:
        this.#upgradeValue = this.#upgradeValue === '' ? value : `${this.#upgradeValue},${value}`;
        return true;
      case field.TE:
        if (listMembers(value).includes('trailers')) this.#teTrailers = true;
        return true;
      case field.EXPECT:
        if (value.toLowerCase() !== '100-continue') return this.no(REFUSALS.expectation);
        this.expectContinue = true;
        return true;
      default:
        // Node's servers send it with every response.
        if (value !== this.#lastKeepAlive) {
          this.#lastKeepAlive = value;
          this.#lastKeepAliveSeconds = keepAliveTimeout(value);
        }
        this.keepAliveSeconds = this.#lastKeepAliveSeconds;
        return true;
    }
  }

  /** For the interpreters of what was read. */
  no(refusal: Refusal): boolean {
    this.refusal = refusal;
    return false;
  }

  #contentLength(bytes: Buffer, start: number, end: number): boolean {
    if (this.contentLength !== -1) return this.no(REFUSALS.contentLengthSeveral);
    if (start === end || hasTabAround(bytes, start, end)) return this.no(REFUSALS.contentLength);
    let length = 0;
    for (let i = start; i < end; i++) {
      const digit = bytes[i] - 0x30;
      if (digit < 0 || digit > 9) return this.no(REFUSALS.contentLength);
      length = length * 10 + digit;
    }
    // Beyond 2^53 the sum is not exact any more, but it is still larger than any limit.
    if (length > this.#limits.maxContentLength) return this.no(REFUSALS.contentLengthRange);
    this.contentLength = length;
    return true;
  }

  #connectionOptions(value: string): boolean {
    if (value === 'keep-alive') {
      this.#keepAliveOption = true;
      return true;
    }
    for (const option of listMembers(value)) {
      if (!isToken(option)) return this.no(REFUSALS.connectionOption);
      if (option === 'close') this.#close = true;
      else if (option === 'keep-alive') this.#keepAliveOption = true;
      else if (option === 'upgrade') this.#upgradeOption = true;
      else if (isEndToEnd(option)) return this.no(REFUSALS.connectionNamesField);
      else if (option !== 'te') (this.#named ??= []).push(option);
    }
    return true;
  }

  #interpretRequest(): boolean {
    if (!this.#interpretFraming()) return false;
    if (this.#hosts > 1) return this.no(REFUSALS.hostSeveral);
    if (this.#hosts === 0) {
      if (this.version === 11) return this.no(REFUSALS.hostMissing);
      this.authority = '';
    } else {
      this.authority = this.#authority(this.#host);
      if (this.authority === '') return this.no(REFUSALS.host);
    }
    if (!interpretTarget(this)) return false;
    // HTTP/1.0 knows neither Upgrade nor 100-continue, and may have been told of them by a hop that ignores Connection.
    if (this.version === 11) {
      if (this.#upgradeValue !== '' && this.#upgradeOption) {
        const upgrade = chooseUpgrade(this.#upgradeValue);
        if (upgrade === null) return this.no(REFUSALS.upgradeOption);
        this.upgrade = this.method === 'CONNECT' ? '' : upgrade;
      }
      if (this.expectContinue) this.fields.push('expect', '100-continue');
    } else {
      this.expectContinue = false;
    }
    if (this.#teTrailers) this.fields.push('te', 'trailers');
    if ((this.upgrade !== '' || this.method === 'CONNECT') && (this.chunked || this.contentLength > 0)) {
      return this.no(REFUSALS.upgradeWithBody);
    }
    return true;
  }

  #interpretResponse(): boolean {
    if (!this.#interpretFraming()) return false;
    if (this.#upgradeValue !== '') this.upgrade = this.#upgradeValue.toLowerCase();
    return true;
  }

  #interpretFraming(): boolean {
    if (this.#hasTransferEncoding) {
      if (this.contentLength !== -1) return this.no(REFUSALS.lengthAndEncoding);
      if (this.version === 10) return this.no(REFUSALS.encodingInHttp10);
      this.chunked = true;
    }
    this.keepAlive = !this.#close && (this.version === 11 || this.#keepAliveOption);
    if (this.#named !== null) removeFields(this.fields, this.#named);
    return true;
  }

  /** Most requests of a connection name the same host. */
  #authority(host: string): string {
    if (host === this.#lastHost && host !== '') return this.#lastAuthority;
    const authority = parseAuthority(host);
    if (authority !== '') {
      this.#lastHost = host;
      this.#lastAuthority = authority;
    }
    return authority;
  }
}

/** Some readers do not trim tabs, so that for them the value of a framing field is another one. */
function hasTabAround(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start - 1; bytes[i] !== COLON; i--) if (bytes[i] === HTAB) return true;
  for (let i = end; bytes[i] !== CR; i++) if (bytes[i] === HTAB) return true;
  return false;
}
