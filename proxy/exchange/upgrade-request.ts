/**
 * A WebSocket is asked for by an upgrade in HTTP/1.1 (RFC 6455 §4) and by extended CONNECT in HTTP/2 (RFC 8441 §5). In the
 * proxy it has the form of the upgrade, whatever the client speaks; the codec of HTTP/2 writes it as CONNECT. The key and its
 * proof exist in HTTP/1.1 alone.
 */
import { createHash, randomBytes } from 'node:crypto';
import * as fields from './fields.ts';
import type { FieldLines, HttpVersion, RequestHead } from './stream.ts';

const KEY = 'sec-websocket-key';
const ACCEPT = 'sec-websocket-accept';

/** Gives a request of extended CONNECT the form of an upgrade. @returns the key of a WebSocket, '' for other requests */
export function asUpgrade(head: RequestHead): string {
  if (head.upgrade !== '' && head.method === 'CONNECT') head.method = 'GET';
  if (head.upgrade !== 'websocket') return '';
  return fields.get(head.fields, KEY) || randomBytes(16).toString('base64');
}

/** Puts the key of a WebSocket into its request, or takes it out. @param version of the connection to the endpoint */
export function fitKey(lines: FieldLines, key: string, version: HttpVersion): void {
  if (version === 20) fields.remove(lines, KEY);
  else fields.set(lines, KEY, key);
}

/** The same for the proof in the answer. @param version of the connection to the client */
export function fitProof(lines: FieldLines, key: string, version: HttpVersion): void {
  if (version === 20) fields.remove(lines, ACCEPT);
  else if (!fields.has(lines, ACCEPT)) fields.add(lines, ACCEPT, proofOf(key));
}

/** RFC 6455 §4.2.2, 5.4. */
function proofOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}
