import type {
  ClientStream,
  FieldLines,
  RequestHead,
  ResetReason,
  ResponseReceiver,
} from '../exchange/stream.ts';
import type { Output } from '../transport/output.ts';
import type { Http1ClientConnection } from './client-connection.ts';
import { writeChunk, writeHead } from './head-writer.ts';

/**
 * Where the request is:
 *
 *     fixed, chunked (RFC 9112 §6.3) ── its end ──→ ended; without a body from the start
 *     asking ── 101, 2xx of CONNECT ──→ tunnel ── our half of it ends ──→ ended
 *     asking ── any other final response ──→ ended
 *     fixed ── more or less than its Content-Length ──→ aborted: the connection is being closed
 *
 * asking: bytes for the tunnel are kept, because the peer may refuse it (RFC 9110 §9.3.6).
 */
type RequestState = 'fixed' | 'chunked' | 'asking' | 'tunnel' | 'ended' | 'aborted';

/** Methods whose request without a body says so, since servers expect one (RFC 9110 §8.6). */
function expectsBody(method: string): boolean {
  return method === 'POST' || method === 'PUT' || method === 'PATCH';
}

/** One request to an upstream, with the receiver of its response. */
export class Http1ClientStream implements ClientStream {
  readonly receiver: ResponseReceiver;
  readonly isHead: boolean;
  readonly isConnect: boolean;
  /** The protocol asked for in an Upgrade field, '' without. */
  readonly upgrade: string;
  /** The receiver hears nothing more, and calls on the stream are ignored. */
  dead = false;
  /** The response is complete. */
  answered = false;
  /** Position in the output before the first byte of the request. */
  readonly start: number;
  readonly #connection: Http1ClientConnection;
  readonly #output: Output;
  #state: RequestState = 'ended';
  #remaining = 0;
  #early: Buffer[] | null = null;
  #earlyEnd = false;

  /** Writes the head. */
  constructor(
    connection: Http1ClientConnection,
    output: Output,
    head: RequestHead,
    end: boolean,
    receiver: ResponseReceiver,
  ) {
    this.receiver = receiver;
    this.isHead = head.method === 'HEAD';
    this.isConnect = head.method === 'CONNECT';
    this.upgrade = head.upgrade;
    this.start = output.position;
    this.#connection = connection;
    this.#output = output;
    if (this.isConnect || head.upgrade !== '') this.#state = 'asking';
    else if (!end) this.#startBody(head.contentLength);
    this.#writeHead(head);
  }

  #startBody(contentLength: number): void {
    this.#state = contentLength >= 0 ? 'fixed' : 'chunked';
    this.#remaining = contentLength;
  }

  #writeHead(head: RequestHead): void {
    const { method, fields } = head;
    // TE is hop-by-hop, so Connection has to name it (RFC 9110 §10.1.4).
    let connection = hasTe(fields) ? 'te' : '';
    let last = '';
    if (this.#state === 'fixed') last = `content-length: ${this.#remaining}\r\n`;
    else if (this.#state === 'chunked') last = 'transfer-encoding: chunked\r\n';
    else if (this.#state === 'ended' && expectsBody(method)) last = 'content-length: 0\r\n';
    if (head.upgrade !== '') {
      last = `upgrade: ${head.upgrade}\r\n`;
      connection = connection === '' ? 'upgrade' : 'te, upgrade';
    }
    if (connection !== '') last += `connection: ${connection}\r\n`;
    const target = this.isConnect ? head.authority : head.path;
    const start = `${method} ${target} HTTP/1.1\r\nhost: ${head.authority}\r\n`;
    writeHead(this.#output, start, fields, `${last}\r\n`);
  }

  /** The request is written completely, or needs no more. */
  get ended(): boolean {
    return this.#state === 'ended';
  }

  /** The receiver does not know the end yet: a tunnel lasts until both directions have ended. */
  get awaited(): boolean {
    return !this.answered || this.#state === 'tunnel';
  }

  get asksTunnel(): boolean {
    return this.isConnect || this.upgrade !== '';
  }

  data(chunk: Buffer, end: boolean): boolean {
    if (this.dead || this.#state === 'ended') return true;
    if (this.#state === 'asking') return this.#keepEarly(chunk, end);
    if (chunk.length > 0) {
      if (this.#state === 'chunked') writeChunk(this.#output, chunk);
      else if (this.#state === 'fixed') this.#fixed(chunk);
      else if (this.#state === 'tunnel') this.#output.chunk(chunk);
    }
    if (end) {
      if (this.#state === 'chunked') this.#output.text('0\r\n\r\n');
      this.#finish();
    }
    return this.#output.writable;
  }

  #fixed(chunk: Buffer): void {
    this.#remaining -= chunk.length;
    // More than declared would be read as the next request.
    if (this.#remaining < 0) this.#abort();
    else this.#output.chunk(chunk);
  }

  #abort(): void {
    this.#state = 'aborted';
    this.#connection.abort();
  }

  /** The sender's window bounds what is kept: its bytes are not consumed until the tunnel is there. */
  #keepEarly(chunk: Buffer, end: boolean): boolean {
    if (chunk.length > 0) (this.#early ??= []).push(Buffer.from(chunk));
    if (end) this.#earlyEnd = true;
    return false;
  }

  /** The peer has accepted the tunnel. */
  tunnelOpened(): void {
    this.#state = 'tunnel';
    const early = this.#early;
    this.#early = null;
    if (early !== null) for (let i = 0; i < early.length; i++) this.#output.chunk(early[i]);
    if (this.#earlyEnd) this.#finish();
  }

  /** The peer has answered without a tunnel: the request, which has no body, is complete. */
  tunnelRefused(): void {
    this.#state = 'ended';
    this.#early = null;
  }

  /** Without the chunked coding there is no place for trailers; they are dropped (RFC 9110 §6.5.1). */
  trailers(fields: FieldLines): void {
    if (this.dead || this.#state === 'ended') return;
    if (this.#state === 'chunked') writeHead(this.#output, '0\r\n', fields, '\r\n');
    this.#finish();
  }

  #finish(): void {
    if (this.#state === 'aborted') return;
    // Less than declared: the peer would take the next request for the rest.
    if (this.#state === 'fixed' && this.#remaining !== 0) return this.#abort();
    const wasTunnel = this.#state === 'tunnel';
    this.#state = 'ended';
    if (wasTunnel) this.#connection.tunnelHalfEnded();
    else this.#connection.requestEnded(this);
  }

  /** Closes the connection, unless the exchange is complete in both directions. */
  reset(_reason: ResetReason): void {
    if (this.dead) return;
    this.dead = true;
    this.#connection.streamReset(this);
  }

  consumed(bytes: number): void {
    if (!this.dead) this.#connection.consumed(bytes);
  }
}

function hasTe(fields: FieldLines): boolean {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === 'te') return true;
  return false;
}
