/**
 * The bytes on their way out of one connection. Codecs write frames, heads and bodies straight into one growing
 * buffer; it is handed to the socket once per turn of the event loop, so that many small messages become one write.
 * Where a turn seldom has more than one read, that is when the read has been passed on.
 */

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
  /** While nothing is pending, {@link lend} never retains what it is given. */
  readonly takesAtOnce?: boolean;
}

/** Lengths of scratch space, and how many of each are kept for reuse: 12 MiB at most. */
const SIZES = [4096, 32_768, 98_304, 262_144, 1_048_576];
const KEPT = [256, 48, 24, 12, 4];

/** After so many turns with one read each, reads are taken to come alone; every so many flushes that is looked at again. */
const LONE_TURNS = 32;
const EARLY_FLUSHES = 16;

/**
 * Flushes outputs together at the end of the current turn, and lends them the space to write into meanwhile: a connection
 * that has nothing to send holds none. One per process, passed to every connection.
 *
 * Where a turn has one read, its end is the end of that read: waiting for Node to say so costs a twelfth of the CPU of a
 * request that is alone. How many reads a turn will have cannot be known, so it is concluded from those before.
 */
export class FlushQueue {
  /** One in a turn of the event loop that sends something, or one for each read where they come alone. */
  flushes = 0;
  readonly #free: Buffer[][] = SIZES.map(() => []);
  /** Outputs that wait, linked by `nextFlush`. */
  #first: Output | null = null;
  #last: Output | null = null;
  /** Reads that are being passed on: one may bring forth another, where a stream is carried inside of another. */
  #reading = 0;
  /** They wait for the end of the turn. */
  #scheduled = false;
  /** Reads since the end of the last turn that was waited for. */
  #reads = 0;
  /** Turns in a row, of those whose end was waited for, that had one read. */
  #loneTurns = 0;
  /** Flushes since then that did not wait. */
  #earlyFlushes = 0;
  readonly #endTurn = (): void => {
    this.#scheduled = false;
    if (this.#reads > 1) this.#loneTurns = 0;
    else if (this.#loneTurns < LONE_TURNS) this.#loneTurns++;
    this.#reads = 0;
    this.#earlyFlushes = 0;
    this.#flush();
  };

  /** Bytes of a connection are about to be passed on to whom they are for; {@link endRead} follows. */
  beginRead(): void {
    this.#reads++;
    this.#reading++;
  }

  /** They have been passed on. */
  endRead(): void {
    this.#reading--;
    if (this.#reading === 0 && this.#first !== null && !this.#scheduled) this.#flush();
  }

  /** Not to be called for an output that waits already. */
  add(output: Output): void {
    if (this.#last === null) {
      this.#first = output;
      if (!this.#flushesEarly()) this.#schedule();
    } else {
      this.#last.nextFlush = output;
    }
    this.#last = output;
  }

  #flushesEarly(): boolean {
    if (this.#reading === 0 || this.#scheduled || this.#loneTurns < LONE_TURNS) return false;
    if (this.#earlyFlushes++ < EARLY_FLUSHES) return true;
    this.#reads = 1;
    return false;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#endTurn);
  }

  #flush(): void {
    this.flushes++;
    let output = this.#first;
    this.#first = this.#last = null;
    while (output !== null) {
      const next: Output | null = output.nextFlush;
      output.nextFlush = null;
      output.flush();
      output = next;
    }
  }

  /** Space for at least `size` bytes. */
  take(size: number): Buffer {
    for (let i = 0; i < SIZES.length; i++) {
      if (size <= SIZES[i]) return this.#free[i].pop() ?? Buffer.allocUnsafeSlow(SIZES[i]);
    }
    return Buffer.allocUnsafeSlow(2 * size);
  }

  /** Takes space back that nobody uses any more. */
  give(bytes: Buffer): void {
    const i = SIZES.indexOf(bytes.length);
    if (i !== -1 && this.#free[i].length < KEPT[i]) this.#free[i].push(bytes);
  }
}

/** One read and what frames it: so that alone never makes the output look full. */
const HIGH_WATER = 147_456;
/**
 * So many bytes leave before the turn ends: there is nothing to gain by waiting for more, the space they are in is still in
 * the processor's cache, and it can be used again for the next connection of the turn.
 */
const EAGER_BYTES = 65_536;
/**
 * Pieces as long as this (TLS records, frames) seldom come alone: there is room at once for two more like it, up to a limit,
 * since space that grows is copied.
 */
const LONG_BYTES = 8192;
const MAX_ROOM_BYTES = 262_144;
const NONE = Buffer.alloc(0);

export class Output {
  /** Scratch space: bytes [0, end) are waiting. Call {@link ensure} before writing into it. */
  bytes: Buffer = NONE;
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

  /** Link of the {@link FlushQueue}. */
  nextFlush: Output | null = null;

  readonly #sink: OutputSink;
  readonly #queue: FlushQueue;
  readonly highWater: number;
  /** Space that the sink still uses. */
  #retained: Buffer = NONE;
  #scheduled = false;
  #above = false;
  #closed = false;
  #finished = false;

  constructor(sink: OutputSink, queue: FlushQueue, highWater = HIGH_WATER) {
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
    if (this.end + size > this.bytes.length) this.#grow(size);
  }

  #grow(size: number): void {
    const needed = this.end + size;
    const room = size < LONG_BYTES ? 0 : Math.min(3 * size, MAX_ROOM_BYTES);
    const grown = this.#queue.take(Math.max(needed, room));
    this.bytes.copy(grown, 0, 0, this.end);
    this.#queue.give(this.bytes);
    this.bytes = grown;
  }

  /** Appends a latin1 string. */
  text(value: string): void {
    this.ensure(value.length);
    this.end += this.bytes.latin1Write(value, this.end, value.length);
  }

  /** Appends a copy of body bytes: copying costs less than memory of their own for bytes that leave within the turn. */
  chunk(value: Buffer): void {
    if (value.length >= EAGER_BYTES && this.#passOn(value)) return;
    this.ensure(value.length);
    value.copy(this.bytes, this.end);
    this.end += value.length;
    if (this.end >= EAGER_BYTES && this.pending === 0) this.#deliver();
  }

  /** Hands a long chunk over without the copy, where nothing is before it and nobody will need it later. */
  #passOn(value: Buffer): boolean {
    const sink = this.#sink;
    if (sink.takesAtOnce !== true || this.end > 0 || this.pending > 0) return false;
    if (this.#closed || this.#finished) return false;
    if (!this.#scheduled) this.#schedule();
    this.written += value.length;
    this.pending = (sink as Required<OutputSink>).lend(value);
    return true;
  }

  #schedule(): void {
    this.#scheduled = true;
    this.#queue.add(this);
  }

  /** Hands the waiting bytes to the sink. Called by the queue, outside of any method of a codec. */
  flush(): void {
    this.#scheduled = false;
    this.#deliver();
    if (!this.#closed) this.#progressed();
  }

  /**
   * Hands the waiting bytes over at once and ignores later ones, so that a transport can end the stream behind them.
   * Progress is reported at the end of the turn.
   */
  finish(): void {
    if (this.#finished || this.#closed) return;
    if (!this.#scheduled) this.#schedule();
    if (this.end > 0) this.#give();
    this.#finished = true;
  }

  #deliver(): void {
    if (this.#closed || this.#finished) {
      this.end = 0;
      return;
    }
    if (this.end === 0) return;
    if (this.#sink.lend === undefined) this.#give();
    // What would only wait inside the sink waits here, where it can still grow into one write: see taken().
    else if (this.pending === 0) this.#lend();
  }

  #lend(): void {
    const sink = this.#sink;
    const { bytes, end } = this;
    this.end = 0;
    this.written += end;
    // Before the call: space that were given back twice would be two connections' at once.
    this.bytes = NONE;
    this.pending = (sink as Required<OutputSink>).lend(bytes.subarray(0, end));
    if (sink.retained === true) this.#retained = bytes;
    else this.#queue.give(bytes);
  }

  /** The sink owns what it is given. */
  #give(): void {
    const { bytes, end } = this;
    const owned = Buffer.allocUnsafe(end);
    bytes.copy(owned, 0, 0, end);
    this.end = 0;
    this.written += end;
    this.pending = this.#sink.write(owned);
  }

  /**
   * The sink reports how many bytes it still holds, after the operating system took some. Not from inside its `write`,
   * which returns the number instead.
   */
  taken(pending: number): void {
    this.pending = pending;
    if (this.#closed) return;
    if (pending === 0) {
      this.#queue.give(this.#retained);
      this.#retained = NONE;
      this.#deliver();
    }
    this.#progressed();
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
    this.#queue.give(this.bytes);
    this.bytes = NONE;
    this.end = 0;
  }
}
