import { meshAlpn } from '../../api/protocol.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Endpoint } from '../cluster/endpoint.ts';
import type { DialTarget } from './dial.ts';
import { Http1Pool } from './http1-pool.ts';
import { Http2Pool } from './http2-pool.ts';
import type { PoolContext } from './pool-context.ts';
import type { PooledConnection } from './pooled-connection.ts';
import type { ConnectionWaiter } from './wait-queue.ts';

/** How a request travels to the endpoint. */
export type HttpTransportKind = 'http1' | 'http2';

/** The connections to one endpoint, by how they are opened. Hung on `Endpoint.pool`. */
export class EndpointPools {
  readonly #context: PoolContext;
  readonly #cluster: Cluster;
  readonly #endpoint: Endpoint;
  #http1: Http1Pool | null = null;
  #http2: Http2Pool | null = null;

  constructor(context: PoolContext, cluster: Cluster, endpoint: Endpoint) {
    this.#context = context;
    this.#cluster = cluster;
    this.#endpoint = endpoint;
  }

  /** A connection that can take a request now; otherwise null, and the waiter is told later. */
  acquire(kind: HttpTransportKind, waiter: ConnectionWaiter): PooledConnection | null {
    if (kind === 'http2') {
      this.#http2 ??= new Http2Pool(this.#context, this.target(meshAlpn.http2, 'h2', false));
      return this.#http2.acquire(waiter);
    }
    this.#http1 ??= new Http1Pool(this.#context, this.target(meshAlpn.http1, 'http/1.1', false));
    return this.#http1.acquire(waiter);
  }

  /**
   * Where and how to connect. `alpn` is for a sidecar that reads what comes, `backendAlpn` for an application that serves TLS;
   * then its sidecar, if it has one, carries bytes. `clientTls`: the client speaks TLS with the application itself.
   */
  target(alpn: string, backendAlpn: DialTarget['backendAlpn'], clientTls: boolean): DialTarget {
    const { address, port, meshed, identity } = this.#endpoint;
    const backendTls = clientTls ? null : this.#endpoint.backendTls;
    return {
      address,
      fallback: meshed ? '' : this.#context.fallback,
      port,
      alpn: !meshed ? '' : backendTls === null ? alpn : meshAlpn.tcp,
      identity: meshed ? identity : '',
      backendTls,
      backendAlpn: backendTls === null ? '' : backendAlpn,
      timeoutMs: this.#cluster.config.connectTimeoutMs,
    };
  }

  /** Connections of an older certificate end when their requests do. */
  renew(): void {
    this.#http1?.renew();
    this.#http2?.renew();
  }

  /** The endpoint is gone: open requests go on, no new ones are taken. */
  drain(): void {
    this.#http1?.drain();
    this.#http2?.drain();
  }
}
