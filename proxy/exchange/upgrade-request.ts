import * as fields from './fields.ts';
import type { RequestHead, ResponseHead } from './stream.ts';

/**
 * A WebSocket that was asked for by extended CONNECT travels on as an HTTP/1.1 upgrade, which every server of WebSockets
 * understands (RFC 8441 §5 is the translation the other way). `key` is a fresh `Sec-WebSocket-Key`, which HTTP/2 has not.
 */
export function asUpgrade(head: RequestHead, key: () => string): void {
  if (head.method !== 'CONNECT' || head.upgrade === '') return;
  head.method = 'GET';
  if (head.upgrade === 'websocket' && !fields.has(head.fields, 'sec-websocket-key')) {
    head.fields.push('sec-websocket-key', key());
  }
}

/** The proof of the key is the proxy's own business. */
export function asExtendedConnect(head: ResponseHead): void {
  fields.remove(head.fields, 'sec-websocket-accept');
}
