import type { Clock } from '../../runtime/clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Endpoint } from '../cluster/endpoint.ts';
import type { AccessLog } from '../telemetry/access-log.ts';
import type { EdgeSeries } from '../telemetry/edge-series.ts';
import type { HttpTransportKind } from '../upstream/endpoint-pools.ts';
import type { PooledConnection } from '../upstream/pooled-connection.ts';
import type { ConnectionWaiter } from '../upstream/wait-queue.ts';
import type { BlockPool } from './block-pool.ts';
import type { EmptyClusters } from './empty-clusters.ts';
import type { Exchange } from './exchange.ts';
import type { FieldLines, ResponseHead } from './stream.ts';
import type { TimerWheel } from './timer-wheel.ts';

/** Where connections come from; `proxy/upstream` implements it. */
interface ConnectionSource {
  acquire(
    cluster: Cluster,
    endpoint: Endpoint,
    kind: HttpTransportKind,
    waiter: ConnectionWaiter,
  ): PooledConnection | null;
}

/** What all exchanges of a process share. */
export interface ExchangeContext {
  readonly clock: Clock;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  readonly wheel: TimerWheel;
  readonly connections: ConnectionSource;
  readonly blocks: BlockPool;
  readonly emptyClusters: EmptyClusters;
  readonly accessLog: AccessLog;
}

/** What differs between requests that leave the pod and requests that reach it. */
export interface Direction {
  readonly name: 'inbound' | 'outbound';
  /**
   * Tries again when an endpoint cannot be connected to. Towards the application there is nobody else to try, and the
   * client's sidecar tries elsewhere: retries at two hops would multiply.
   */
  readonly retriesConnections: boolean;
  /** Bytes of a body that are kept for another attempt. */
  readonly replayBytes: number;
  /** Says where the request goes: calls `forward`, `reply` or `fail` of the exchange once, now or later. */
  direct(exchange: Exchange): void;
  /** The kind of connection on which the request travels to the endpoint. */
  transport(exchange: Exchange, cluster: Cluster, endpoint: Endpoint): HttpTransportKind;
  /** Appends the fields that are for this hop alone; they are taken away again after the head was sent. */
  appendHopFields(exchange: Exchange, endpoint: Endpoint, fields: FieldLines): void;
  /** Edits the head of an answer before it is passed on. */
  editResponse(exchange: Exchange, head: ResponseHead): void;
  /** The series in which the request is counted; `endpoint` null if none was chosen. */
  series(exchange: Exchange, endpoint: Endpoint | null): EdgeSeries;
  /** SPIFFE ID of the other side, for the log; '' if there is none. */
  peer(exchange: Exchange, endpoint: Endpoint | null): string;
  /** `address:port` of the client, for the log. */
  client(exchange: Exchange): string;
}
