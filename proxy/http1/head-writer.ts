import type { FieldLines } from '../exchange/stream.ts';
import type { Output } from '../transport/output.ts';
import { COLON, CR, LF, SP } from './bytes.ts';

/** Reason phrases of the IANA registry (2026). Clients ignore them; people reading a capture do not. */
const REASONS: Readonly<Record<number, string>> = {
  100: 'Continue',
  101: 'Switching Protocols',
  102: 'Processing',
  103: 'Early Hints',
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  203: 'Non-Authoritative Information',
  204: 'No Content',
  205: 'Reset Content',
  206: 'Partial Content',
  207: 'Multi-Status',
  208: 'Already Reported',
  226: 'IM Used',
  300: 'Multiple Choices',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  305: 'Use Proxy',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  423: 'Locked',
  424: 'Failed Dependency',
  425: 'Too Early',
  426: 'Upgrade Required',
  428: 'Precondition Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  451: 'Unavailable For Legal Reasons',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  506: 'Variant Also Negotiates',
  507: 'Insufficient Storage',
  508: 'Loop Detected',
  511: 'Network Authentication Required',
};

const STATUS_LINES: readonly string[] = Array.from(
  { length: 600 },
  (_, status) => `HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\n`,
);

/** `HTTP/1.1 200 OK` with its line break. */
export function statusLine(status: number): string {
  return STATUS_LINES[status];
}

/** Shorter strings are written byte by byte, which is faster than a call into the runtime (bench/micro). */
const NATIVE_FROM = 32;

/** Writes `name: value` lines as they are stored. The empty line that ends a head is in `last`. */
export function writeHead(output: Output, start: string, fields: FieldLines, last: string): void {
  let size = start.length + last.length;
  for (let i = 0; i < fields.length; i += 2) size += fields[i].length + fields[i + 1].length + 4;
  output.ensure(size);
  const { bytes } = output;
  let end = put(bytes, output.end, start);
  for (let i = 0; i < fields.length; i += 2) {
    end = put(bytes, end, fields[i]);
    bytes[end++] = COLON;
    bytes[end++] = SP;
    end = put(bytes, end, fields[i + 1]);
    bytes[end++] = CR;
    bytes[end++] = LF;
  }
  output.end = put(bytes, end, last);
}

function put(bytes: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length >= NATIVE_FROM) return at + bytes.latin1Write(text, at, length);
  for (let k = 0; k < length; k++) bytes[at + k] = text.charCodeAt(k);
  return at + length;
}

const HEX_DIGITS = '0123456789abcdef';

/** Writes `chunk` as one chunk of the chunked coding (RFC 9112 §7.1). It must not be empty, which would end the body. */
export function writeChunk(output: Output, chunk: Buffer): void {
  output.ensure(16);
  const bytes = output.bytes;
  let end = output.end;
  let shift = 28;
  while (shift > 0 && chunk.length >>> shift === 0) shift -= 4;
  for (; shift >= 0; shift -= 4) bytes[end++] = HEX_DIGITS.charCodeAt((chunk.length >>> shift) & 15);
  bytes[end++] = CR;
  bytes[end++] = LF;
  output.end = end;
  output.chunk(chunk);
  output.ensure(2);
  output.bytes[output.end++] = CR;
  output.bytes[output.end++] = LF;
}
