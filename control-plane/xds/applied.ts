import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';

/** A client, as far as it matters here. */
export interface Applying {
  /** Nothing waits to be sent to it, and it has answered to everything that was. */
  readonly isSettled: boolean;
}

interface Wait {
  readonly open: Set<Applying>;
  readonly finish: () => void;
}

/**
 * Tells when the mesh, as it is now, is in force: when each connected client has answered to all that changes by it for
 * it. A sidecar asks for what is referred to before it answers to what refers, so its last answer comes after the swap.
 * A client that is silent for too long is not waited for again until it has answered.
 */
export class Applied {
  readonly #clients: ReadonlySet<Applying>;
  readonly #silent = new Set<Applying>();
  readonly #waits = new Set<Wait>();
  readonly #clock: Clock;
  readonly #longestMs: number;
  readonly #log: Logger;

  /** `longestMs`: after which a wait ends, whoever has not answered. */
  constructor(clients: ReadonlySet<Applying>, clock: Clock, longestMs: number, log: Logger) {
    this.#clients = clients;
    this.#clock = clock;
    this.#longestMs = longestMs;
    this.#log = log;
  }

  /** Calls back once; at once if nobody has to answer. */
  wait(callback: () => void): void {
    const open = new Set([...this.#clients].filter(client => !client.isSettled && !this.#silent.has(client)));
    if (open.size === 0) {
      callback();
      return;
    }
    const cancel = this.#clock.after(this.#longestMs, () => {
      this.#log.warn(
        { clients: open.size, ms: this.#longestMs },
        'clients have not answered to a change; it counts as in force without them',
      );
      for (const client of open) this.#silent.add(client);
      finish();
    });
    const finish = (): void => {
      cancel();
      this.#waits.delete(wait);
      callback();
    };
    const wait = { open, finish };
    this.#waits.add(wait);
  }

  /** To be called when a client has settled, and when it has gone. */
  settled(client: Applying): void {
    this.#silent.delete(client);
    for (const { open, finish } of this.#waits) if (open.delete(client) && open.size === 0) finish();
  }
}
