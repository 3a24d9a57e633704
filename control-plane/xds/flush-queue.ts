/** Streams written in one turn of the event loop; a thousand at once would hold up requests for tens of milliseconds. */
const batch = 64;

/** Streams that have something to send, written in turns so that requests are served between. */
export class FlushQueue {
  readonly #streams = new Set<{ flush(): void }>();
  #isScheduled = false;

  add(stream: { flush(): void }): void {
    this.#streams.add(stream);
    this.#schedule();
  }

  delete(stream: { flush(): void }): void {
    this.#streams.delete(stream);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    this.#isScheduled = false;
    let left = batch;
    for (const stream of this.#streams) {
      if (left-- === 0) {
        this.#schedule();
        return;
      }
      this.#streams.delete(stream);
      stream.flush();
    }
  }
}
