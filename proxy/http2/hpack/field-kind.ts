/** What a field name means to HTTP/2. Found once per literal name, then kept with the table entry. */
import { NAME } from './octet-class.ts';

/** A field that the codec passes on as it is. */
export const REGULAR = 0;
export const METHOD = 1;
export const SCHEME = 2;
export const AUTHORITY_FIELD = 3;
export const PATH = 4;
/** RFC 8441 §4. */
export const PROTOCOL = 5;
export const STATUS = 6;
/** The last kind that is a pseudo-header field. */
export const UNKNOWN_PSEUDO = 7;
/** Fields that are about one connection, malformed in HTTP/2 (RFC 9113 §8.2.2). */
export const CONNECTION_SPECIFIC = 8;
export const TE = 9;
export const CONTENT_LENGTH = 10;
export const HOST = 11;
export const COOKIE = 12;
/** Upper case, or an octet that no field name has. */
export const INVALID_NAME = 13;
/** `http2-settings`: meaningless here, dropped. */
export const DROPPED = 14;

const KINDS: ReadonlyMap<string, number> = new Map([
  [':method', METHOD],
  [':scheme', SCHEME],
  [':authority', AUTHORITY_FIELD],
  [':path', PATH],
  [':protocol', PROTOCOL],
  [':status', STATUS],
  ['connection', CONNECTION_SPECIFIC],
  ['proxy-connection', CONNECTION_SPECIFIC],
  ['keep-alive', CONNECTION_SPECIFIC],
  ['transfer-encoding', CONNECTION_SPECIFIC],
  ['upgrade', CONNECTION_SPECIFIC],
  ['te', TE],
  ['content-length', CONTENT_LENGTH],
  ['host', HOST],
  ['cookie', COOKIE],
  ['http2-settings', DROPPED],
]);

/** @param nameClass class bits of `name`, see octet-class.ts */
export function fieldKind(name: string, nameClass: number): number {
  const kind = KINDS.get(name);
  if (kind !== undefined) return kind;
  if ((nameClass & NAME) !== 0) return REGULAR;
  return name.charCodeAt(0) === 0x3a ? UNKNOWN_PSEUDO : INVALID_NAME;
}
