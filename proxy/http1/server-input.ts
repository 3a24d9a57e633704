/** What a client sends, on its way from the connection to the handler and the receiver of the request. */
import type { RequestHead } from '../exchange/stream.ts';
import { EMPTY } from './body-decoder.ts';
import { CR, LF } from './bytes.ts';
import { REFUSALS } from './refusal.ts';
import type { Http1ServerConnection } from './server-connection.ts';
import { Http1ServerStream } from './server-stream.ts';

export function receiveFromClient(connection: Http1ServerConnection, bytes: Buffer): void {
  if (connection.held.length > 0) return hold(connection, bytes, 0);
  const next = consume(connection, bytes, bytes.length, 0);
  if (next < bytes.length) hold(connection, bytes, next);
}

/** Takes the bytes [start, end) as far as it is their turn. @returns the offset after the last byte taken */
function consume(connection: Http1ServerConnection, bytes: Buffer, end: number, start: number): number {
  let i = start;
  while (i < end) {
    switch (connection.phase) {
      case 'head':
        i = readHead(connection, bytes, i, end);
        break;
      case 'body':
        i = readBody(connection, bytes, i, end);
        break;
      case 'wait':
        return i;
      case 'tunnel':
        connection.onBody(i === 0 && end === bytes.length ? bytes : bytes.subarray(i, end), false);
        return end;
      case 'linger':
      case 'closed':
        return end;
    }
  }
  return i;
}

function readHead(connection: Http1ServerConnection, bytes: Buffer, start: number, end: number): number {
  const { head, emptyLine } = connection;
  const begins = head.state === 'none';
  if (begins && emptyLine < 2 && (emptyLine === 1 || bytes[start] === CR))
    return skipEmptyLine(connection, bytes[start], start);
  const next = head.read(bytes, start, end);
  switch (head.state) {
    case 'none':
      startRequest(connection);
      return next;
    case 'partial':
      if (begins) connection.watch.restart();
      return next;
    case 'refused':
      connection.refuse(head.refusal);
      return next;
  }
}

/** A client may send one too many line breaks after a body (RFC 9112 §2.2). */
function skipEmptyLine(connection: Http1ServerConnection, byte: number, start: number): number {
  if (connection.emptyLine === 1 && byte !== LF) connection.refuse(REFUSALS.bareCr);
  if (connection.emptyLine === 0) connection.watch.restart();
  connection.emptyLine++;
  return start + 1;
}

/** Hands the request in the parser to the handler. */
function startRequest(connection: Http1ServerConnection): void {
  const p = connection.codec.parser;
  const head: RequestHead = {
    method: p.method,
    scheme: p.scheme === '' ? connection.scheme : p.scheme,
    authority: p.authority,
    path: p.path,
    upgrade: p.upgrade,
    version: p.version,
    fields: p.fields,
    contentLength: p.chunked ? -1 : Math.max(p.contentLength, 0),
  };
  const stream = new Http1ServerStream(
    connection,
    connection.output,
    p.method,
    p.version,
    p.upgrade,
    p.expectContinue && head.contentLength !== 0,
    p.keepAlive,
  );
  connection.stream = stream;
  connection.emptyLine = 0;
  connection.watch.restart();
  if (p.chunked) connection.decoder.startChunked();
  else connection.decoder.startFixed(head.contentLength);
  connection.phase = head.contentLength === 0 ? 'wait' : 'body';
  connection.handler.onRequest(stream, head, head.contentLength === 0 && !stream.asksTunnel);
}

function readBody(connection: Http1ServerConnection, bytes: Buffer, start: number, end: number): number {
  const { decoder } = connection;
  connection.watch.restart();
  if (connection.stream !== null) connection.stream.awaitsContinue = false;
  const next = decoder.decode(bytes, start, end);
  if (connection.phase !== 'body') return next;
  if (decoder.refusal !== null) {
    connection.refuseBody(decoder.refusal);
    return end;
  }
  if (decoder.done) {
    connection.phase = 'wait';
    connection.endTurn();
  }
  return next;
}

/** Decoded body bytes, or bytes of a tunnel. */
export function deliverBody(connection: Http1ServerConnection, chunk: Buffer, end: boolean): void {
  if (connection.discarding) return discard(connection, chunk.length);
  if (connection.stream === null) return;
  connection.gate.delivered(chunk.length);
  connection.stream.receiver.onRequestData(chunk, end);
  connection.gate.check();
}

function discard(connection: Http1ServerConnection, bytes: number): void {
  connection.discarded += bytes;
  if (connection.discarded <= connection.codec.limits.maxDiscardBytes) return;
  connection.codec.observer.onLimit('maxDiscardBytes');
  connection.endOutput();
}

/** Keeps bytes that come before their turn. */
function hold(connection: Http1ServerConnection, bytes: Buffer, start: number): void {
  if (connection.phase === 'linger' || connection.phase === 'closed') return;
  if (!connection.held.append(bytes, start)) {
    connection.codec.refused('server', REFUSALS.bufferedBytes);
    connection.close();
    connection.fail('limit');
  } else if (connection.held.full) {
    connection.gate.close();
  }
}

/** Serves what was kept, when its turn has come. */
export function releaseHeld(connection: Http1ServerConnection): void {
  const { held } = connection;
  if (held.length > 0) {
    held.start = consume(connection, held.bytes, held.end, held.start);
    if (connection.phase === 'linger' || connection.phase === 'closed' || held.length === 0) held.clear();
  }
  if (!held.full) connection.gate.open();
  if (connection.inputEnded && held.length === 0) endOfInput(connection);
}

/** FIN from the client. Requests that are complete are still answered, if that does not take long. */
export function receiveEndFromClient(connection: Http1ServerConnection): void {
  connection.inputEnded = true;
  connection.watch.restart();
  if (connection.held.length === 0) endOfInput(connection);
}

function endOfInput(connection: Http1ServerConnection): void {
  switch (connection.phase) {
    case 'head':
      return connection.endOutput();
    case 'body':
      if (connection.discarding) return connection.endOutput();
      connection.close();
      return connection.fail('connection-closed');
    case 'tunnel':
      if (!connection.endTold) connection.stream?.receiver.onRequestData(EMPTY, true);
      connection.endTold = true;
      return;
    case 'wait':
    case 'linger':
    case 'closed':
      return;
  }
}
