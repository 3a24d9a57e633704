import type { ClientConnection, ClientConnectionOwner, ResetReason } from '../exchange/stream.ts';
import type { Transport, TransportUser } from '../transport/transport.ts';

/** A client codec over a socket. */
export interface ClientCodecConnection extends ClientConnection, TransportUser {
  /** Decides about timeouts; called about once a second with monotonic milliseconds. */
  tick(nowMs: number): void;
  /** HTTP/2: the peer's SETTINGS are there. */
  readonly established?: boolean;
}

/** What a connection tells its pool. */
export interface Pool {
  onCapacity(pooled: PooledConnection): void;
  /** It takes no more requests. Once. */
  onDraining(pooled: PooledConnection): void;
  /** It is gone; after {@link onDraining}. */
  onClosed(pooled: PooledConnection): void;
  /** Once a second while the connection is there. */
  onTick(pooled: PooledConnection, now: number): void;
}

/** One upstream connection with what its pool keeps of it. */
export class PooledConnection implements ClientConnectionOwner {
  readonly pool: Pool;
  /** Set right after the codec was made over it. */
  connection!: ClientCodecConnection;
  readonly transport: Transport;
  /** Generation of our certificate; 0 for plaintext. */
  readonly generation: number;
  /** Unix ms at which a certificate of the connection ends. */
  readonly expiresAt: number;
  /** Requests that were opened on it. */
  requests = 0;
  /** Clock time since when it has no request; NaN while it has one. */
  idleSince: number;
  draining = false;

  constructor(pool: Pool, transport: Transport, generation: number, expiresAt: number, now: number) {
    this.pool = pool;
    this.transport = transport;
    this.generation = generation;
    this.expiresAt = expiresAt;
    this.idleSince = now;
  }

  onCapacity(): void {
    if (!this.draining) this.pool.onCapacity(this);
  }

  onDraining(): void {
    if (this.draining) return;
    this.draining = true;
    this.pool.onDraining(this);
  }

  onClosed(_connection: ClientConnection, _reason: ResetReason): void {
    this.onDraining();
    this.pool.onClosed(this);
  }

  drain(): void {
    this.onDraining();
    this.connection.drain();
  }
}
