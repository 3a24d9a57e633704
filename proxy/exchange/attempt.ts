import type { Cluster } from '../cluster/cluster.ts';
import type { Endpoint } from '../cluster/endpoint.ts';
import { type AttemptOutcome, beginAttempt, endAttempt } from '../resilience/attempt.ts';
import { returnRetry } from '../resilience/retry-budget.ts';
import type { HttpTransportKind } from '../upstream/endpoint-pools.ts';
import type { PooledConnection } from '../upstream/pooled-connection.ts';
import type { ConnectionWaiter, PoolFailure, WaitQueue } from '../upstream/wait-queue.ts';
import type { Exchange } from './exchange.ts';
import type { ClientStream, FieldLines, ResetReason, ResponseHead, ResponseReceiver } from './stream.ts';

/**
 * One try of a request on one endpoint: from the pick to the end of its answer. It keeps the account with the endpoint
 * and passes what it hears to its exchange, as long as it is not over.
 */
export class Attempt implements ResponseReceiver, ConnectionWaiter {
  readonly cluster: Cluster;
  readonly endpoint: Endpoint;
  /**
   * Clock time at which its request is sent. What opening a connection takes is not held against the endpoint: the first
   * request to a new one would make it look slow for as long as the average remembers.
   */
  sentAt = 0;
  /** The kind of connection that it asked for last. */
  kind: HttpTransportKind = 'http1';
  /** null while it waits for a connection. */
  stream: ClientStream | null = null;
  pooled: PooledConnection | null = null;
  /** Time from the request to the head of its response in ms, -1 before it. */
  latencyMs = -1;
  queue: WaitQueue | null = null;
  previousWaiter: ConnectionWaiter | null = null;
  nextWaiter: ConnectionWaiter | null = null;
  readonly #exchange: Exchange;
  readonly #isRetry: boolean;
  #over = false;

  get asksTunnel(): boolean {
    return this.#exchange.asksTunnel;
  }

  constructor(exchange: Exchange, cluster: Cluster, endpoint: Endpoint, isRetry: boolean) {
    this.#exchange = exchange;
    this.cluster = cluster;
    this.endpoint = endpoint;
    this.#isRetry = isRetry;
    beginAttempt(endpoint);
  }

  /** The connection had carried requests before, so the endpoint may have closed it meanwhile. */
  get onReusedConnection(): boolean {
    return this.pooled !== null && this.pooled.requests > 1;
  }

  onConnection(pooled: PooledConnection): void {
    if (this.#over) return;
    this.pooled = pooled;
    pooled.requests++;
    this.#exchange.onAttemptConnected(this, pooled.connection);
  }

  onNoConnection(failure: PoolFailure, _detail: string): void {
    if (!this.#over) this.#exchange.onAttemptUnconnected(this, failure);
  }

  onInformational(status: number, fields: FieldLines): void {
    if (!this.#over) this.#exchange.onInformational(status, fields);
  }

  onResponse(head: ResponseHead, end: boolean): void {
    if (!this.#over) this.#exchange.onResponse(this, head, end);
  }

  onResponseData(chunk: Buffer, end: boolean): void {
    if (!this.#over) this.#exchange.onResponseData(this, chunk, end);
  }

  onResponseTrailers(fields: FieldLines): void {
    if (!this.#over) this.#exchange.onResponseTrailers(this, fields);
  }

  onResponseReset(reason: ResetReason): void {
    if (!this.#over) this.#exchange.onResponseReset(this, reason);
  }

  onRequestWritable(): void {
    if (!this.#over) this.#exchange.onRequestWritable();
  }

  /** Cancels what is under way, if anything is. Nothing is heard of it any more. */
  cancel(reason: ResetReason): void {
    this.queue?.remove(this);
    this.stream?.reset(reason);
  }

  /** Settles the account with the endpoint. Idempotent. */
  settle(outcome: AttemptOutcome, now: number, random: () => number): void {
    if (this.#over) return;
    this.#over = true;
    endAttempt(this.cluster, this.endpoint, outcome, this.latencyMs, now, random);
    if (this.#isRetry) returnRetry(this.cluster);
  }
}
