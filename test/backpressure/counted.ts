/**
 * Content in which every byte has its place: blocks of 64 KiB, each with its number first and the same random bytes behind
 * it. Whoever receives it compares each byte with what belongs there, which finds anything lost, repeated, moved or changed,
 * and says where.
 */
import { randomBytes } from 'node:crypto';
import { Readable, Writable } from 'node:stream';

export const BLOCK_BYTES = 65_536;
const NUMBER_BYTES = 8;
const TEMPLATE = randomBytes(BLOCK_BYTES);

function block(number: number): Buffer {
  const bytes = Buffer.from(TEMPLATE);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes;
}

/** Offers content without end, as fast as it is taken. */
export class CountedSource extends Readable {
  /** Bytes that somebody has asked for. */
  offered = 0;
  #ended = false;

  constructor() {
    super({ highWaterMark: BLOCK_BYTES });
  }

  /** What has been offered is all. */
  finish(): void {
    this.#ended = true;
  }

  override _read(): void {
    if (this.#ended) {
      this.push(null);
      return;
    }
    const bytes = block(this.offered / BLOCK_BYTES);
    this.offered += BLOCK_BYTES;
    this.push(bytes);
  }
}

/**
 * Takes counted content as fast as it comes, up to where it is told to stop. Destroys itself with an error at the first byte
 * that is not right.
 */
export class CountedSink extends Writable {
  /** Bytes received that were all right. */
  received = 0;
  readonly #number = Buffer.alloc(NUMBER_BYTES);
  /** Takes nothing more after this many bytes. */
  #until = 0;
  #waiting: (() => void) | null = null;

  /** Takes nothing before {@link go}. */
  constructor() {
    super({ highWaterMark: BLOCK_BYTES });
  }

  /** Takes what comes, until it has received so many bytes: then it emits `stopped`. */
  go(until = Number.POSITIVE_INFINITY): void {
    this.#until = until;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    if (this.received >= this.#until) {
      this.#waiting = () => this._write(chunk, _encoding, done);
      this.emit('stopped');
      return;
    }
    const wrong = this.#check(chunk);
    if (wrong === -1) done();
    else done(new Error(`byte ${this.received + wrong} is not the one that was sent there`));
  }

  /** Index of the first byte that is not right, -1 if all are. */
  #check(chunk: Buffer): number {
    let at = 0;
    while (at < chunk.length) {
      const offset = this.received + at;
      const within = offset % BLOCK_BYTES;
      this.#number.writeBigUInt64BE(BigInt(Math.floor(offset / BLOCK_BYTES)));
      const expected = within < NUMBER_BYTES ? this.#number : TEMPLATE;
      const length = Math.min(expected.length - within, chunk.length - at);
      if (chunk.compare(expected, within, within + length, at, at + length) !== 0) return at;
      at += length;
    }
    this.received += at;
    return -1;
  }
}
