import { FlushQueue, Output } from '../../transport/output.ts';
import type { Transport } from '../../transport/transport.ts';

/** A flush queue whose turns the test takes. */
class ManualFlushQueue extends FlushQueue {
  #waiting: Output[] = [];

  override add(output: Output): void {
    this.#waiting.push(output);
  }

  /** Flushes until nothing asks for it any more. */
  turn(): void {
    while (this.#waiting.length > 0) {
      const outputs = this.#waiting;
      this.#waiting = [];
      for (const output of outputs) output.flush();
    }
  }
}

/** A transport over an array: what a codec writes and does can be read. */
export class RecordingTransport implements Transport {
  readonly output: Output;
  paused = false;
  ended = false;
  destroyed = false;
  /** What was sent has crossed the peer's FIN. */
  crossed = false;
  /** Bytes that the "operating system" does not take until {@link take}. */
  blocked = false;
  #written: Buffer[] = [];
  #untaken = 0;
  readonly #queue = new ManualFlushQueue();

  constructor(highWater?: number) {
    const sink = {
      write: (bytes: Buffer): number => {
        if (this.destroyed) return 0;
        this.#written.push(Buffer.from(bytes));
        if (this.blocked) this.#untaken += bytes.length;
        return this.#untaken;
      },
    };
    this.output = new Output(sink, this.#queue, highWater);
  }

  /** Ends the turn of the event loop: what was written arrives. */
  turn(): void {
    this.#queue.turn();
  }

  /** The operating system takes what it has been holding back. */
  take(): void {
    this.#untaken = 0;
    this.output.taken(0);
  }

  /** Everything sent so far, as latin1; ends the turn. */
  get text(): string {
    this.turn();
    return Buffer.concat(this.#written).toString('latin1');
  }

  /** What was sent since the last call. */
  takeText(): string {
    const { text } = this;
    this.#written = [];
    return text;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  end(): void {
    if (!this.ended) this.output.finish();
    this.ended = true;
  }

  destroy(): void {
    this.destroyed = true;
  }

  crossedEnd(): boolean {
    return this.crossed;
  }
}
