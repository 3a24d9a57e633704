import type { ResetReason } from '../exchange/stream.ts';
import { type TimerOwner, WheelTimer } from '../exchange/timer-wheel.ts';
import type { SocketTransport } from '../transport/socket-transport.ts';
import type { TransportUser } from '../transport/transport.ts';
import { Dial, type DialFailure, type DialOwner, type DialTarget, reachesSidecar } from './dial.ts';
import type { PoolContext } from './pool-context.ts';
import { type ClientCodecConnection, type Pool, PooledConnection } from './pooled-connection.ts';
import { type ConnectionWaiter, type PoolFailure, WaitQueue } from './wait-queue.ts';

/** Another connection is opened when all have this many streams: one connection is served by one thread of the peer. */
const STREAMS_PER_CONNECTION = 100;
const MAX_CONNECTIONS = 8;
/** Requests that wait for a connection. */
const MAX_WAITING = 10_000;
/** A connection without requests is closed after this time; the last one later, since a handshake is dear. */
const IDLE_EXTRA_MS = 30_000;
const IDLE_LAST_MS = 300_000;

/** Few shared HTTP/2 connections to one endpoint: over TLS between sidecars, or with prior knowledge in plaintext. */
export class Http2Pool implements Pool, DialOwner {
  readonly #context: PoolContext;
  readonly #target: DialTarget;
  /** Those that take requests; the others are only in `context.open`. */
  readonly #connections: PooledConnection[] = [];
  readonly #waiting = new WaitQueue();
  /** Those who ask for a tunnel and wait for the server's SETTINGS, which say whether it takes one. */
  readonly #tunnels = new WaitQueue();
  #dial: Dial | null = null;
  /** TLS is there, and the peer's SETTINGS are awaited. */
  #greeting: Greeting | null = null;
  #closed = false;

  constructor(context: PoolContext, target: DialTarget) {
    this.#context = context;
    this.#target = target;
  }

  /** A connection that can take a request now; otherwise null, and the waiter is told later. */
  acquire(waiter: ConnectionWaiter): PooledConnection | null {
    const best = this.#leastBusy();
    if (best === null || best.connection.active >= STREAMS_PER_CONNECTION) this.#grow();
    const tunnel = waiter.asksTunnel;
    if (best !== null && this.#waiting.length === 0 && !(tunnel && best.connection.established === false)) {
      return best;
    }
    (tunnel ? this.#tunnels : this.#waiting).push(waiter);
    if (this.#hopeless()) queueMicrotask(() => this.#failHopeless());
    return null;
  }

  /** Takes no more requests; what is open goes on. */
  drain(): void {
    this.#closed = true;
    if (this.#dial !== null) {
      this.#dial.cancel();
      this.#dial = null;
      this.#context.limit.give();
    }
    this.#greeting?.pooled.drain();
    this.renew();
    this.#failAll('removed', 'the endpoint was removed');
  }

  /** Drains what is open, so that the next request opens a connection with the current certificate. */
  renew(): void {
    for (const pooled of this.#connections.slice()) pooled.drain();
  }

  #leastBusy(): PooledConnection | null {
    let best: PooledConnection | null = null;
    const connections = this.#connections;
    for (let i = 0; i < connections.length; i++) {
      const pooled = connections[i];
      if (pooled.connection.capacity === 0) continue;
      if (best === null || pooled.connection.active < best.connection.active) best = pooled;
    }
    return best;
  }

  #grow(): void {
    if (this.#closed || this.#opening || this.#connections.length >= MAX_CONNECTIONS) return;
    if (this.#context.limit.take()) this.#dial = new Dial(this.#context.dial, this.#target, this);
  }

  get #opening(): boolean {
    return this.#dial !== null || this.#greeting !== null;
  }

  /** Nothing is open, nothing is being opened: waiting would be for ever. */
  #hopeless(): boolean {
    return (this.#connections.length === 0 && !this.#opening) || this.#waiting.length > MAX_WAITING;
  }

  #failHopeless(): void {
    if (this.#hopeless())
      this.#failAll('overflow', 'the limit of connections or waiting requests is reached');
  }

  #failAll(failure: PoolFailure, detail: string): void {
    // Those who wait may come again at once: only the ones that are there now.
    for (let left = this.#waiting.length; left > 0; left--) {
      this.#waiting.shift()?.onNoConnection(failure, detail);
    }
    for (let left = this.#tunnels.length; left > 0; left--) {
      this.#tunnels.shift()?.onNoConnection(failure, detail);
    }
  }

  onDialed(dial: Dial, transport: SocketTransport): void {
    this.#dial = null;
    const { codecs, open, dial: dialContext } = this.#context;
    const pooled = new PooledConnection(
      this,
      transport,
      dial.generation,
      dial.expiresAt,
      dialContext.clock.now(),
    );
    const sidecar = reachesSidecar(dial.target);
    pooled.connection = codecs.http2(transport, pooled, sidecar);
    open.add(pooled);
    if (!sidecar) {
      // An application that is busy may be slow to greet, as it may be slow to answer.
      transport.user = pooled.connection;
      this.#ready(pooled);
    } else {
      this.#greeting = new Greeting(pooled, transport, () => this.#ready(pooled));
      transport.user = this.#greeting;
      dialContext.wheel.set(this.#greeting.timer, dial.deadline);
    }
    transport.resume();
  }

  #ready(pooled: PooledConnection): void {
    if (this.#isGreeting(pooled)) this.#endGreeting();
    if (pooled.draining) return;
    this.#connections.push(pooled);
    this.#serve(pooled);
  }

  #isGreeting(pooled: PooledConnection): boolean {
    return pooled === this.#greeting?.pooled;
  }

  #endGreeting(): void {
    if (this.#greeting !== null) this.#context.dial.wheel.clear(this.#greeting.timer);
    this.#greeting = null;
  }

  onDialFailed(_dial: Dial, failure: DialFailure, detail: string): void {
    this.#dial = null;
    this.#context.limit.give();
    this.#failDial(failure, detail);
  }

  #serve(pooled: PooledConnection): void {
    this.#serveQueue(this.#waiting, pooled);
    if (pooled.connection.established !== false) this.#serveQueue(this.#tunnels, pooled);
  }

  #serveQueue(queue: WaitQueue, pooled: PooledConnection): void {
    while (queue.length > 0 && !pooled.draining && pooled.connection.capacity > 0) {
      queue.shift()?.onConnection(pooled);
    }
  }

  onCapacity(pooled: PooledConnection): void {
    if (this.#waiting.length > 0 || this.#tunnels.length > 0) this.#serve(pooled);
  }

  onDraining(pooled: PooledConnection): void {
    const index = this.#connections.indexOf(pooled);
    if (index !== -1) this.#connections.splice(index, 1);
    if (this.#isGreeting(pooled)) return;
    if (this.#waiting.length > 0) this.#grow();
  }

  onClosed(pooled: PooledConnection): void {
    const { open, limit } = this.#context;
    open.delete(pooled);
    limit.give();
    if (!this.#isGreeting(pooled)) return this.#failHopeless();
    const late = this.#greeting?.late ?? false;
    this.#endGreeting();
    if (late) this.#failDial('timeout', `no SETTINGS after ${this.#target.timeoutMs} ms`);
    else this.#failUngreeted();
  }

  #failUngreeted(): void {
    if (this.#closed) return this.#failDial('removed', 'the endpoint was removed');
    // A sidecar closes without a word when it does not accept our certificate (RELIABILITY §4.4).
    const detail = 'the peer closed before it sent anything';
    this.#context.dial.onDistrust(this.#target, 'rejected', detail);
    this.#failDial('rejected', detail);
  }

  #failDial(failure: PoolFailure, detail: string): void {
    if (this.#connections.length === 0) this.#failAll(failure, detail);
  }

  onTick(pooled: PooledConnection, now: number): void {
    if (this.#isGreeting(pooled)) return;
    if (pooled.connection.active > 0) {
      pooled.idleSince = now;
      return;
    }
    const limit = this.#connections.length > 1 ? IDLE_EXTRA_MS : IDLE_LAST_MS;
    if (!pooled.draining && now - pooled.idleSince > limit) pooled.drain();
  }
}

/**
 * Passes on what is read until the peer's SETTINGS are there, which must be before the dial's deadline. `secureConnect`
 * comes before the server has judged our certificate, so a request sent earlier may be lost with the connection.
 */
class Greeting implements TransportUser, TimerOwner {
  readonly pooled: PooledConnection;
  readonly timer = new WheelTimer(this);
  late = false;
  readonly #connection: ClientCodecConnection;
  readonly #transport: SocketTransport;
  readonly #established: () => void;

  constructor(pooled: PooledConnection, transport: SocketTransport, established: () => void) {
    this.pooled = pooled;
    this.#connection = pooled.connection;
    this.#transport = transport;
    this.#established = established;
  }

  onDeadline(): void {
    this.late = true;
    this.#connection.destroy();
  }

  receive(bytes: Buffer): void {
    this.#connection.receive(bytes);
    if (this.#connection.established === false) return;
    this.#transport.user = this.#connection;
    this.#established();
  }

  receiveEnd(): void {
    this.#connection.receiveEnd();
  }

  closed(reason: ResetReason): void {
    this.#connection.closed(reason);
  }
}
