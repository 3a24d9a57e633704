/** The static table (RFC 7541, Appendix A) and the entry that both tables are made of. */
import { fieldKind } from './field-kind.ts';
import { classify } from './octet-class.ts';

/** A field with all that was found out about it, so that a reference to it needs no work. */
export interface TableEntry {
  readonly name: string;
  readonly value: string;
  /** See field-kind.ts. */
  readonly kind: number;
  /** Class bits of the value, see octet-class.ts. */
  readonly valueClass: number;
  /** Octets as a table and a header list count them (RFC 7541 §4.1, RFC 9113 §6.5.2). */
  readonly size: number;
}

/** Octets that an entry counts besides its strings. */
export const ENTRY_OVERHEAD = 32;

const FIELDS = `:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`;

/** One shape for the entries of both tables. */
export function makeEntry(name: string, value: string, kind: number, valueClass: number): TableEntry {
  return { name, value, kind, valueClass, size: name.length + value.length + ENTRY_OVERHEAD };
}

function entryOf(line: string): TableEntry {
  const space = line.indexOf(' ');
  const name = space < 0 ? line : line.slice(0, space);
  const value = space < 0 ? '' : line.slice(space + 1);
  return makeEntry(name, value, fieldKind(name, classify(name)), classify(value));
}

/** Entry 0 does not exist on the wire; it stands here so that indices are those of the RFC. */
export const STATIC_TABLE: readonly TableEntry[] = ['', ...FIELDS.split('\n')].map(entryOf);

/** The first index of the dynamic table. */
export const DYNAMIC_BASE: number = STATIC_TABLE.length;

/** The size of a dynamic table until a setting and a size update change it (RFC 9113 §6.5.2). */
export const DEFAULT_TABLE_BYTES = 4096;

export interface StaticName {
  /** The lowest index with this name. */
  readonly index: number;
  /** Index by value, for names that have values. */
  readonly values: ReadonlyMap<string, number>;
}

function byName(): ReadonlyMap<string, StaticName> {
  const names = new Map<string, { index: number; values: Map<string, number> }>();
  STATIC_TABLE.forEach((entry, index) => {
    if (index === 0) return;
    const known = names.get(entry.name) ?? { index, values: new Map<string, number>() };
    if (entry.value !== '') known.values.set(entry.value, index);
    names.set(entry.name, known);
  });
  return names;
}

export const STATIC_NAMES: ReadonlyMap<string, StaticName> = byName();
