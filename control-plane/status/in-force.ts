/**
 * When a change is in force: each replica serves clients of its own, from its own watch, so that the one that writes
 * status asks the others whether they have come as far as it has.
 */
import type { Clock } from '../../runtime/clock.ts';

/** The newest resourceVersion of each kind that a replica has read. */
export type Changes = Readonly<Record<string, string>>;

export interface InForceOptions {
  /** What this replica has read. */
  readonly changes: () => Changes;
  readonly hasRead: (changes: Changes) => boolean;
  /** Calls back when what has been read is in the mesh. */
  readonly whenDelivered: (callback: () => void) => void;
  /** Calls back when the mesh is in force in the clients of this replica, or after a time without those that are silent. */
  readonly whenApplied: (callback: () => void) => void;
  /** The other replicas, `<address>:<port>`. */
  readonly replicas: () => readonly string[];
  /** Asks another replica for {@link InForce.here}; settles in any case after a time. */
  readonly ask: (replica: string, changes: Changes) => Promise<unknown>;
  readonly clock: Clock;
  /** Longest wait for this replica to read what another has, in milliseconds. Default 5000. */
  readonly longestMs?: number;
}

/** Milliseconds between looks at what has been read. */
const LOOK_MS = 10;

export class InForce {
  readonly #options: Required<InForceOptions>;

  constructor(options: InForceOptions) {
    this.#options = { longestMs: 5000, ...options };
  }

  /** Resolves when the newest mesh is in force in the clients of all replicas; in the end always. */
  async everywhere(): Promise<void> {
    const { replicas, ask, changes, whenApplied } = this.#options;
    const read = changes();
    const here = new Promise<void>(whenApplied);
    await Promise.allSettled([here, ...replicas().map(replica => ask(replica, read))]);
  }

  /** Whether this replica has come as far, and its clients with it; false if it does not in time. */
  async here(changes: Changes): Promise<boolean> {
    const { hasRead, whenDelivered, whenApplied, clock, longestMs } = this.#options;
    const deadline = clock.now() + longestMs;
    while (!hasRead(changes)) {
      if (clock.now() >= deadline) return false;
      await new Promise<void>(resolve => clock.after(LOOK_MS, resolve));
    }
    await new Promise<void>(whenDelivered);
    await new Promise<void>(whenApplied);
    return true;
  }
}
