/**
 * Reads of a TLS ClientHello what decides who terminates it, and where it goes (RFC 8446 §4.1.2, RFC 7301 §3.1, RFC 6066 §3).
 * Nothing is consumed.
 */

export interface ReadHello {
  readonly kind: 'hello';
  readonly alpn: readonly string[];
  /** Host name of the server in lower case, '' without one. */
  readonly serverName: string;
}

export type ClientHello =
  | ReadHello
  /** The bytes so far may be the beginning of one. */
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'other' };

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const ALPN = 16;
const HOST_NAME = 0;
const RECORD_HEADER = 5;
/** Longer ones are taken for something else; post-quantum key shares make about 1.8 KB. */
const MAX_HELLO_BYTES = 16_384;

const INCOMPLETE: ClientHello = { kind: 'incomplete' };
const OTHER: ClientHello = { kind: 'other' };

/** Looks at the first bytes of a connection. A hello may be spread over several records. */
export function readClientHello(bytes: Buffer): ClientHello {
  if (bytes.length > 0 && bytes[0] !== HANDSHAKE) return OTHER;
  if (bytes.length > 1 && bytes[1] !== 3) return OTHER;
  if (bytes.length > RECORD_HEADER && bytes[RECORD_HEADER] !== CLIENT_HELLO) return OTHER;
  const handshake = joinRecords(bytes);
  if (handshake === null) return OTHER;
  if (handshake.length < 4) return INCOMPLETE;
  const length = handshake.readUIntBE(1, 3);
  if (length > MAX_HELLO_BYTES) return OTHER;
  if (handshake.length < 4 + length) return INCOMPLETE;
  return readExtensions(handshake.subarray(4, 4 + length)) ?? OTHER;
}

/** The handshake bytes of the records that have arrived; null if a record is not a handshake's. */
function joinRecords(bytes: Buffer): Buffer | null {
  const parts: Buffer[] = [];
  let at = 0;
  while (at + RECORD_HEADER <= bytes.length) {
    if (bytes[at] !== HANDSHAKE) return null;
    const end = at + RECORD_HEADER + bytes.readUInt16BE(at + 3);
    parts.push(bytes.subarray(at + RECORD_HEADER, Math.min(end, bytes.length)));
    at = end;
  }
  return parts.length === 1 ? parts[0] : Buffer.concat(parts);
}

/** null if the hello is malformed. */
function readExtensions(hello: Buffer): ReadHello | null {
  let at = 2 + 32;
  if (hello.length < at + 1) return null;
  at += 1 + hello[at];
  if (hello.length < at + 2) return null;
  at += 2 + hello.readUInt16BE(at);
  if (hello.length < at + 1) return null;
  at += 1 + hello[at];
  if (hello.length === at) return { kind: 'hello', alpn: [], serverName: '' };
  if (hello.length < at + 2) return null;
  const end = at + 2 + hello.readUInt16BE(at);
  if (end > hello.length) return null;
  at += 2;
  let alpn: string[] | null = [];
  let serverName: string | null = '';
  while (at + 4 <= end) {
    const type = hello.readUInt16BE(at);
    const next = at + 4 + hello.readUInt16BE(at + 2);
    if (next > end) return null;
    const body = hello.subarray(at + 4, next);
    // Each extension stands once (RFC 8446 §4.2): of two, the application might go by the other.
    if (type === ALPN) alpn = alpn.length > 0 ? null : readProtocols(body);
    else if (type === SERVER_NAME) serverName = serverName !== '' ? null : readServerName(body);
    if (alpn === null || serverName === null) return null;
    at = next;
  }
  return { kind: 'hello', alpn, serverName };
}

/** A list of one name, as there is only one type of names (RFC 6066 §3). */
function readServerName(list: Buffer): string | null {
  if (list.length < 6 || list.readUInt16BE(0) !== list.length - 2) return null;
  if (list[2] !== HOST_NAME || list.readUInt16BE(3) !== list.length - 5) return null;
  return list.toString('latin1', 5).toLowerCase();
}

function readProtocols(list: Buffer): string[] | null {
  if (list.length < 2 || list.readUInt16BE(0) !== list.length - 2) return null;
  const protocols: string[] = [];
  let at = 2;
  while (at < list.length) {
    const end = at + 1 + list[at];
    if (end === at + 1 || end > list.length) return null;
    protocols.push(list.toString('latin1', at + 1, end));
    at = end;
  }
  return protocols;
}
