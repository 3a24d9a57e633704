import type { SocketTransport } from '../transport/socket-transport.ts';
import type { DialContext } from './dial.ts';
import type { ClientCodecConnection, PooledConnection } from './pooled-connection.ts';

/** Makes codecs over open connections; what they need besides is theirs. */
export interface ClientCodecs {
  http1(transport: SocketTransport, owner: PooledConnection): ClientCodecConnection;
  /** `trusted`: the peer has proved to be a sidecar. */
  http2(transport: SocketTransport, owner: PooledConnection, trusted: boolean): ClientCodecConnection;
}

/** Connections of one cluster, open ones and those being opened; `max` 0 for no limit. */
export class ConnectionLimit {
  readonly #max: () => number;
  count = 0;

  constructor(max: () => number) {
    this.#max = max;
  }

  take(): boolean {
    const max = this.#max();
    if (max !== 0 && this.count >= max) return false;
    this.count++;
    return true;
  }

  give(): void {
    this.count--;
  }
}

/** What a pool shares with the others of its cluster and of the process. */
export interface PoolContext {
  readonly dial: DialContext;
  readonly codecs: ClientCodecs;
  readonly limit: ConnectionLimit;
  /** `DialTarget.fallback` of endpoints outside the mesh. */
  readonly fallback: string;
  /** All open connections of the process, for the tick. */
  readonly open: Set<PooledConnection>;
}
