import { NOTHING } from '../exchange/request-body.ts';
import type { FieldLines, RequestReceiver, ResetReason, ServerStream } from '../exchange/stream.ts';
import { type FlushQueue, Output, type OutputSink } from '../transport/output.ts';
import type { Transport, TransportUser } from '../transport/transport.ts';

/**
 * The inside of a CONNECT tunnel as a connection of its own: what the client sends through the tunnel is served as if it
 * had arrived on a socket.
 */
export class StreamTransport implements Transport, OutputSink, RequestReceiver {
  readonly output: Output;
  user: TransportUser;
  readonly #stream: ServerStream;
  #state: 'open' | 'ending' | 'closed' = 'open';
  #peerEnded = false;
  #paused = true;
  /** Received while paused: credit that is withheld. */
  #uncredited = 0;
  /** Bytes that the stream took although it had asked to pause. */
  #held = 0;

  /** The stream must have been answered with 2xx. */
  constructor(stream: ServerStream, queue: FlushQueue, user: TransportUser) {
    this.#stream = stream;
    this.user = user;
    this.output = new Output(this, queue);
    stream.receiver = this;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    const bytes = this.#uncredited;
    this.#uncredited = 0;
    if (bytes > 0) this.#stream.consumed(bytes);
  }

  end(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    this.output.finish();
    this.#stream.data(NOTHING, true);
    if (this.#peerEnded) this.#close('connection-closed');
  }

  destroy(): void {
    if (this.#state === 'closed') return;
    this.#stream.reset('connection-closed');
    this.#close('connection-closed');
  }

  write(bytes: Buffer): number {
    if (this.#state === 'closed') return 0;
    if (!this.#stream.data(bytes, false) || this.#held > 0) this.#held += bytes.length;
    return this.#held;
  }

  onRequestData(chunk: Buffer, end: boolean): void {
    if (this.#state === 'closed') return;
    if (chunk.length > 0) {
      if (this.#paused) this.#uncredited += chunk.length;
      else this.#stream.consumed(chunk.length);
      this.user.receive(chunk);
    }
    if (end) this.#ended();
  }

  /** A tunnel has no trailers; they end it like its last byte. */
  onRequestTrailers(_lines: FieldLines): void {
    this.#ended();
  }

  #ended(): void {
    this.#peerEnded = true;
    this.user.receiveEnd();
    if (this.#state === 'ending') this.#close('connection-closed');
  }

  onRequestReset(reason: ResetReason): void {
    this.#close(reason);
  }

  /** The connection inside is cut off by itself. */
  onCutOff(): void {
    this.#stream.reset('timeout');
    this.#close('connection-closed');
  }

  onWritable(): void {
    this.#held = 0;
    if (this.#state !== 'closed') this.output.taken(0);
  }

  onResponseSent(): void {}

  /** Told later, since it may follow from a call of the user. */
  #close(reason: ResetReason): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.output.close();
    queueMicrotask(() => this.user.closed(reason));
  }
}
