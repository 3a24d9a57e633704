import type { ResetReason } from '../exchange/stream.ts';
import type { Transport, TransportUser } from '../transport/transport.ts';

/** Who serves a downstream connection at the moment: the look at its first bytes, a codec, or a splice. */
export interface Stage extends TransportUser {
  /** Requests, or connections carried, that are under way. */
  readonly active: number;
  /** Decides about timeouts; called about once a second with monotonic milliseconds. */
  tick(nowMs: number): void;
  /** Takes nothing new and ends when what is under way has ended. */
  drain(): void;
  /** Ends what is under way, in a way that says so to the client; what is written for that is still sent. */
  cutOff(): void;
  destroy(): void;
}

/** A connection to this proxy, from its acceptance to its end, whoever serves it meanwhile. */
export class DownstreamConnection implements TransportUser {
  transport: Transport;
  /** `address:port` of the client. */
  readonly client: string;
  /** Unix ms at which a certificate of the connection ends; Infinity without TLS. */
  expiresAt = Number.POSITIVE_INFINITY;
  stage: Stage = NOT_STARTED;
  readonly #set: ConnectionSet;
  /** What came before anybody served the connection: a tunnel cannot be kept from sending. */
  #early: Buffer[] = [];
  #earlyEnd = false;

  constructor(set: ConnectionSet, transport: Transport, client: string) {
    this.#set = set;
    this.transport = transport;
    this.client = client;
    set.add(this);
  }

  /** Hands the connection on, with what was read of it. */
  serve(stage: Stage, bytes: Buffer): void {
    this.stage = stage;
    if (bytes.length > 0) stage.receive(bytes);
    if (this.#early.length > 0 || this.#earlyEnd) this.#deliverEarly();
  }

  #deliverEarly(): void {
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) this.stage.receive(bytes);
    if (!this.#earlyEnd) return;
    this.#earlyEnd = false;
    this.stage.receiveEnd();
  }

  receive(bytes: Buffer): void {
    if (this.stage === NOT_STARTED) this.#early.push(Buffer.from(bytes));
    else this.stage.receive(bytes);
  }

  receiveEnd(): void {
    if (this.stage === NOT_STARTED) this.#earlyEnd = true;
    else this.stage.receiveEnd();
  }

  closed(reason: ResetReason): void {
    this.#set.delete(this);
    this.stage.closed(reason);
  }

  /** Ends a connection on which nothing was said. */
  end(): void {
    this.stage = REFUSED;
    this.transport.end();
  }

  /** Ends the connection without serving it. */
  refuse(): void {
    this.#set.delete(this);
    this.stage = REFUSED;
    this.#early = [];
    this.transport.destroy();
  }
}

function nobody(): Stage {
  return {
    active: 0,
    receive() {},
    receiveEnd() {},
    closed() {},
    tick() {},
    drain() {},
    cutOff() {},
    destroy() {},
  };
}

const NOT_STARTED = nobody();
const REFUSED = nobody();

/** The downstream connections of one direction. */
export class ConnectionSet {
  readonly #connections = new Set<DownstreamConnection>();
  readonly #max: number;
  #draining = false;

  /** `max`: connections at once; more are refused. */
  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#connections.size;
  }

  get full(): boolean {
    return this.#connections.size >= this.#max;
  }

  add(connection: DownstreamConnection): void {
    this.#connections.add(connection);
  }

  delete(connection: DownstreamConnection): void {
    this.#connections.delete(connection);
  }

  /** @param unix time of day in ms, for certificates that end */
  tick(nowMs: number, unix: number): void {
    for (const connection of this.#connections) {
      connection.transport.tick?.(nowMs);
      connection.stage.tick(nowMs);
      // Those that came since: told a moment later than at once, so that a client which does not know yet is served.
      if (this.#draining) connection.stage.drain();
      if (unix >= connection.expiresAt) connection.stage.destroy();
    }
  }

  drain(): void {
    this.#draining = true;
    for (const connection of this.#connections) connection.stage.drain();
  }

  /** Requests, and connections of bytes, that are under way. */
  get active(): number {
    let active = 0;
    for (const connection of this.#connections) active += connection.stage.active;
    return active;
  }

  /** The time for the drain is over; what remains after a moment is to be destroyed. */
  cutOff(): void {
    for (const connection of this.#connections) connection.stage.cutOff();
  }

  /** Drains those that were made with an older certificate or bundle. */
  drainSecured(): void {
    for (const connection of this.#connections) {
      if (connection.expiresAt !== Number.POSITIVE_INFINITY) connection.stage.drain();
    }
  }

  destroy(): void {
    for (const connection of this.#connections) {
      connection.stage.destroy();
      connection.transport.destroy();
    }
  }
}
