/** Byte values and classes of the HTTP/1.1 grammar (RFC 9110 §5.6.2, RFC 9112). A class is 0 for bytes outside it. */

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;

function bytesOf(test: (byte: number, character: string) => boolean): Uint8Array {
  const table = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) {
    if (test(byte, String.fromCharCode(byte))) table[byte] = byte;
  }
  return table;
}

/** tchar, each mapped to its lower-case byte. */
export const TOKEN = bytesOf((_, c) => /^[!#$%&'*+\-.^_`|~0-9A-Za-z]$/.test(c)).map((byte: number) =>
  byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte,
);

/** Bytes of a method: tchar without lower-case letters. */
export const METHOD = bytesOf((_, c) => /^[!#$%&'*+\-.^_`|~0-9A-Z]$/.test(c));

/** HTAB, SP, VCHAR and obs-text: the bytes of a field value. */
export const VALUE = bytesOf(byte => byte === HTAB || (byte >= SP && byte !== 0x7f));

/**
 * Bytes of a request target: VCHAR, wider than RFC 3986 by what clients do send (`|`, `{`, `"`). No fragment, because
 * readers differ in whether it ends the path; no raw UTF-8, which many servers refuse.
 */
export const TARGET = bytesOf(byte => byte > SP && byte < 0x7f && byte !== 0x23);

/** Bytes of a host name or IPv4 address: RFC 3986 unreserved. Percent-encoding and sub-delims are refused. */
export const HOST = bytesOf((_, c) => /^[A-Za-z0-9._~-]$/.test(c));

/** Hexadecimal digits as their value plus one. */
export const HEX = new Uint8Array(256);
for (let value = 0; value < 16; value++) {
  HEX[value.toString(16).charCodeAt(0)] = value + 1;
  HEX[value.toString(16).toUpperCase().charCodeAt(0)] = value + 1;
}
