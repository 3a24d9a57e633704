/** Requests: from a decoded header block to a head (RFC 9113 §8.3.1, RFC 8441 §4), and back. */
import type { RequestHead } from '../exchange/stream.ts';
import { hasPort, parseAuthority } from '../http1/authority.ts';
import type { FrameWriter } from './frame-writer.ts';
import type { HeaderBlock } from './header-block.ts';
import type { HpackEncoder } from './hpack/encoder.ts';
import { AUTHORITY_FIELD, METHOD, PATH, PROTOCOL, SCHEME, STATUS } from './hpack/field-kind.ts';
import { METHOD_NAME, TARGET, TOKEN } from './hpack/octet-class.ts';
import { ENTRY_OVERHEAD } from './hpack/static-table.ts';

const HAS_METHOD = 1 << METHOD;
const HAS_SCHEME = 1 << SCHEME;
const HAS_AUTHORITY = 1 << AUTHORITY_FIELD;
const HAS_PATH = 1 << PATH;
const HAS_PROTOCOL = 1 << PROTOCOL;
const HAS_STATUS = 1 << STATUS;
/** Pseudo-header fields and content-length. */
const OWN_FIELDS = 6;
const SLASH = 0x2f;

/**
 * Reads the requests of one connection. An extended CONNECT becomes `method: 'CONNECT'` with `upgrade` set
 * and scheme and path present; a plain CONNECT has neither scheme nor path, and the connection's scheme is filled in.
 */
export class RequestReader {
  /** Why {@link read} returned null: the request is malformed (RFC 9113 §8.1.1). */
  fault = '';
  readonly #scheme: string;
  /** The authority seen last, as received and in normal form: it rarely changes within a connection. */
  #raw = '';
  #authority = '';

  /** @param scheme for CONNECT, which names none */
  constructor(scheme: string) {
    this.#scheme = scheme;
  }

  read(block: HeaderBlock, end: boolean): RequestHead | null {
    this.fault = block.fault;
    if (this.fault === '') this.fault = requestFault(block, end);
    if (this.fault !== '') return null;
    const authority = this.#authorityOf(block);
    if (this.fault !== '') return null;
    const tunnel = block.method === 'CONNECT';
    return {
      method: block.method,
      scheme: tunnel && block.scheme === '' ? this.#scheme : block.scheme,
      authority,
      path: block.path,
      upgrade: block.protocol === '' ? '' : block.protocol.toLowerCase(),
      version: 20,
      fields: block.fields,
      contentLength: end ? 0 : tunnel ? -1 : block.contentLength,
    };
  }

  /** `:authority`, or `host` from a client that translates HTTP/1.1; if both, they must be equal. */
  #authorityOf(block: HeaderBlock): string {
    const hasAuthority = (block.pseudo & HAS_AUTHORITY) !== 0;
    const raw = hasAuthority ? block.authority : block.host;
    if (raw !== this.#raw || raw === '') {
      this.#authority = parseAuthority(raw);
      this.#raw = raw;
    }
    if (this.#authority === '') this.fault = ':authority is missing or not a host and port';
    else if (hasAuthority && block.hasHost && parseAuthority(block.host) !== this.#authority) {
      this.fault = ':authority and host differ';
    } else if (block.method === 'CONNECT' && block.protocol === '' && !hasPort(this.#authority)) {
      this.fault = 'CONNECT without a port';
    }
    return this.#authority;
  }
}

function requestFault(block: HeaderBlock, end: boolean): string {
  const { pseudo } = block;
  if ((pseudo & HAS_STATUS) !== 0) return ':status in a request';
  if ((pseudo & HAS_METHOD) === 0) return ':method is missing';
  if ((block.methodClass & METHOD_NAME) === 0) return ':method is not an upper-case token';
  if (end && block.contentLength > 0) return `content-length is ${block.contentLength}, and there is no body`;
  if ((pseudo & HAS_PROTOCOL) !== 0) {
    if (block.method !== 'CONNECT') return ':protocol without CONNECT';
    if ((block.protocolClass & TOKEN) === 0) return ':protocol is not a token';
    return targetFault(block);
  }
  if (block.method !== 'CONNECT') return targetFault(block);
  return (pseudo & (HAS_SCHEME | HAS_PATH)) === 0 ? '' : 'CONNECT with :scheme or :path';
}

function targetFault(block: HeaderBlock): string {
  if (block.scheme !== 'http' && block.scheme !== 'https') return ':scheme is neither http nor https';
  const { path } = block;
  if ((block.pseudo & HAS_PATH) === 0 || path === '') return ':path is missing';
  if ((block.pathClass & TARGET) === 0) return ':path has octets that no target has';
  if (path.charCodeAt(0) === SLASH || (path === '*' && block.method === 'OPTIONS')) return '';
  return ':path does not begin with "/"';
}

/**
 * Writes HEADERS. A request with `upgrade` is sent as extended CONNECT whatever its method was in HTTP/1.1,
 * and a tunnel has no content-length.
 */
export function writeRequest(
  writer: FrameWriter,
  encoder: HpackEncoder,
  id: number,
  head: RequestHead,
  end: boolean,
): void {
  const { fields, contentLength } = head;
  const start = writer.beginHeaders((fields.length >>> 1) + OWN_FIELDS);
  const plainConnect = head.method === 'CONNECT' && head.upgrade === '';
  encoder.field(':method', head.upgrade === '' ? head.method : 'CONNECT');
  if (head.upgrade !== '') encoder.field(':protocol', head.upgrade);
  if (!plainConnect) encoder.field(':scheme', head.scheme);
  if (head.authority !== '') encoder.field(':authority', head.authority);
  if (!plainConnect) encoder.field(':path', head.path);
  encoder.fields(fields);
  const tunnel = plainConnect || head.upgrade !== '';
  if (!tunnel && (contentLength > 0 || (contentLength === 0 && !end))) {
    encoder.field('content-length', String(contentLength));
  }
  writer.endHeaders(start, id, end);
}

/** Octets of the header list as SETTINGS_MAX_HEADER_LIST_SIZE counts them. */
export function headerListBytes(head: RequestHead): number {
  const { fields } = head;
  let octets =
    head.method.length + head.scheme.length + head.authority.length + head.path.length + head.upgrade.length;
  for (let i = 0; i < fields.length; i++) octets += fields[i].length;
  // The names of the fields that are our own: ":method", ":scheme", ":authority", ":path", "content-length", ":protocol".
  return octets + 64 + ENTRY_OVERHEAD * ((fields.length >>> 1) + OWN_FIELDS);
}
