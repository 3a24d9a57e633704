/**
 * What the octets of a string allow it to be. Every string is classified once, while it is decoded; table
 * entries keep the answer, so that an indexed field is validated by looking at one number.
 */

/** Only octets of a field value: VCHAR, obs-text, SP, HTAB (RFC 9110 §5.5); edges are checked by {@link stringClass}. */
export const VALUE = 1;
/** Only octets of a lower-case field name: tchar without A-Z (RFC 9113 §8.2.1). */
export const NAME = 2;
/** Only tchar (RFC 9110 §5.6.2). */
export const TOKEN = 4;
/** Only octets of a request target: 0x21..0x7e without `#`. */
export const TARGET = 8;
/** Only 0-9. */
export const DIGITS = 16;
/** Only octets of a method, as in HTTP/1.1: tchar without a-z, since some servers take `get` for `GET`. */
export const METHOD_NAME = 32;
export const ALL = VALUE | NAME | TOKEN | TARGET | DIGITS | METHOD_NAME;

const TCHAR_MARKS = "!#$%&'*+-.^_`|~";

function classOf(octet: number): number {
  const char = String.fromCharCode(octet);
  const digit = octet >= 0x30 && octet <= 0x39;
  const upper = octet >= 0x41 && octet <= 0x5a;
  const lower = octet >= 0x61 && octet <= 0x7a;
  const token = digit || upper || lower || TCHAR_MARKS.includes(char);
  let bits = 0;
  if (octet === 0x09 || (octet >= 0x20 && octet !== 0x7f)) bits |= VALUE;
  if (token) bits |= TOKEN;
  if (token && !upper) bits |= NAME;
  if (token && !lower) bits |= METHOD_NAME;
  if (octet > 0x20 && octet < 0x7f && char !== '#') bits |= TARGET;
  if (digit) bits |= DIGITS;
  return bits;
}

/** Class bits of each octet. A string's class is the AND over its octets. */
export const OCTET_CLASS: Uint8Array = Uint8Array.from({ length: 256 }, (_, octet) => classOf(octet));

function blank(octet: number): boolean {
  return octet === 0x20 || octet === 0x09;
}

/**
 * The class of a string, given the AND over its octets and its first and last octet: a value must not begin
 * or end with whitespace (RFC 9113 §8.2.1), and the empty string is a value and nothing else.
 */
export function stringClass(bits: number, length: number, first: number, last: number): number {
  if (length === 0) return VALUE;
  return blank(first) || blank(last) ? bits & ~VALUE : bits;
}

/** The class of a string that did not come off the wire. */
export function classify(text: string): number {
  let bits = ALL;
  for (let i = 0; i < text.length; i++) bits &= OCTET_CLASS[text.charCodeAt(i) & 0xff];
  return stringClass(bits, text.length, text.charCodeAt(0), text.charCodeAt(text.length - 1));
}
