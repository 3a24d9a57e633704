import { CR, LF, METHOD, SP, TARGET, VALUE } from './bytes.ts';
import { INCOMPLETE } from './head-outcome.ts';
import type { HeadParser } from './head-parser.ts';
import { REFUSALS } from './refusal.ts';

const VERSION = Buffer.from('HTTP/1.', 'latin1');

/**
 * request-line = method SP request-target SP HTTP-version (RFC 9112 §3)
 * @returns the offset after its CRLF, or an outcome of `head-outcome.ts`
 */
export function parseRequestLine(p: HeadParser, bytes: Buffer, start: number, end: number): number {
  let i = start;
  while (i < end && METHOD[bytes[i]] !== 0) i++;
  if (i === end) return INCOMPLETE;
  if (bytes[i] !== SP || i === start) {
    return p.refuse(i > start && bytes[i] < SP ? REFUSALS.requestLine : REFUSALS.method);
  }
  const methodEnd = i++;
  const targetStart = i;
  while (i < end && TARGET[bytes[i]] !== 0) i++;
  if (i === end) return INCOMPLETE;
  if (bytes[i] !== SP || i === targetStart) {
    const malformed = i === targetStart || bytes[i] === CR || bytes[i] === LF;
    return p.refuse(malformed ? REFUSALS.requestLine : REFUSALS.target);
  }
  const targetEnd = i++;
  const next = versionAndCrlf(p, bytes, i, end);
  if (next <= 0) return next;
  p.method = knownMethod(bytes, start, methodEnd) || p.cache.value(bytes, start, methodEnd);
  p.target = p.cache.value(bytes, targetStart, targetEnd);
  return next;
}

/** HTTP-version CRLF. */
function versionAndCrlf(p: HeadParser, bytes: Buffer, i: number, end: number): number {
  const next = version(p, bytes, i, end);
  if (next <= 0) return next;
  if (next === end) return INCOMPLETE;
  if (bytes[next] !== CR) return p.refuse(bytes[next] === LF ? REFUSALS.bareLf : REFUSALS.version);
  if (next + 1 === end) return INCOMPLETE;
  return bytes[next + 1] === LF ? next + 2 : p.refuse(REFUSALS.bareCr);
}

function version(p: HeadParser, bytes: Buffer, i: number, end: number): number {
  for (let k = 0; k < VERSION.length; k++) {
    if (i + k === end) return INCOMPLETE;
    if (bytes[i + k] !== VERSION[k]) return p.refuse(REFUSALS.version);
  }
  i += VERSION.length;
  if (i === end) return INCOMPLETE;
  const minor = bytes[i] - 0x30;
  if (minor !== 0 && minor !== 1) return p.refuse(REFUSALS.version);
  p.version = minor === 1 ? 11 : 10;
  return i + 1;
}

/**
 * status-line = HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112 §4)
 * @returns as {@link parseRequestLine}
 */
export function parseStatusLine(p: HeadParser, bytes: Buffer, start: number, end: number): number {
  let i = version(p, bytes, start, end);
  if (i <= 0) return i;
  if (i + 4 >= end) return INCOMPLETE;
  if (bytes[i] !== SP) return p.refuse(REFUSALS.statusLine);
  const hundreds = bytes[i + 1] - 0x30;
  const tens = bytes[i + 2] - 0x30;
  const ones = bytes[i + 3] - 0x30;
  if (hundreds < 1 || hundreds > 5 || tens < 0 || tens > 9 || ones < 0 || ones > 9) {
    return p.refuse(REFUSALS.statusLine);
  }
  p.status = hundreds * 100 + tens * 10 + ones;
  i += 4;
  // The space before an empty reason is often left out, which changes nothing.
  if (bytes[i] === SP) while (i < end && VALUE[bytes[i]] !== 0) i++;
  if (i === end) return INCOMPLETE;
  if (bytes[i] !== CR) return p.refuse(bytes[i] === LF ? REFUSALS.bareLf : REFUSALS.statusLine);
  if (i + 1 === end) return INCOMPLETE;
  return bytes[i + 1] === LF ? i + 2 : p.refuse(REFUSALS.bareCr);
}

/** GET and POST without going through the cache; '' for other methods. */
function knownMethod(bytes: Buffer, start: number, end: number): string {
  if (end - start === 3 && bytes[start] === 0x47 && bytes[start + 1] === 0x45 && bytes[start + 2] === 0x54)
    return 'GET';
  if (
    end - start === 4 &&
    bytes[start] === 0x50 &&
    bytes[start + 1] === 0x4f &&
    bytes[start + 2] === 0x53 &&
    bytes[start + 3] === 0x54
  ) {
    return 'POST';
  }
  return '';
}
