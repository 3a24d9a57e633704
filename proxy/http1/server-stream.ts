import type {
  FieldLines,
  HttpVersion,
  RequestReceiver,
  ResetReason,
  ResponseHead,
  ServerStream,
} from '../exchange/stream.ts';
import type { Output } from '../transport/output.ts';
import { statusLine, writeChunk, writeHead } from './head-writer.ts';
import type { Http1ServerConnection } from './server-connection.ts';

/**
 * Where the response is:
 *
 *     waiting ── respond(), framed by RFC 9112 §6.3 ──→ fixed, chunked, until-close, bodiless ── its end ──→ ended
 *     waiting ── 101, 2xx of CONNECT ──→ tunnel ── our half of it ends ──→ ended
 *     fixed ── more or less than its Content-Length ──→ aborted: the connection is being closed
 *
 * fixed: the body has a declared length. until-close: it ends with the connection (HTTP/1.0 clients, length unknown).
 * bodiless: HEAD, 204, 304: body bytes of the sender are dropped.
 */
type ResponseState =
  | 'waiting'
  | 'fixed'
  | 'chunked'
  | 'until-close'
  | 'bodiless'
  | 'tunnel'
  | 'ended'
  | 'aborted';

/** Receives for a stream whose handler broke its contract and set no receiver. */
const NOBODY: RequestReceiver = {
  onRequestData() {},
  onRequestTrailers() {},
  onRequestReset() {},
  onCutOff() {},
  onWritable() {},
  onResponseSent() {},
};

/** One request on an HTTP/1.1 connection, with the writing half of its response. */
export class Http1ServerStream implements ServerStream {
  readonly connection: Http1ServerConnection;
  receiver: RequestReceiver = NOBODY;
  readonly isConnect: boolean;
  /** The protocol asked for in an Upgrade field, '' without. */
  readonly upgrade: string;
  /** The client waits for 100-continue before it sends the body. */
  awaitsContinue: boolean;
  /** The connection goes on after this response. */
  keepAlive: boolean;
  isTunnel = false;
  /** Position in the output after the last byte of the response; meaningful when {@link ended}. */
  mark = 0;
  /** The receiver has been told that the response is sent. */
  sent = false;
  /** The receiver hears nothing more, and calls on the stream are ignored. */
  dead = false;
  readonly #output: Output;
  readonly #version: HttpVersion;
  readonly #isHead: boolean;
  #state: ResponseState = 'waiting';
  #remaining = 0;

  constructor(
    connection: Http1ServerConnection,
    output: Output,
    method: string,
    version: HttpVersion,
    upgrade: string,
    awaitsContinue: boolean,
    keepAlive: boolean,
  ) {
    this.connection = connection;
    this.isConnect = method === 'CONNECT';
    this.upgrade = upgrade;
    this.awaitsContinue = awaitsContinue;
    this.keepAlive = keepAlive;
    this.#output = output;
    this.#version = version;
    this.#isHead = method === 'HEAD';
  }

  /** No byte of a final response has been written. */
  get waiting(): boolean {
    return this.#state === 'waiting';
  }

  /** The response, or this side's half of the tunnel, is written completely. */
  get ended(): boolean {
    return this.#state === 'ended';
  }

  /** The client can see from the bytes themselves that the response is cut off. */
  get showsTruncation(): boolean {
    return this.#state === 'fixed' || this.#state === 'chunked' || this.#state === 'bodiless';
  }

  get asksTunnel(): boolean {
    return this.isConnect || this.upgrade !== '';
  }

  /** Ignored for HTTP/1.0 clients, which do not know 1xx (RFC 9110 §15.2). */
  informational(status: number, fields: FieldLines): void {
    if (this.dead || this.#state !== 'waiting' || this.#version === 10) return;
    if (status === 100) this.awaitsContinue = false;
    writeHead(this.#output, statusLine(status), fields, '\r\n');
  }

  respond(head: ResponseHead, end: boolean): void {
    if (this.dead || this.#state !== 'waiting') return;
    if (this.#opensTunnel(head.status)) return this.#openTunnel(head, end);
    if (head.status < 200) return this.reset('internal-error');
    this.keepAlive = this.connection.staysOpenAfter(this, end);
    const state = this.#framing(head, end);
    this.#state = state;
    if (state === 'until-close') this.keepAlive = false;
    let last = '';
    if (state === 'fixed') last = `content-length: ${this.#remaining}\r\n`;
    else if (state === 'bodiless' && head.contentLength >= 0 && head.status !== 204) {
      last = `content-length: ${head.contentLength}\r\n`;
    } else if (state === 'chunked') last = 'transfer-encoding: chunked\r\n';
    if (!this.keepAlive) last += 'connection: close\r\n';
    else if (this.#version === 10) last += 'connection: keep-alive\r\n';
    writeHead(this.#output, statusLine(head.status), head.fields, `${last}\r\n`);
    if (end) this.#finish();
  }

  #opensTunnel(status: number): boolean {
    return this.isConnect ? status >= 200 && status < 300 : status === 101 && this.upgrade !== '';
  }

  #openTunnel(head: ResponseHead, end: boolean): void {
    this.#state = 'tunnel';
    this.isTunnel = true;
    this.keepAlive = false;
    const last = this.isConnect ? '\r\n' : `connection: upgrade\r\nupgrade: ${this.upgrade}\r\n\r\n`;
    writeHead(this.#output, statusLine(head.status), head.fields, last);
    this.connection.tunnelOpened();
    if (end) this.#finish();
  }

  /** RFC 9112 §6.3. */
  #framing(head: ResponseHead, end: boolean): ResponseState {
    if (this.#isHead || head.status === 304 || head.status === 204) return 'bodiless';
    if (head.contentLength >= 0 || end) {
      this.#remaining = Math.max(head.contentLength, 0);
      return 'fixed';
    }
    return this.#version === 10 ? 'until-close' : 'chunked';
  }

  data(chunk: Buffer, end: boolean): boolean {
    if (this.dead || this.#state === 'waiting' || this.#state === 'ended') return true;
    if (chunk.length > 0) {
      if (this.#state === 'chunked') writeChunk(this.#output, chunk);
      else if (this.#state === 'fixed') this.#fixed(chunk);
      else if (this.#state === 'until-close' || this.#state === 'tunnel') this.#output.chunk(chunk);
    }
    if (end) {
      if (this.#state === 'chunked') this.#output.text('0\r\n\r\n');
      this.#finish();
    }
    return this.#output.writable;
  }

  #fixed(chunk: Buffer): void {
    this.#remaining -= chunk.length;
    // More than declared would be read as the next response.
    if (this.#remaining < 0) this.#abort();
    else this.#output.chunk(chunk);
  }

  #abort(): void {
    this.connection.truncate(this);
    this.#state = 'aborted';
  }

  /** Without the chunked coding there is no place for trailers; they are dropped (RFC 9110 §6.5.1). */
  trailers(fields: FieldLines): void {
    if (this.dead || this.#state === 'waiting' || this.#state === 'ended') return;
    if (this.#state === 'chunked') writeHead(this.#output, '0\r\n', fields, '\r\n');
    this.#finish();
  }

  #finish(): void {
    if (this.#state === 'aborted') return;
    // Less than declared: the client would take the next response for the rest.
    if (this.#state === 'fixed' && this.#remaining !== 0) return this.#abort();
    const wasTunnel = this.#state === 'tunnel';
    this.#state = 'ended';
    this.mark = this.#output.position;
    if (wasTunnel) this.connection.tunnelHalfEnded();
    else this.connection.responseEnded(this);
  }

  /** Closes the connection, unless the response is complete: then the receiver only hears no more. */
  reset(_reason: ResetReason): void {
    if (this.dead) return;
    this.dead = true;
    if (this.#state !== 'ended' || this.asksTunnel) this.connection.streamReset(this);
  }

  consumed(bytes: number): void {
    if (!this.dead) this.connection.consumed(bytes);
  }
}
