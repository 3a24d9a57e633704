/**
 * Error codes (RFC 9113 §7) and what they mean to a stream's exchange.
 *
 * | received RST_STREAM | from a server                            | from a client  |
 * |---------------------|------------------------------------------|----------------|
 * | REFUSED_STREAM      | refused                                  | cancelled      |
 * | CANCEL              | cancelled                                | cancelled      |
 * | NO_ERROR            | internal-error before the response ended | cancelled      |
 * | any other           | internal-error                           | internal-error |
 *
 * | ResetReason        | sent to a client  | sent to a server |
 * |--------------------|-------------------|------------------|
 * | refused            | REFUSED_STREAM    | CANCEL           |
 * | cancelled          | CANCEL            | CANCEL           |
 * | connection-closed  | INTERNAL_ERROR    | CANCEL           |
 * | connection-reset   | INTERNAL_ERROR    | CANCEL           |
 * | connection-lost    | INTERNAL_ERROR    | CANCEL           |
 * | protocol-error     | INTERNAL_ERROR    | CANCEL           |
 * | internal-error     | INTERNAL_ERROR    | CANCEL           |
 * | limit              | ENHANCE_YOUR_CALM | CANCEL           |
 * | timeout            | CANCEL            | CANCEL           |
 *
 * In a tunnel the loss of the connection is RST of TCP, for which RFC 8441 §5 and RFC 9113 §8.5 name the code ({@link codeForTunnel}).
 *
 * A reason given by the exchange is about its other side, so a client is never blamed for what an upstream
 * did, and an upstream only learns that nobody waits any more. Errors that the codec itself finds are sent
 * with the code that the RFC demands.
 */
import type { ResetReason } from '../exchange/stream.ts';

export const NO_ERROR = 0x0;
export const PROTOCOL_ERROR = 0x1;
const INTERNAL_ERROR = 0x2;
export const FLOW_CONTROL_ERROR = 0x3;
export const STREAM_CLOSED = 0x5;
export const FRAME_SIZE_ERROR = 0x6;
export const REFUSED_STREAM = 0x7;
export const CANCEL = 0x8;
export const COMPRESSION_ERROR = 0x9;
const CONNECT_ERROR = 0xa;
export const ENHANCE_YOUR_CALM = 0xb;

const NAMES = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
];

/** Name of a code in RFC 9113 §7; codes that it does not know count as INTERNAL_ERROR there. */
export function errorName(code: number): string {
  return NAMES[code] ?? 'INTERNAL_ERROR';
}

/** What a received RST_STREAM code says to the exchange. @param fromServer who sent it */
export function resetReasonOf(code: number, fromServer: boolean): ResetReason {
  if (code === CANCEL) return 'cancelled';
  if (fromServer) return code === REFUSED_STREAM ? 'refused' : 'internal-error';
  return code === NO_ERROR || code === REFUSED_STREAM ? 'cancelled' : 'internal-error';
}

const TO_CLIENT: Readonly<Record<ResetReason, number>> = {
  refused: REFUSED_STREAM,
  cancelled: CANCEL,
  'connection-closed': INTERNAL_ERROR,
  'connection-reset': INTERNAL_ERROR,
  'connection-lost': INTERNAL_ERROR,
  'protocol-error': INTERNAL_ERROR,
  'internal-error': INTERNAL_ERROR,
  limit: ENHANCE_YOUR_CALM,
  timeout: CANCEL,
};

/** The RST_STREAM code that tells a client why its response will not be finished. */
export function codeForClient(reason: ResetReason): number {
  return TO_CLIENT[reason];
}

/** The connection of the other side ended under the stream. */
export function isLoss(reason: ResetReason): boolean {
  return reason === 'connection-closed' || reason === 'connection-reset';
}

/** The code for what is RST in TCP, in a tunnel of extended CONNECT (RFC 8441 §5) or of CONNECT (RFC 9113 §8.5). */
export function codeForTunnel(extended: boolean): number {
  return extended ? CANCEL : CONNECT_ERROR;
}

/** What an exchange gets for an error that the codec found in what the peer sent. */
export function reasonOfFault(code: number): ResetReason {
  if (code === ENHANCE_YOUR_CALM) return 'limit';
  if (code === INTERNAL_ERROR) return 'internal-error';
  return 'protocol-error';
}
