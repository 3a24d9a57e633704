/** Reads of a TLS ClientHello what decides who terminates it (RFC 8446 §4.1.2, RFC 7301 §3.1). Nothing is consumed. */

export type ClientHello =
  | { readonly kind: 'hello'; readonly alpn: readonly string[] }
  /** The bytes so far may be the beginning of one. */
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'other' };

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const ALPN = 16;
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
  const alpn = readAlpn(handshake.subarray(4, 4 + length));
  return alpn === null ? OTHER : { kind: 'hello', alpn };
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

/** Protocols of the ALPN extension, empty without one; null if the hello is malformed. */
function readAlpn(hello: Buffer): string[] | null {
  let at = 2 + 32;
  if (hello.length < at + 1) return null;
  at += 1 + hello[at];
  if (hello.length < at + 2) return null;
  at += 2 + hello.readUInt16BE(at);
  if (hello.length < at + 1) return null;
  at += 1 + hello[at];
  if (hello.length === at) return [];
  if (hello.length < at + 2) return null;
  const end = at + 2 + hello.readUInt16BE(at);
  if (end > hello.length) return null;
  at += 2;
  while (at + 4 <= end) {
    const type = hello.readUInt16BE(at);
    const next = at + 4 + hello.readUInt16BE(at + 2);
    if (next > end) return null;
    if (type === ALPN) return readProtocols(hello.subarray(at + 4, next));
    at = next;
  }
  return [];
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
