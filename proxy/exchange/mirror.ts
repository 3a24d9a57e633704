import type { Cluster } from '../cluster/cluster.ts';
import type { Endpoint } from '../cluster/endpoint.ts';
import { type AttemptOutcome, beginAttempt, endAttempt, isServerFailure } from '../resilience/attempt.ts';
import type { ForwardRoute } from '../route/route-table.ts';
import type { PooledConnection } from '../upstream/pooled-connection.ts';
import type { ConnectionWaiter, WaitQueue } from '../upstream/wait-queue.ts';
import type { Exchange } from './exchange.ts';
import type { ExchangeContext } from './exchange-context.ts';
import type { RequestBody } from './request-body.ts';
import type { ClientStream, FieldLines, RequestHead, ResponseHead, ResponseReceiver } from './stream.ts';

/**
 * Sends copies of a request that is complete, as the route's mirrors say; what comes back is thrown away. Called only
 * while the whole body is kept, so requests with larger bodies than the replay limit are not mirrored.
 */
export function startMirrors(exchange: Exchange, route: ForwardRoute): void {
  const { random } = exchange.context;
  for (const mirror of route.mirrors) {
    if (mirror.fraction < 1 && random() >= mirror.fraction) continue;
    new MirrorCopy(exchange, mirror.cluster).start();
  }
}

/** One copy of a request on its way to one endpoint, tried once. */
class MirrorCopy implements ResponseReceiver, ConnectionWaiter {
  queue: WaitQueue | null = null;
  readonly asksTunnel = false;
  previousWaiter: ConnectionWaiter | null = null;
  nextWaiter: ConnectionWaiter | null = null;
  readonly #context: ExchangeContext;
  readonly #exchange: Exchange;
  readonly #cluster: Cluster;
  readonly #head: RequestHead;
  readonly #body: RequestBody | null;
  readonly #trailers: FieldLines | null;
  #endpoint: Endpoint | null = null;
  #stream: ClientStream | null = null;
  #status = 0;
  /** Clock time at which the request is sent, as in an attempt. */
  #sentAt = 0;
  #latencyMs = -1;

  constructor(exchange: Exchange, cluster: Cluster) {
    this.#context = exchange.context;
    this.#exchange = exchange;
    this.#cluster = cluster;
    const head = exchange.mirroredHead ?? exchange.head;
    this.#head = { ...head, fields: head.fields.slice() };
    this.#body = exchange.body === null ? null : exchange.body.copy();
    this.#trailers = exchange.requestTrailers;
  }

  start(): void {
    const { clock, random, connections } = this.#context;
    const endpoint = this.#cluster.pick([], random, clock.now());
    if (endpoint === null) return;
    this.#endpoint = endpoint;
    beginAttempt(endpoint);
    const { direction } = this.#exchange;
    direction.appendHopFields(this.#exchange, endpoint, this.#head.fields);
    const kind = direction.transport(this.#exchange, this.#cluster, endpoint);
    const pooled = connections.acquire(this.#cluster, endpoint, kind, this);
    if (pooled !== null) this.onConnection(pooled);
  }

  onConnection(pooled: PooledConnection): void {
    pooled.requests++;
    this.#sentAt = this.#context.clock.now();
    const end = this.#body === null && this.#trailers === null;
    this.#stream = pooled.connection.open(this.#head, end, this);
    if (this.#body !== null) this.#body.replay(this.#stream, true, this.#trailers);
    else if (this.#trailers !== null) this.#stream.trailers(this.#trailers);
  }

  onNoConnection(): void {
    this.#end('failure');
  }

  onInformational(): void {}

  onResponse(head: ResponseHead, end: boolean): void {
    this.#status = head.status;
    this.#latencyMs = this.#context.clock.now() - this.#sentAt;
    if (end) this.#answered();
  }

  onResponseData(chunk: Buffer, end: boolean): void {
    if (end) this.#answered();
    else this.#stream?.consumed(chunk.length);
  }

  onResponseTrailers(): void {
    this.#answered();
  }

  onResponseReset(): void {
    this.#end('failure');
  }

  onRequestWritable(): void {}

  #answered(): void {
    this.#end(isServerFailure(this.#status, -1) ? 'failure' : 'success');
  }

  #end(outcome: AttemptOutcome): void {
    const endpoint = this.#endpoint;
    if (endpoint === null) return;
    this.#endpoint = null;
    this.#body?.drop();
    const { clock, random } = this.#context;
    endAttempt(this.#cluster, endpoint, outcome, this.#latencyMs, clock.now(), random);
  }
}
