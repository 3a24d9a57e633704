/** What the first bytes of a plaintext connection are. */
import type { DestinationProtocol } from '../cluster/destination.ts';

export type DetectedProtocol = 'http1' | 'http2' | 'opaque' | 'incomplete';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
/** RFC 9110 §9.3, RFC 5789 and WebDAV: the longest method that is recognised has this many bytes. */
const MAX_METHOD_BYTES = 20;
const SPACE = 0x20;
const UPPER_A = 0x41;
const UPPER_Z = 0x5a;
const HYPHEN = 0x2d;
const CR = 0x0d;
const LF = 0x0a;
const VERSION = 'HTTP/1.';

/**
 * HTTP/2 by its preface (RFC 9113 §3.4), HTTP/1 by an upper-case method, a space, and a request line that ends with
 * `HTTP/1.x`. The whole request line is asked for, because a line of another protocol may begin with a word in capitals
 * (`EHLO mail`, `SET key value`).
 */
export function detectProtocol(bytes: Buffer): DetectedProtocol {
  const length = Math.min(bytes.length, PREFACE.length);
  if (bytes.compare(PREFACE, 0, length, 0, length) === 0) {
    return length === PREFACE.length ? 'http2' : 'incomplete';
  }
  // A client may send an empty line first (RFC 9112 §2.2).
  const start = bytes[0] === CR && (bytes.length < 2 || bytes[1] === LF) ? 2 : 0;
  let at = start;
  while (at < bytes.length && isMethodByte(bytes[at])) at++;
  if (at - start > MAX_METHOD_BYTES) return 'opaque';
  if (at >= bytes.length) return 'incomplete';
  if (at === start || bytes[at] !== SPACE) return 'opaque';
  const end = bytes.indexOf(LF, at);
  if (end === -1) return isTargetStart(bytes, at + 1);
  const from = bytes[end - 1] === CR ? end - 1 : end;
  return bytes.latin1Slice(Math.max(at, from - VERSION.length - 1), from - 1) === VERSION
    ? 'http1'
    : 'opaque';
}

function isMethodByte(byte: number): boolean {
  return (byte >= UPPER_A && byte <= UPPER_Z) || byte === HYPHEN;
}

/** A long target is not waited for: what begins like one is (RFC 9112 §3.2: `/`, `*`, or a scheme or host). */
function isTargetStart(bytes: Buffer, at: number): DetectedProtocol {
  if (at >= bytes.length) return 'incomplete';
  return bytes[at] === 0x2f && bytes.length - at > 256 ? 'http1' : 'incomplete';
}

/**
 * Which codec serves an HTTP connection. On a port that is declared HTTP/2, a client whose bytes are neither version is told
 * so in HTTP/2 (RFC 9113 §3.4), elsewhere in HTTP/1.1.
 */
export function httpVersion(
  detected: string | null,
  declared: DestinationProtocol | null,
): 'http1' | 'http2' {
  if (detected === 'http1' || detected === 'http2') return detected;
  return declared === 'http2' || declared === 'grpc' ? 'http2' : 'http1';
}
