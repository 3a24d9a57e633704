/**
 * Collects one decoded header block: pseudo-header fields into slots of their own, the others into field
 * lines, checked one by one (RFC 9113 §8.2, §8.3). Reused for block after block: a decode never spans a callback.
 */
import type { FieldLines } from '../exchange/stream.ts';
import {
  AUTHORITY_FIELD,
  CONNECTION_SPECIFIC,
  CONTENT_LENGTH,
  COOKIE,
  DROPPED,
  HOST,
  METHOD,
  PATH,
  PROTOCOL,
  REGULAR,
  SCHEME,
  STATUS,
  TE,
  UNKNOWN_PSEUDO,
} from './hpack/field-kind.ts';
import { DIGITS, VALUE } from './hpack/octet-class.ts';
import type { SensitiveNames } from './hpack/sensitive-names.ts';
import type { TableEntry } from './hpack/static-table.ts';
import type { Http2LimitName } from './limits.ts';

/** Digits of 2^53 - 1, the largest Content-Length: what HTTP/1.1 lets in must pass here. */
const LONGEST_LENGTH = 16;

export class HeaderBlock {
  method = '';
  methodClass = 0;
  scheme = '';
  authority = '';
  path = '';
  pathClass = 0;
  protocol = '';
  protocolClass = 0;
  status = '';
  statusClass = 0;
  host = '';
  /** -1 without. */
  contentLength = -1;
  fields: FieldLines = [];
  /** Bit per pseudo-header kind that was there: 1 << kind. */
  pseudo = 0;
  hasHost = false;
  /** Decoded octets, counted as SETTINGS_MAX_HEADER_LIST_SIZE counts them. */
  bytes = 0;
  count = 0;
  /** A limit was passed; what follows is only counted. */
  oversize = false;
  /** The first thing that makes the message malformed (RFC 9113 §8.1.1); '' if nothing. */
  fault = '';

  #maxBytes = 0;
  #maxCount = 0;
  #bombBytes = 0;
  #regular = false;
  /** Where the value of `cookie` stands in `fields`; -1 without. */
  #cookieAt = -1;
  readonly #sensitive: SensitiveNames;

  constructor(sensitive: SensitiveNames) {
    this.#sensitive = sensitive;
  }

  /** True if the list is so much too long that the connection must end. */
  get bomb(): boolean {
    return this.bytes > this.#bombBytes;
  }

  /** Empties the block for the next decode. */
  begin(maxBytes: number, maxCount: number, bombBytes: number): void {
    this.method = this.scheme = this.authority = this.path = this.protocol = this.status = this.host = '';
    this.contentLength = -1;
    this.fields = [];
    this.pseudo = 0;
    this.hasHost = false;
    this.bytes = 0;
    this.count = 0;
    this.oversize = false;
    this.fault = '';
    this.#maxBytes = maxBytes;
    this.#maxCount = maxCount;
    this.#bombBytes = bombBytes;
    this.#regular = false;
    this.#cookieAt = -1;
  }

  add(entry: TableEntry): void {
    this.bytes += entry.size;
    if (++this.count > this.#maxCount || this.bytes > this.#maxBytes) this.oversize = true;
    if (this.oversize || this.fault !== '') return;
    const { kind } = entry;
    if ((entry.valueClass & VALUE) === 0) {
      this.fault = `field ${printable(entry.name)} has a value with control characters or whitespace at an edge`;
    } else if (kind === REGULAR) {
      this.#regular = true;
      this.fields.push(entry.name, entry.value);
    } else if (kind <= UNKNOWN_PSEUDO) {
      this.#addPseudo(entry.name, entry.value, kind, entry.valueClass);
    } else {
      this.#regular = true;
      this.#addSpecial(entry.name, entry.value, kind, entry.valueClass);
    }
  }

  /** The sender asked that the field be never indexed, also on the next hop (RFC 7541 §6.2.3). */
  neverIndexed(name: string): void {
    this.#sensitive.add(name);
  }

  #addPseudo(name: string, value: string, kind: number, valueClass: number): void {
    const bit = 1 << kind;
    if (this.#regular) this.fault = `pseudo-header field ${printable(name)} after a regular field`;
    else if ((this.pseudo & bit) !== 0) this.fault = `two ${printable(name)} fields`;
    if (this.fault !== '') return;
    this.pseudo |= bit;
    switch (kind) {
      case METHOD:
        this.method = value;
        this.methodClass = valueClass;
        return;
      case SCHEME:
        this.scheme = value;
        return;
      case AUTHORITY_FIELD:
        this.authority = value;
        return;
      case PATH:
        this.path = value;
        this.pathClass = valueClass;
        return;
      case PROTOCOL:
        this.protocol = value;
        this.protocolClass = valueClass;
        return;
      case STATUS:
        this.status = value;
        this.statusClass = valueClass;
        return;
      default:
        this.fault = `unknown pseudo-header field ${printable(name)}`;
    }
  }

  #addSpecial(name: string, value: string, kind: number, valueClass: number): void {
    switch (kind) {
      case CONNECTION_SPECIFIC:
        this.fault = `connection-specific field ${name}`;
        return;
      case TE:
        if (value === 'trailers') this.fields.push(name, value);
        else this.fault = 'te is not "trailers"';
        return;
      case CONTENT_LENGTH:
        this.#addContentLength(value, valueClass);
        return;
      case HOST:
        if (this.hasHost) this.fault = 'two host fields';
        this.hasHost = true;
        this.host = value;
        return;
      case COOKIE:
        this.#addCookie(name, value);
        return;
      case DROPPED:
        return;
      default:
        this.fault = `invalid field name ${printable(name)}`;
    }
  }

  #addContentLength(value: string, valueClass: number): void {
    if ((valueClass & DIGITS) === 0 || value.length > LONGEST_LENGTH) {
      this.fault = 'content-length is not a number';
      return;
    }
    let length = 0;
    for (let i = 0; i < value.length; i++) length = length * 10 + (value.charCodeAt(i) - 48);
    if (length > Number.MAX_SAFE_INTEGER) {
      this.fault = 'content-length is too large';
      return;
    }
    if (this.contentLength >= 0) this.fault = 'two content-length fields';
    this.contentLength = length;
  }

  /** Crumbs become one field again (RFC 9113 §8.2.3). */
  #addCookie(name: string, value: string): void {
    if (this.#cookieAt >= 0) {
      this.fields[this.#cookieAt] += `; ${value}`;
      return;
    }
    this.fields.push(name, value);
    this.#cookieAt = this.fields.length - 1;
  }
}

/** Which limit made a block oversize. */
export function oversizeLimit(block: HeaderBlock, maxFieldCount: number): Http2LimitName {
  return block.count > maxFieldCount ? 'maxFieldCount' : 'maxHeaderListBytes';
}

/** RFC 9113 §8.1: trailers end the stream and have no pseudo-header fields. Returns '' or what is wrong. */
export function trailerFault(block: HeaderBlock, endStream: boolean): string {
  if (block.fault !== '') return block.fault;
  if (!endStream) return 'trailers without END_STREAM';
  return block.pseudo === 0 ? '' : 'pseudo-header field in trailers';
}

/** A peer's text for a log line: short, and nothing that a terminal or a log would interpret. */
function printable(name: string): string {
  return JSON.stringify(name.length > 40 ? `${name.slice(0, 40)}...` : name);
}
