import { BORROWED_BELOW, type ClientStream, type FieldLines } from './stream.ts';

/** A request body up to this many bytes can be sent again to another endpoint. */
export const REPLAY_BYTES = 65_536;

/**
 * The body of a request as far as it may be needed again: for an attempt that is not open yet, and for another after
 * it. What was received before any attempt is open is kept whatever its size, since the sender's window bounds it.
 */
export class RequestBody {
  readonly #chunks: Buffer[] = [];
  /** Bytes kept. */
  bytes = 0;
  /** Everything received so far is kept. */
  intact = true;

  /** Keeps a chunk; `sent`: an attempt has it already, so it may be given up when it is too much. */
  keep(chunk: Buffer, sent: boolean): void {
    if (!this.intact || chunk.length === 0) return;
    if (sent && this.bytes + chunk.length > REPLAY_BYTES) {
      this.drop();
      return;
    }
    this.#chunks.push(chunk.length < BORROWED_BELOW ? Buffer.from(chunk) : chunk);
    this.bytes += chunk.length;
  }

  /** Sends everything kept. False if the stream asks to pause. */
  replay(stream: ClientStream, complete: boolean, trailers: FieldLines | null): boolean {
    const chunks = this.#chunks;
    let writable = true;
    const last = complete && trailers === null ? chunks.length - 1 : -1;
    for (let i = 0; i < chunks.length; i++) writable = stream.data(chunks[i], i === last);
    if (complete && trailers !== null) stream.trailers(trailers);
    else if (complete && last === -1) stream.data(NOTHING, true);
    if (this.bytes > REPLAY_BYTES) this.drop();
    return writable;
  }

  /** The same bytes for another receiver. */
  copy(): RequestBody {
    const copy = new RequestBody();
    for (let i = 0; i < this.#chunks.length; i++) copy.#chunks.push(this.#chunks[i]);
    copy.bytes = this.bytes;
    return copy;
  }

  /** Nothing is needed again. */
  drop(): void {
    this.intact = false;
    this.bytes = 0;
    this.#chunks.length = 0;
  }
}

export const NOTHING: Buffer = Buffer.alloc(0);
