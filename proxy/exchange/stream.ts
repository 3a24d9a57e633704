/**
 * The border between codecs and everything above them: one request and its response,
 * independent of the protocol version.
 *
 * A codec turns the bytes of one connection into streams. A stream has two halves:
 * the object whose methods SEND (`ServerStream`, `ClientStream`, implemented by codecs) and
 * the object whose methods RECEIVE (`RequestReceiver`, `ResponseReceiver`, implemented by the
 * exchange). Nothing here allocates per request but the stream and its head: no promises,
 * no event emitters, no closures.
 *
 * Rules that both sides keep:
 *  - Calls never re-enter: a codec never calls a receiver from inside a method that the receiver
 *    is calling on it, except where a comment says so. Failures are reported later in the same
 *    turn or through the next receive.
 *  - Body chunks are lent: they are valid only until the call returns, and who keeps one copies it.
 *  - After `end` (or trailers) in a direction nothing more comes in that direction. After a reset
 *    nothing more comes at all, and calls on the stream are ignored.
 *  - Flow control: who receives n body bytes calls `consumed(n)` on the sending object of the same
 *    side when the bytes have been passed on. A `false` from `data()` asks the caller to withhold
 *    `consumed` until `onWritable`; it may still send what it has already received.
 */

/**
 * Field lines in the order received, flat: name, value, name, value, ...
 * Names are lower-case tokens; values are latin1 without leading or trailing whitespace (RFC 9110 §5.5).
 */
export type FieldLines = string[];

/** Protocol version as two digits: HTTP/1.0, HTTP/1.1, HTTP/2. */
export type HttpVersion = 10 | 11 | 20;

/**
 * A request without anything that belongs to the connection: framing fields, `Connection` and the
 * fields it names, `Keep-Alive`, `Proxy-Connection`, `Transfer-Encoding`, `Upgrade`, `HTTP2-Settings`
 * and `TE` (other than `trailers`) are already interpreted and removed; `Host` is `authority`.
 */
export interface RequestHead {
  method: string;
  /** `http` or `https`, as the client said (absolute-form or :scheme), else the connection's own. */
  scheme: string;
  /** `Host` or `:authority`, validated as uri-host [":" port]; lower-cased; '' only for HTTP/1.0 without Host. */
  authority: string;
  /** origin-form with the query, or `*` for `OPTIONS *`, or '' for CONNECT. Raw, never normalised. */
  path: string;
  /** Requested upgrade (`websocket`; lower-case) or extended CONNECT `:protocol` (RFC 8441); '' without. */
  upgrade: string;
  version: HttpVersion;
  fields: FieldLines;
  /** Bytes of the body if declared, 0 if there is none, -1 if not known beforehand. */
  contentLength: number;
}

export interface ResponseHead {
  /** 200..599, or 101 for an accepted upgrade. Other 1xx are informational and sent separately. */
  status: number;
  fields: FieldLines;
  /** As in {@link RequestHead}; -1 with no declared length. For HEAD and 304 it is what was declared, with no body. */
  contentLength: number;
}

/**
 * Why a stream ended before its end.
 *  - `refused`: the peer cannot have processed it (REFUSED_STREAM, id above a GOAWAY's last id, closed
 *    before a byte of it was written). Always safe to retry.
 *  - `cancelled`: the peer lost interest (RST CANCEL, client closed its connection).
 *  - `connection-closed`: the connection ended with the stream open.
 *  - `connection-reset`: it was reset (TCP RST) before a byte of an answer came.
 *  - `connection-lost`: the peer is gone without a word: no answer to PING or to TCP's own probes.
 *  - `protocol-error`: the peer broke the protocol; the text is in the codec's log line and metric.
 *  - `internal-error`: RST INTERNAL_ERROR or any other code.
 *  - `limit`: one of our own limits (header bytes, header count, buffered bytes) was exceeded.
 *  - `timeout`: nothing moved for too long, or too slowly.
 */
export type ResetReason =
  | 'refused'
  | 'cancelled'
  | 'connection-closed'
  | 'connection-reset'
  | 'connection-lost'
  | 'protocol-error'
  | 'internal-error'
  | 'limit'
  | 'timeout';

/** The sending half at the side where requests come from (downstream). */
export interface ServerStream {
  /** The connection this stream came on; carries the peer's identity and addresses. */
  readonly connection: ServerConnection;
  /** Set by the handler inside `onRequest`, before it returns. */
  receiver: RequestReceiver;
  /** Sends a 1xx response other than 101. */
  informational(status: number, fields: FieldLines): void;
  /**
   * Sends the final response head. With status 101 on a request with `upgrade`, or 2xx on CONNECT, the
   * stream becomes a tunnel: `data` and `onRequestData` then carry raw bytes in both directions.
   */
  respond(head: ResponseHead, end: boolean): void;
  /** Sends body bytes (may be empty with `end`). False: pause until `onWritable`. */
  data(chunk: Buffer, end: boolean): boolean;
  /** Ends the response with trailers. */
  trailers(fields: FieldLines): void;
  /** Ends the stream abnormally: RST_STREAM in HTTP/2, connection close without a final chunk in HTTP/1.1. */
  reset(reason: ResetReason): void;
  /** Gives back credit for `bytes` of request body. */
  consumed(bytes: number): void;
}

/** The receiving half at the side where requests come from. */
export interface RequestReceiver {
  onRequestData(chunk: Buffer, end: boolean): void;
  /** Ends the request. */
  onRequestTrailers(fields: FieldLines): void;
  /** The client is gone or broke the protocol. Not called after the response was sent completely. */
  onRequestReset(reason: ResetReason): void;
  /**
   * The proxy ends, and with it the connection: answers now, or resets the stream. Nothing is heard of it afterwards. Calls
   * back into the stream.
   */
  onCutOff(): void;
  /** `data()` on the ServerStream returned false before; now there is room. */
  onWritable(): void;
  /** The last byte of the response has been handed to the operating system. */
  onResponseSent(): void;
}

/** The sending half at the side where requests go to (upstream). */
export interface ClientStream {
  data(chunk: Buffer, end: boolean): boolean;
  trailers(fields: FieldLines): void;
  reset(reason: ResetReason): void;
  /** Gives back credit for `bytes` of response body. */
  consumed(bytes: number): void;
}

/** The receiving half at the side where requests go to. */
export interface ResponseReceiver {
  onInformational(status: number, fields: FieldLines): void;
  onResponse(head: ResponseHead, end: boolean): void;
  onResponseData(chunk: Buffer, end: boolean): void;
  /** Ends the response. */
  onResponseTrailers(fields: FieldLines): void;
  /** The stream failed; `onResponse` may or may not have been called before. */
  onResponseReset(reason: ResetReason): void;
  /** `data()` on the ClientStream returned false before; now there is room. */
  onRequestWritable(): void;
}

/** A downstream connection as its streams see it. */
export interface ServerConnection {
  readonly version: HttpVersion;
  /** What the listener knows of the connection (addresses, original destination, peer identity). */
  readonly context: unknown;
  /** Streams that are open now. */
  readonly active: number;
  /**
   * Stops taking new requests without losing one: HTTP/2 two-step GOAWAY (RFC 9113 §6.8), HTTP/1.1
   * `Connection: close` on the next response or close when idle. The connection closes when its last stream ends.
   */
  drain(): void;
  /** Ends the connection because the time for its drain is over: open streams get `onCutOff`, and what they answer is sent. */
  cutOff(): void;
  /** Ends the connection at once; open streams get `onRequestReset('connection-closed')`. */
  destroy(): void;
}

/** Receives the requests of a connection. */
export interface RequestHandler {
  /** Must set `stream.receiver` before it returns. With `end` there is no body. */
  onRequest(stream: ServerStream, head: RequestHead, end: boolean): void;
}

/** An upstream connection as a pool sees it. */
export interface ClientConnection {
  readonly version: HttpVersion;
  /** Streams that are open now. */
  readonly active: number;
  /** Streams that may still be opened now (HTTP/1.1: 0 or 1; HTTP/2: by the peer's limit; 0 when draining or closed). */
  readonly capacity: number;
  /** A request with `upgrade` can be sent: always in HTTP/1.1, in HTTP/2 if the server has said so (RFC 8441 §3). */
  readonly takesUpgrade: boolean;
  /**
   * Starts a request. Call only with `capacity` > 0. Failures are reported to the receiver, later.
   * A request with `upgrade` or method CONNECT may become a tunnel, see {@link ServerStream.respond}. What is sent before
   * that is kept for it, and dropped when the tunnel is refused.
   */
  open(head: RequestHead, end: boolean, receiver: ResponseReceiver): ClientStream;
  /** Takes no new streams and closes after the last one. */
  drain(): void;
  destroy(): void;
}

/** What a pool hears from its connection. */
export interface ClientConnectionOwner {
  /** `capacity` became positive or grew, or `takesUpgrade` has its value. */
  onCapacity(connection: ClientConnection): void;
  /** No new streams may be opened (GOAWAY, `Connection: close`, `drain()`); open ones go on. */
  onDraining(connection: ClientConnection): void;
  /** The connection is gone; every stream has been told before. */
  onClosed(connection: ClientConnection, reason: ResetReason): void;
}
