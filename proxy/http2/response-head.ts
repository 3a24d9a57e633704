/** Responses: from a decoded header block to a head (RFC 9113 §8.3.2), and back. */
import type { FieldLines, ResponseHead } from '../exchange/stream.ts';
import type { FrameWriter } from './frame-writer.ts';
import type { HeaderBlock } from './header-block.ts';
import type { HpackEncoder } from './hpack/encoder.ts';
import { STATUS } from './hpack/field-kind.ts';
import { DIGITS } from './hpack/octet-class.ts';

const ONLY_STATUS = 1 << STATUS;
/** :status and content-length. */
const OWN_FIELDS = 2;
/** Decimal texts of status codes, so that none is made per response. */
const STATUS_TEXT: readonly string[] = Array.from({ length: 600 }, (_, status) => String(status));

/** @returns why the block is no response (RFC 9113 §8.1.1), or '' */
export function responseFault(block: HeaderBlock): string {
  if (block.fault !== '') return block.fault;
  if (block.pseudo !== ONLY_STATUS)
    return 'a response without :status, or with pseudo-header fields of a request';
  const { status } = block;
  if (status.length !== 3 || (block.statusClass & DIGITS) === 0)
    return ':status is not a number of three digits';
  const first = status.charCodeAt(0) - 0x30;
  if (first < 1 || first > 5) return `:status is ${status}`;
  // RFC 9113 §8.6: there is no 101 in HTTP/2.
  return status === '101' ? ':status is 101' : '';
}

/** The number in a block without {@link responseFault}. */
export function statusOf(block: HeaderBlock): number {
  const { status } = block;
  return (
    (status.charCodeAt(0) - 0x30) * 100 + (status.charCodeAt(1) - 0x30) * 10 + status.charCodeAt(2) - 0x30
  );
}

/** Whether a response has no body whatever its Content-Length says (RFC 9110 §6.4.1). */
export function isBodyless(method: string, status: number): boolean {
  return status === 204 || status === 304 || (method === 'HEAD' && status >= 200);
}

export function writeResponse(
  writer: FrameWriter,
  encoder: HpackEncoder,
  id: number,
  head: ResponseHead,
  end: boolean,
): void {
  const { fields, contentLength, status } = head;
  const start = writer.beginHeaders((fields.length >>> 1) + OWN_FIELDS);
  encoder.field(':status', STATUS_TEXT[status]);
  encoder.fields(fields);
  if (contentLength >= 0 && status !== 204) encoder.field('content-length', String(contentLength));
  writer.endHeaders(start, id, end);
}

export function writeInformational(
  writer: FrameWriter,
  encoder: HpackEncoder,
  id: number,
  status: number,
  fields: FieldLines,
): void {
  const start = writer.beginHeaders((fields.length >>> 1) + OWN_FIELDS);
  encoder.field(':status', STATUS_TEXT[status]);
  encoder.fields(fields);
  writer.endHeaders(start, id, false);
}
