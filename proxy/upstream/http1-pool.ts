import type { SocketTransport } from '../transport/socket-transport.ts';
import { Dial, type DialFailure, type DialOwner, type DialTarget } from './dial.ts';
import type { PoolContext } from './pool-context.ts';
import { type Pool, PooledConnection } from './pooled-connection.ts';
import { type ConnectionWaiter, type PoolFailure, WaitQueue } from './wait-queue.ts';

/**
 * An idle connection is closed after this time: below the 5 s that servers commonly keep one, since a request sent while
 * the server closes is lost.
 */
const IDLE_MS = 4000;
/** Requests that wait for a connection. */
const MAX_WAITING = 10_000;

/**
 * HTTP/1.1 connections to one endpoint, one request at a time on each. The one used last is used first, so that those
 * that are not needed fall idle and expire.
 */
export class Http1Pool implements Pool, DialOwner {
  readonly #context: PoolContext;
  readonly #target: DialTarget;
  /** Free connections, used last at the end. */
  readonly #idle: PooledConnection[] = [];
  readonly #waiting = new WaitQueue();
  readonly #dials = new Set<Dial>();
  /** Open connections, free and busy ones, without those that drain. */
  #usable = 0;
  #closed = false;

  constructor(context: PoolContext, target: DialTarget) {
    this.#context = context;
    this.#target = target;
  }

  /** A connection that can take a request now; otherwise null, and the waiter is told later. */
  acquire(waiter: ConnectionWaiter): PooledConnection | null {
    for (;;) {
      const pooled = this.#idle.pop();
      if (pooled === undefined) break;
      if (pooled.draining || pooled.connection.capacity === 0) continue;
      pooled.idleSince = Number.NaN;
      return pooled;
    }
    this.#waiting.push(waiter);
    if (this.#dials.size < this.#waiting.length) this.#grow();
    if (this.#hopeless()) queueMicrotask(() => this.#failHopeless());
    return null;
  }

  /** Takes no more requests; what is open goes on. */
  drain(): void {
    this.#closed = true;
    for (const dial of this.#dials) {
      dial.cancel();
      this.#context.limit.give();
    }
    this.#dials.clear();
    this.renew();
    this.#failAll('removed', 'the endpoint was removed');
  }

  /** Closes what is free; what is busy closes after its request, since it is of an old generation. */
  renew(): void {
    for (const pooled of this.#context.open) if (pooled.pool === this) pooled.drain();
    this.#idle.length = 0;
  }

  #grow(): void {
    if (!this.#closed && this.#context.limit.take()) {
      this.#dials.add(new Dial(this.#context.dial, this.#target, this));
    }
  }

  #hopeless(): boolean {
    return (this.#usable === 0 && this.#dials.size === 0) || this.#waiting.length > MAX_WAITING;
  }

  #failHopeless(): void {
    if (this.#hopeless())
      this.#failAll('overflow', 'the limit of connections or waiting requests is reached');
  }

  #failAll(failure: PoolFailure, detail: string): void {
    for (let left = this.#waiting.length; left > 0; left--) {
      this.#waiting.shift()?.onNoConnection(failure, detail);
    }
  }

  onDialed(dial: Dial, transport: SocketTransport): void {
    this.#dials.delete(dial);
    const { codecs, open, dial: dialContext } = this.#context;
    const pooled = new PooledConnection(
      this,
      transport,
      dial.generation,
      dial.expiresAt,
      dialContext.clock.now(),
    );
    pooled.connection = codecs.http1(transport, pooled);
    transport.user = pooled.connection;
    open.add(pooled);
    this.#usable++;
    transport.resume();
    this.onCapacity(pooled);
  }

  onDialFailed(dial: Dial, failure: DialFailure, detail: string): void {
    this.#dials.delete(dial);
    this.#context.limit.give();
    // Each waiter had a connection opened for it, so a failure is one waiter's.
    this.#waiting.shift()?.onNoConnection(failure, detail);
  }

  onCapacity(pooled: PooledConnection): void {
    if (pooled.connection.capacity === 0) return;
    const waiter = this.#waiting.shift();
    if (waiter !== null) {
      pooled.idleSince = Number.NaN;
      waiter.onConnection(pooled);
      return;
    }
    pooled.idleSince = this.#context.dial.clock.now();
    this.#idle.push(pooled);
  }

  onDraining(pooled: PooledConnection): void {
    this.#usable--;
    const index = this.#idle.lastIndexOf(pooled);
    if (index !== -1) this.#idle.splice(index, 1);
    if (this.#waiting.length > this.#dials.size) this.#grow();
  }

  onClosed(pooled: PooledConnection): void {
    const { open, limit } = this.#context;
    open.delete(pooled);
    limit.give();
    if (this.#waiting.length === 0) return;
    if (this.#waiting.length > this.#dials.size) this.#grow();
    this.#failHopeless();
  }

  onTick(pooled: PooledConnection, now: number): void {
    if (!pooled.draining && now - pooled.idleSince > IDLE_MS) pooled.drain();
  }
}
