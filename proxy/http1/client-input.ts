/** What an upstream sends, on its way from the connection to the receiver of the response. */
import type { FieldLines, ResponseHead } from '../exchange/stream.ts';
import { EMPTY } from './body-decoder.ts';
import type { Http1ClientConnection } from './client-connection.ts';
import type { Http1ClientStream } from './client-stream.ts';
import { REFUSALS } from './refusal.ts';

export function receiveFromServer(connection: Http1ClientConnection, bytes: Buffer): void {
  const end = bytes.length;
  let i = 0;
  while (i < end) {
    switch (connection.phase) {
      case 'head':
        i = readHead(connection, bytes, i, end);
        break;
      case 'body':
        i = readBody(connection, bytes, i, end);
        break;
      case 'tunnel':
        connection.onBody(i === 0 ? bytes : bytes.subarray(i), false);
        i = end;
        break;
      case 'idle':
        connection.refuse(REFUSALS.unexpectedBytes);
        return;
      case 'linger':
      case 'closed':
        return;
    }
  }
  if (connection.phase === 'idle') connection.endTurn();
}

function readHead(connection: Http1ClientConnection, bytes: Buffer, start: number, end: number): number {
  const { stream, head } = connection;
  // An answer to a request of which nothing has been sent is no answer to it.
  if (stream === null || connection.isUnsent(stream)) {
    connection.refuse(REFUSALS.unexpectedBytes);
    return end;
  }
  const begins = head.state === 'none';
  const next = head.read(bytes, start, end);
  switch (head.state) {
    case 'none':
      interpretResponse(connection, stream);
      return next;
    case 'partial':
      if (begins) connection.watch.restart();
      return next;
    case 'refused':
      connection.refuse(head.refusal);
      return next;
  }
}

/** Interprets the head in the parser (RFC 9112 §6.3). */
function interpretResponse(connection: Http1ClientConnection, stream: Http1ClientStream): void {
  const { decoder, codec } = connection;
  const p = codec.parser;
  const { status, fields } = p;
  if (status < 200) {
    if (status !== 101) return informed(connection, stream, status, fields);
    if (stream.upgrade === '' || p.upgrade !== stream.upgrade)
      return connection.refuse(REFUSALS.unaskedUpgrade);
    return openTunnel(connection, stream, { status, fields, contentLength: -1 });
  }
  if (stream.isConnect && status < 300)
    return openTunnel(connection, stream, { status, fields, contentLength: -1 });
  if (stream.asksTunnel) stream.tunnelRefused();
  connection.reusable = p.keepAlive;
  setIdleTimeout(connection, p.keepAliveSeconds);
  const head: ResponseHead = { status, fields, contentLength: p.chunked ? -1 : p.contentLength };
  if (stream.isHead || status === 204 || status === 304) withoutBody(connection, head);
  else if (p.chunked) decoder.startChunked();
  else if (p.contentLength >= 0) decoder.startFixed(p.contentLength);
  else decoder.startUntilClose();
  if (decoder.untilClose) connection.reusable = false;
  const end = decoder.done;
  connection.phase = end ? 'idle' : 'body';
  stream.answered = end;
  stream.receiver.onResponse(head, end);
  if (!connection.reusable) connection.startDraining();
}

function informed(
  connection: Http1ClientConnection,
  stream: Http1ClientStream,
  status: number,
  fields: FieldLines,
): void {
  const { parser, limits } = connection.codec;
  if (!parser.keepAlive || parser.chunked || parser.contentLength > 0)
    return connection.refuse(REFUSALS.informationalFraming);
  if (++connection.informational > limits.maxInformational) return connection.refuse(REFUSALS.informational);
  stream.receiver.onInformational(status, fields);
}

/** A 204 that announces a body is followed by one more often than not. */
function withoutBody(connection: Http1ClientConnection, head: ResponseHead): void {
  if (head.status !== 204) return;
  if (connection.codec.parser.chunked || head.contentLength > 0) connection.reusable = false;
  head.contentLength = 0;
}

function openTunnel(connection: Http1ClientConnection, stream: Http1ClientStream, head: ResponseHead): void {
  connection.phase = 'tunnel';
  connection.reusable = false;
  stream.receiver.onResponse(head, false);
  if (!stream.dead) stream.tunnelOpened();
  if (!stream.dead && connection.output.writable) stream.receiver.onRequestWritable();
  connection.startDraining();
}

/** Stops using the connection a second before the upstream does, so that no request meets its FIN. */
function setIdleTimeout(connection: Http1ClientConnection, keepAliveSeconds: number): void {
  if (keepAliveSeconds < 0) return;
  const { idleTimeoutMs } = connection.codec.limits;
  connection.idleTimeoutMs = Math.min(idleTimeoutMs, Math.max(keepAliveSeconds * 1000 - 1000, 0));
}

function readBody(connection: Http1ClientConnection, bytes: Buffer, start: number, end: number): number {
  const { decoder } = connection;
  const next = decoder.decode(bytes, start, end);
  if (connection.phase !== 'body') return next;
  if (decoder.refusal !== null) {
    connection.refuse(decoder.refusal);
    return end;
  }
  if (decoder.done) connection.phase = 'idle';
  return next;
}

/** Decoded body bytes, or bytes of a tunnel. */
export function deliverResponseBody(connection: Http1ClientConnection, chunk: Buffer, end: boolean): void {
  const { stream, gate } = connection;
  if (stream === null || stream.dead) return;
  gate.delivered(chunk.length);
  stream.answered = end;
  stream.receiver.onResponseData(chunk, end);
  gate.check();
}

/** FIN from the upstream: the end of a body that has no other end, else of the connection. */
export function receiveEndFromServer(connection: Http1ClientConnection): void {
  switch (connection.phase) {
    case 'body':
      if (!connection.decoder.untilClose) return connection.fail('connection-closed');
      return endAtClose(connection);
    case 'tunnel':
      return connection.onBody(EMPTY, true);
    case 'linger':
    case 'closed':
      return;
    case 'idle':
    case 'head':
      if (connection.stream !== null)
        return connection.fail(connection.crossedEnd ? 'connection-reset' : 'connection-closed');
      connection.startDraining();
      return connection.endOutput();
  }
}

function endAtClose(connection: Http1ClientConnection): void {
  connection.decoder.stop();
  connection.phase = 'idle';
  connection.onBody(EMPTY, true);
  // A request that is still going on has nobody to go to.
  if (connection.phase === 'idle') connection.endOutput();
}
