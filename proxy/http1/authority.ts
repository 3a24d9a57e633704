import { COLON, HEX, HOST } from './bytes.ts';

const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const DOT = 0x2e;
/** 253 characters of a domain name (RFC 1035), or an address, with ":65535". */
const MAX_AUTHORITY = 259;

/**
 * Checks `uri-host [":" port]` (RFC 9110 §7.2) without userinfo, percent-encoding or sub-delims, which no name of a
 * host has and which readers understand differently.
 * @returns the authority in lower case, or '' if it is not valid.
 */
export function parseAuthority(value: string): string {
  const length = value.length;
  if (length === 0 || length > MAX_AUTHORITY) return '';
  const end = value.charCodeAt(0) === OPEN_BRACKET ? endOfAddress(value) : endOfName(value);
  if (end === 0) return '';
  if (end < length && !isPort(value, end)) return '';
  return value.toLowerCase();
}

/** Whether a valid authority names its port, as CONNECT must (RFC 9110 §9.3.6). */
export function hasPort(authority: string): boolean {
  const colon = authority.lastIndexOf(':');
  return colon > 0 && authority.charCodeAt(authority.length - 1) !== CLOSE_BRACKET;
}

function endOfName(value: string): number {
  let i = 0;
  while (i < value.length && isHostByte(value.charCodeAt(i))) i++;
  return i;
}

function isHostByte(code: number): boolean {
  return code < 256 && HOST[code] !== 0;
}

function endOfAddress(value: string): number {
  let i = 1;
  let colons = 0;
  for (; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code === CLOSE_BRACKET) return colons >= 2 && i <= 46 ? i + 1 : 0;
    if (code === COLON) colons++;
    else if (code !== DOT && (code > 255 || HEX[code] === 0)) return 0;
  }
  return 0;
}

function isPort(value: string, at: number): boolean {
  if (value.charCodeAt(at) !== COLON) return false;
  const digits = value.length - at - 1;
  if (digits < 1 || digits > 5) return false;
  let port = 0;
  for (let i = at + 1; i < value.length; i++) {
    const digit = value.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
  }
  return port <= 65_535;
}
