/** All connections of the proxy to endpoints: who needs one asks here. */

import { meshAlpn } from '../../api/protocol.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Endpoint } from '../cluster/endpoint.ts';
import { Dial, type DialContext, type DialOwner } from './dial.ts';
import { EndpointPools, type HttpTransportKind } from './endpoint-pools.ts';
import { type ClientCodecs, ConnectionLimit } from './pool-context.ts';
import type { PooledConnection } from './pooled-connection.ts';
import type { ConnectionWaiter } from './wait-queue.ts';

const TICK_MS = 1000;

export class Upstream {
  readonly #dial: DialContext;
  readonly #codecs: ClientCodecs;
  readonly #fallback: string;
  readonly #open = new Set<PooledConnection>();
  /** Pools of endpoints to which our certificate is shown. */
  readonly #meshed = new Set<EndpointPools>();
  readonly #limits = new WeakMap<Cluster, ConnectionLimit>();
  readonly #unsubscribe: () => void;
  #stopTicking: () => void;

  /** `fallback`: where else an endpoint outside the mesh may listen (`DialTarget.fallback`), '' for nowhere. */
  constructor(dial: DialContext, codecs: ClientCodecs, fallback: string) {
    this.#dial = dial;
    this.#codecs = codecs;
    this.#fallback = fallback;
    this.#unsubscribe = dial.identity.subscribe(() => {
      for (const pools of this.#meshed) pools.renew();
    });
    this.#stopTicking = dial.clock.after(TICK_MS, () => this.#tick());
  }

  /** Open HTTP connections. */
  get connections(): number {
    return this.#open.size;
  }

  /** A connection for one request to the endpoint; null if the waiter must wait, and is told later. */
  acquire(
    cluster: Cluster,
    endpoint: Endpoint,
    kind: HttpTransportKind,
    waiter: ConnectionWaiter,
  ): PooledConnection | null {
    return this.#poolsOf(cluster, endpoint).acquire(kind, waiter);
  }

  /**
   * A connection of its own that carries bytes. Counted in the cluster's limit: null if that is reached. `clientTls`: they
   * are TLS already.
   */
  dialTcp(cluster: Cluster, endpoint: Endpoint, clientTls: boolean, owner: DialOwner): Dial | null {
    if (!this.#limit(cluster).take()) return null;
    const target = this.#poolsOf(cluster, endpoint).target(meshAlpn.tcp, '', clientTls);
    return new Dial(this.#dial, target, owner);
  }

  /** Gives back the place of a connection of {@link dialTcp} that is gone, or was not opened. */
  releaseTcp(cluster: Cluster): void {
    this.#limit(cluster).give();
  }

  #limit(cluster: Cluster): ConnectionLimit {
    let limit = this.#limits.get(cluster);
    if (limit === undefined) {
      limit = new ConnectionLimit(() => cluster.config.maxConnections);
      this.#limits.set(cluster, limit);
    }
    return limit;
  }

  /** Ends everything at once. */
  close(): void {
    this.#stopTicking();
    this.#unsubscribe();
    for (const pooled of this.#open) pooled.connection.destroy();
  }

  #poolsOf(cluster: Cluster, endpoint: Endpoint): EndpointPools {
    if (endpoint.pool !== null) return endpoint.pool as EndpointPools;
    const pools = new EndpointPools(
      {
        dial: this.#dial,
        codecs: this.#codecs,
        limit: this.#limit(cluster),
        fallback: this.#fallback,
        open: this.#open,
      },
      cluster,
      endpoint,
    );
    endpoint.pool = pools;
    endpoint.onRemoved = () => {
      this.#meshed.delete(pools);
      pools.drain();
    };
    if (endpoint.meshed) this.#meshed.add(pools);
    return pools;
  }

  #tick(): void {
    const { clock } = this.#dial;
    const now = clock.now();
    const unix = clock.unix();
    for (const pooled of this.#open) {
      pooled.transport.tick?.(now);
      pooled.connection.tick(now);
      if (unix >= pooled.expiresAt) pooled.connection.destroy();
      else pooled.pool.onTick(pooled, now);
    }
    this.#stopTicking = clock.after(TICK_MS, () => this.#tick());
  }
}
