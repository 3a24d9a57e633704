/** The client's end of an HTTP/2 connection: requests go out. */
import type {
  ClientConnection,
  ClientConnectionOwner,
  RequestHead,
  ResetReason,
  ResponseReceiver,
} from '../exchange/stream.ts';
import type { TransportUser } from '../transport/transport.ts';
import { Http2ClientStream } from './client-stream.ts';
import { PROTOCOL_ERROR } from './error-code.ts';
import { CLIENT_PREFACE, MAX_31 } from './frame.ts';
import type { HeaderBlock } from './header-block.ts';
import { type Http2ConnectionOptions, Multiplexer, type Side } from './multiplexer.ts';
import { headerListBytes, writeRequest } from './request-head.ts';
import { clientSettings } from './settings.ts';

export interface Http2ClientOptions extends Http2ConnectionOptions {
  readonly owner: ClientConnectionOwner;
}

export class Http2ClientConnection implements ClientConnection, TransportUser, Side {
  readonly version = 20;
  /** We open no stream that the server could name in GOAWAY. */
  readonly lastPeerStream = 0;
  readonly #mux: Multiplexer;
  readonly #owner: ClientConnectionOwner;
  #nextStream = 1;
  #draining = false;
  #toldDraining = false;
  #toldCapacity: number;
  /** Streams that could not be opened: told later in the turn. */
  #refused: Http2ClientStream[] = [];
  #settling = false;
  readonly #settle = (): void => this.#report();

  /** Writes the preface and our SETTINGS at once. Requests may be opened without waiting for the server's. */
  constructor(options: Http2ClientOptions) {
    this.#owner = options.owner;
    this.#mux = new Multiplexer(options, this);
    this.#mux.output.ensure(CLIENT_PREFACE.length);
    this.#mux.output.chunk(CLIENT_PREFACE);
    this.#mux.start(clientSettings(options.limits));
    this.#toldCapacity = this.capacity;
  }

  get active(): number {
    return this.#mux.streams.size;
  }

  get capacity(): number {
    if (this.#draining || !this.#mux.live) return 0;
    return Math.max(0, this.#mux.peer.maxConcurrentStreams - this.#mux.streams.size);
  }

  /** The server has said that it takes extended CONNECT (RFC 8441): `open` with `upgrade` works. */
  get takesUpgrade(): boolean {
    return this.#mux.peer.extendedConnect;
  }

  /** The server's SETTINGS are there: over TLS 1.3 the first sign that it has accepted our certificate. */
  get established(): boolean {
    return this.#mux.state === 'open';
  }

  /**
   * A request that the server has announced not to take (an upgrade without extended CONNECT, a header list above
   * its limit) is not sent: it is reset with `refused` or `limit`, and the connection stays as it is.
   */
  open(head: RequestHead, end: boolean, receiver: ResponseReceiver): Http2ClientStream {
    const mux = this.#mux;
    const upgrade = head.upgrade !== '';
    const stream = new Http2ClientStream(
      mux,
      this.#nextStream,
      receiver,
      upgrade ? 'CONNECT' : head.method,
      upgrade,
    );
    if (this.capacity === 0 || (upgrade && !mux.peer.extendedConnect)) return this.#refuse(stream, 'refused');
    if (mux.peer.maxHeaderListBytes !== Infinity && headerListBytes(head) > mux.peer.maxHeaderListBytes) {
      return this.#refuse(stream, 'limit');
    }
    this.#nextStream += 2;
    mux.streams.add(stream);
    mux.data.opened(mux.streams.size);
    writeRequest(mux.writer, mux.encoder, stream.id, head, end);
    if (end) stream.state = 'half-closed-local';
    this.#toldCapacity = this.capacity;
    if (this.#nextStream > MAX_31) this.drain();
    return stream;
  }

  drain(): void {
    if (this.#draining || !this.#mux.live) return;
    this.#draining = true;
    this.#settleLater();
    if (this.active === 0) this.#mux.finish();
  }

  destroy(): void {
    this.#mux.destroy();
  }

  /** Bytes from the transport, under the rules of its `receive`. */
  receive(bytes: Buffer): void {
    this.#mux.receive(bytes, 0);
  }

  receiveEnd(): void {
    this.#mux.receiveEnd('connection-closed');
  }

  closed(reason: ResetReason): void {
    this.#mux.closed(reason);
  }

  /** Decides timeouts; to be called about once a second with the time of the clock that the options gave. */
  tick(nowMs: number): void {
    this.#mux.tick(nowMs);
  }

  #refuse(stream: Http2ClientStream, reason: ResetReason): Http2ClientStream {
    stream.state = 'closed';
    stream.refusal = reason;
    this.#refused.push(stream);
    this.#settleLater();
    return stream;
  }

  /** What the owner and receivers are told outside of the call that caused it. */
  #settleLater(): void {
    if (this.#settling) return;
    this.#settling = true;
    queueMicrotask(this.#settle);
  }

  #report(): void {
    this.#settling = false;
    const refused = this.#refused;
    this.#refused = [];
    for (const stream of refused) stream.receiver.onResponseReset(stream.refusal);
    if (this.#draining && !this.#toldDraining) {
      this.#toldDraining = true;
      this.#owner.onDraining(this);
    }
    if (this.capacity > this.#toldCapacity) {
      this.#toldCapacity = this.capacity;
      this.#owner.onCapacity(this);
    }
  }

  isIdle(streamId: number): boolean {
    return (streamId & 1) === 0 || streamId >= this.#nextStream;
  }

  onHeaderBlock(streamId: number, endStream: boolean, block: HeaderBlock): void {
    const stream = this.#mux.streams.get(streamId);
    if (stream !== null) (stream as Http2ClientStream).onHeaderBlock(block, endStream);
    else if (this.isIdle(streamId)) this.#mux.fail(PROTOCOL_ERROR, `HEADERS on idle stream ${streamId}`);
    // Otherwise the answer to a request that we have cancelled.
  }

  /** The pool hears of capacity when it had none, so that it need not be told at every response. */
  onStreamClosed(): void {
    if (this.#mux.resets >= this.#mux.limits.maxOwnResets) this.drain();
    if (this.#draining) {
      if (this.active === 0) this.#mux.finish();
    } else if (this.#toldCapacity === 0 && this.capacity > 0) {
      this.#settleLater();
    }
  }

  onSettings(first: boolean): void {
    // With the first ones `takesUpgrade` has its value, which the pool may be waiting for.
    if (first) this.#toldCapacity = 0;
    if (this.capacity > this.#toldCapacity) this.#settleLater();
    else this.#toldCapacity = this.capacity;
  }

  onGoaway(lastStreamId: number): void {
    const refused: Http2ClientStream[] = [];
    for (const stream of this.#mux.streams.all()) {
      if (stream.id > lastStreamId) refused.push(stream as Http2ClientStream);
    }
    this.#draining = true;
    this.#settleLater();
    for (const stream of refused) {
      this.#mux.close(stream);
      (stream as Http2ClientStream).deliverReset('refused');
    }
    if (this.active === 0) this.#mux.finish();
  }

  onDrainAnswer(): void {}

  onClosing(): void {
    this.#draining = true;
    this.#settleLater();
  }

  onTick(): void {}

  onClosed(reason: ResetReason): void {
    this.#toldDraining = true;
    this.#owner.onClosed(this, reason);
  }
}
