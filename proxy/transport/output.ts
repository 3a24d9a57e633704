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
  /**
   * As {@link write}, but the bytes are only lent: they are used again unless {@link retained} is true afterwards. A sink
   * without it is given bytes of its own.
   */
  lend?(bytes: Buffer): number;
  readonly retained?: boolean;
  /** Several writes follow, which may become one; {@link uncork} ends them and returns what `write` would. */
  cork?(): void;
  uncork?(): number;
}

/** Flushes outputs together at the end of the current turn. One per process, passed to every connection. */
export class FlushQueue {
  #outputs: Output[] = [];
  #spare: Output[] = [];
  /** Scratch space that no output is using, last used first. */
  readonly #scratch: Buffer[] = [];
  #scheduled = false;
  readonly #run = (): void => {
    const outputs = this.#outputs;
    this.#outputs = this.#spare;
    this.#scheduled = false;
    for (let i = 0; i < outputs.length; i++) outputs[i].flush();
    outputs.length = 0;
    this.#spare = outputs;
  };

  /** Lends scratch space, so that an idle connection holds none and busy ones use what is warm. */
  borrow(): Buffer {
    return this.#scratch.pop() ?? Buffer.allocUnsafeSlow(INITIAL_BYTES);
  }

  giveBack(scratch: Buffer): void {
    if (this.#scratch.length < KEEP_BUFFERS && scratch.length <= KEEP_BYTES) this.#scratch.push(scratch);
  }

  add(output: Output): void {
    this.#outputs.push(output);
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(this.#run);
    }
  }
}

const INITIAL_BYTES = 4096;
const NONE = Buffer.alloc(0);
/** A buffer that grew beyond this is not kept after a flush. */
const KEEP_BYTES = 65_536;
/** As many connections write in one turn without allocating. */
const KEEP_BUFFERS = 64;

export class Output {
  /** Scratch space: bytes [0, end) are waiting. Call {@link ensure} before writing into it. */
  bytes: Buffer = NONE;
  end = 0;
  /** Bytes that the sink holds and the operating system has not taken. Updated by flush and by {@link taken}. */
  pending = 0;
  /** Bytes handed to the sink since the beginning. */
  written = 0;
  /** Bytes in {@link #segments}. */
  #queued = 0;
  /** What goes out before the scratch space, in order. */
  readonly #segments: Buffer[] = [];
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
  #finished = false;

  constructor(sink: OutputSink, queue: FlushQueue, highWater = 65_536) {
    this.#sink = sink;
    this.#queue = queue;
    this.highWater = highWater;
  }

  /** Bytes accepted and not yet taken by the operating system. */
  get buffered(): number {
    return this.end + this.#queued + this.pending;
  }

  /** Position in the byte stream where the next byte goes. */
  get position(): number {
    return this.written + this.#queued + this.end;
  }

  /** Position in the byte stream up to which the operating system has taken everything. */
  get delivered(): number {
    return this.written - this.pending;
  }

  /** False when the writer should wait for {@link onDrain}. */
  get writable(): boolean {
    if (this.buffered < this.highWater) return true;
    this.#above = true;
    return false;
  }

  /** Makes room for `size` more bytes and schedules a flush; the caller writes at `end` and advances it. */
  ensure(size: number): void {
    if (!this.#scheduled) this.#schedule();
    if (this.end + size > this.bytes.length) this.#grow(size);
  }

  #grow(size: number): void {
    if (this.bytes === NONE) this.bytes = this.#queue.borrow();
    if (this.end + size <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.end + size));
    this.bytes.copy(grown, 0, 0, this.end);
    this.#queue.giveBack(this.bytes);
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
    if (!this.#scheduled) this.#schedule();
    if (this.#closed || this.#finished) return;
    if (this.end > 0) this.#enqueue(this.#takeScratch());
    this.#enqueue(value);
  }

  #enqueue(bytes: Buffer): void {
    this.#segments.push(bytes);
    this.#queued += bytes.length;
  }

  #schedule(): void {
    this.#scheduled = true;
    this.#queue.add(this);
  }

  /** Hands the waiting bytes to the sink. Called by the queue once per turn. */
  flush(): void {
    this.#scheduled = false;
    this.#deliver();
    if (!this.#closed) this.#progressed();
    if (this.end === 0) this.#release();
  }

  #release(): void {
    if (this.bytes === NONE) return;
    this.#queue.giveBack(this.bytes);
    this.bytes = NONE;
  }

  /**
   * Hands the waiting bytes over at once and ignores later ones, so that a transport can end the stream behind them.
   * Progress is reported at the end of the turn.
   */
  finish(): void {
    if (this.#finished || this.#closed) return;
    if (!this.#scheduled) this.#schedule();
    this.#deliver();
    this.#finished = true;
  }

  #deliver(): void {
    if (this.#closed || this.#finished) {
      this.end = 0;
      return;
    }
    if (this.#segments.length > 0) this.#deliverSegments();
    else if (this.end > 0) this.#deliverScratch();
  }

  #deliverScratch(): void {
    const sink = this.#sink;
    const { bytes, end } = this;
    this.written += end;
    if (sink.lend === undefined || bytes.length > KEEP_BYTES) {
      this.pending = sink.write(this.#takeScratch());
      return;
    }
    this.end = 0;
    this.pending = sink.lend(bytes.subarray(0, end));
    if (sink.retained === true) this.bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  }

  #deliverSegments(): void {
    const sink = this.#sink;
    const segments = this.#segments;
    if (this.end > 0) this.#enqueue(this.#takeScratch());
    sink.cork?.();
    for (let i = 0; i < segments.length; i++) this.pending = sink.write(segments[i]);
    this.written += this.#queued;
    this.#queued = 0;
    segments.length = 0;
    if (sink.uncork !== undefined) this.pending = sink.uncork();
  }

  /**
   * The sink owns what it is given until the kernel has taken it, so the scratch space is copied out when small (a pooled
   * slab, cheap) and given away when large.
   */
  #takeScratch(): Buffer {
    const { bytes, end } = this;
    this.end = 0;
    if (end * 2 <= bytes.length && bytes.length <= KEEP_BYTES) {
      const copy = Buffer.allocUnsafe(end);
      bytes.copy(copy, 0, 0, end);
      return copy;
    }
    this.bytes = NONE;
    return bytes.subarray(0, end);
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
    this.bytes = NONE;
    this.end = 0;
    this.#segments.length = 0;
    this.#queued = 0;
  }
}
