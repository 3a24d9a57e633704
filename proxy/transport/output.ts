/**
 * The bytes on their way out of one connection. Codecs write frames and heads straight into one growing
 * buffer; it is handed to the socket once per turn of the event loop, so that many small messages
 * become one write. Large body chunks are passed on by reference.
 */
import { BORROWED_BELOW } from '../exchange/stream.ts';

/** Where an {@link Output} delivers to: a socket, or an array in tests. */
export interface OutputSink {
  /**
   * Takes ownership of `bytes`. Returns how many bytes the sink holds that the operating system has not taken yet.
   */
  write(bytes: Buffer): number;
}

/** Flushes outputs together at the end of the current turn. One per process, passed to every connection. */
export class FlushQueue {
  #outputs: Output[] = [];
  #spare: Output[] = [];
  #scheduled = false;
  readonly #run = (): void => {
    const outputs = this.#outputs;
    this.#outputs = this.#spare;
    this.#scheduled = false;
    for (let i = 0; i < outputs.length; i++) outputs[i].flush();
    outputs.length = 0;
    this.#spare = outputs;
  };

  add(output: Output): void {
    this.#outputs.push(output);
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(this.#run);
    }
  }
}

const INITIAL_BYTES = 4096;
/** A buffer that grew beyond this is not kept after a flush. */
const KEEP_BYTES = 65_536;

export class Output {
  /** Scratch space: bytes [0, end) are waiting. Call {@link ensure} before writing into it. */
  bytes: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  end = 0;
  /** Bytes that the sink holds and the operating system has not taken. Updated by flush and by {@link taken}. */
  pending = 0;
  /** Bytes handed to the sink since the beginning. */
  written = 0;
  /** Called when `buffered` has fallen below half of `highWater` after {@link writable} was false. */
  onDrain: (() => void) | null = null;
  /**
   * Called after every flush and every {@link taken}, when {@link delivered} may have advanced. Never from inside a
   * method that a codec writes with, so the codec may call receivers from it.
   */
  onProgress: (() => void) | null = null;

  readonly #sink: OutputSink;
  readonly #queue: FlushQueue;
  readonly highWater: number;
  #scheduled = false;
  #above = false;
  #closed = false;

  constructor(sink: OutputSink, queue: FlushQueue, highWater = 65_536) {
    this.#sink = sink;
    this.#queue = queue;
    this.highWater = highWater;
  }

  /** Bytes accepted and not yet taken by the operating system. */
  get buffered(): number {
    return this.end + this.pending;
  }

  /** Position in the byte stream where the next byte goes. */
  get position(): number {
    return this.written + this.end;
  }

  /** Position in the byte stream up to which the operating system has taken everything. */
  get delivered(): number {
    return this.written - this.pending;
  }

  /** False when the writer should wait for {@link onDrain}. */
  get writable(): boolean {
    if (this.end + this.pending < this.highWater) return true;
    this.#above = true;
    return false;
  }

  /** Makes room for `size` more bytes and schedules a flush; the caller writes at `end` and advances it. */
  ensure(size: number): void {
    if (!this.#scheduled) this.#schedule();
    if (this.end + size <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.end + size));
    this.bytes.copy(grown, 0, 0, this.end);
    this.bytes = grown;
  }

  /** Appends a latin1 string. */
  text(value: string): void {
    this.ensure(value.length);
    this.end += this.bytes.latin1Write(value, this.end, value.length);
  }

  /** Appends body bytes: short ones are copied, long ones are handed to the sink as they are. */
  chunk(value: Buffer): void {
    if (value.length < BORROWED_BELOW) {
      this.ensure(value.length);
      value.copy(this.bytes, this.end);
      this.end += value.length;
      return;
    }
    this.handOver();
    if (this.#closed) return;
    // The flush has nothing left to write, but reports progress when the caller has returned.
    if (!this.#scheduled) this.#schedule();
    this.written += value.length;
    this.pending = this.#sink.write(value);
  }

  #schedule(): void {
    this.#scheduled = true;
    this.#queue.add(this);
  }

  /** Hands the waiting bytes to the sink. Called by the queue once per turn. */
  flush(): void {
    this.#scheduled = false;
    this.handOver();
    if (!this.#closed) this.#progressed();
  }

  /** Hands the waiting bytes to the sink without any callback; the scheduled flush reports the progress later. */
  handOver(): void {
    if (this.end === 0 || this.#closed) {
      this.end = 0;
      return;
    }
    // The sink owns what it is given until the kernel has taken it, so the scratch buffer is copied out when
    // small (a pooled slab, cheap) and given away when large.
    let bytes: Buffer;
    if (this.end * 2 <= this.bytes.length && this.bytes.length <= KEEP_BYTES) {
      bytes = Buffer.allocUnsafe(this.end);
      this.bytes.copy(bytes, 0, 0, this.end);
    } else {
      bytes = this.bytes.subarray(0, this.end);
      this.bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
    }
    this.end = 0;
    this.written += bytes.length;
    this.pending = this.#sink.write(bytes);
  }

  /**
   * The sink reports how many bytes it still holds, after the operating system took some. Not from inside its `write`,
   * which returns the number instead.
   */
  taken(pending: number): void {
    this.pending = pending;
    if (!this.#closed) this.#progressed();
  }

  #progressed(): void {
    if (this.#above && this.buffered * 2 < this.highWater) {
      this.#above = false;
      this.onDrain?.();
    }
    this.onProgress?.();
  }

  /** Drops what waits; later writes are ignored. */
  close(): void {
    this.#closed = true;
    this.end = 0;
  }
}
