import type { DialFailure } from './dial.ts';
import type { PooledConnection } from './pooled-connection.ts';

/** Why no connection was had: as of {@link DialFailure}, or `overflow` (a limit of ours), or `removed` (the endpoint is gone). */
export type PoolFailure = DialFailure | 'overflow' | 'removed';

/** Someone who needs a connection; linked into at most one queue by these fields. */
export interface ConnectionWaiter {
  /** It asks for a tunnel: the connection must have said whether it takes one. */
  readonly asksTunnel: boolean;
  queue: WaitQueue | null;
  previousWaiter: ConnectionWaiter | null;
  nextWaiter: ConnectionWaiter | null;
  /** The connection can take a request now; the waiter opens one before it returns. */
  onConnection(pooled: PooledConnection): void;
  onNoConnection(failure: PoolFailure, detail: string): void;
}

/** First in, first out; leaving from the middle costs nothing. */
export class WaitQueue {
  #first: ConnectionWaiter | null = null;
  #last: ConnectionWaiter | null = null;
  length = 0;

  push(waiter: ConnectionWaiter): void {
    waiter.queue = this;
    waiter.previousWaiter = this.#last;
    waiter.nextWaiter = null;
    if (this.#last === null) this.#first = waiter;
    else this.#last.nextWaiter = waiter;
    this.#last = waiter;
    this.length++;
  }

  shift(): ConnectionWaiter | null {
    const first = this.#first;
    if (first !== null) this.remove(first);
    return first;
  }

  remove(waiter: ConnectionWaiter): void {
    if (waiter.queue !== this) return;
    if (waiter.previousWaiter === null) this.#first = waiter.nextWaiter;
    else waiter.previousWaiter.nextWaiter = waiter.nextWaiter;
    if (waiter.nextWaiter === null) this.#last = waiter.previousWaiter;
    else waiter.nextWaiter.previousWaiter = waiter.previousWaiter;
    waiter.queue = null;
    waiter.previousWaiter = null;
    waiter.nextWaiter = null;
    this.length--;
  }
}
