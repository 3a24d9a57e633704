import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { WorkloadIdentity } from '../../api/spiffe.ts';
import { resourceTypes } from '../../api/xds/any.ts';
import { parseListener } from '../../api/xds/names.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { key } from '../model/model.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Client } from '../translate/client.ts';
import type { ResourceKind } from '../translate/dialect.ts';
import type { Applying } from './applied.ts';
import { clientOf } from './client-of-node.ts';
import type { ClientNode } from './discovery-request.ts';
import type { FlushQueue } from './flush-queue.ts';
import type { XdsMetrics } from './metrics.ts';
import { NameSet } from './name-set.ts';
import type { Phase, Subscription } from './subscription.ts';

/** Most names of one type on one stream: far above any real client, low enough that one cannot exhaust the process. */
const maxNames = 100_000;

/** Longest text of a client's refusal that is logged, in characters. */
const maxErrorText = 2000;

const kindsByType: ReadonlyMap<string, ResourceKind> = new Map<string, ResourceKind>([
  [resourceTypes.cluster, 'cluster'],
  [resourceTypes.endpoints, 'endpoints'],
  [resourceTypes.listener, 'listener'],
  [resourceTypes.routes, 'routes'],
]);

/** The order in which a push is written: what is referred to goes before what refers (XDS.md §4.3). */
const order = ['cluster', 'endpoints', 'listener', 'routes'] as const satisfies readonly ResourceKind[];

/** What the two protocols have in common of a request. */
export interface DiscoveryRequest {
  readonly node: ClientNode | null;
  readonly typeUrl: string;
}

export interface DiscoveryProtocol<Request extends DiscoveryRequest> {
  readonly name: 'delta' | 'sotw';
  read(bytes: Uint8Array): Request;
  /** `wasSent`: whether a Cluster of this name was sent on the stream, after which Envoy wants its endpoints again. */
  subscription(typeUrl: string, names: NameSet, wasSent: (name: string) => boolean): Subscription<Request>;
  /** How many names the request adds. */
  size(request: Request): number;
}

/** What all streams of a server share. */
export interface StreamContext {
  readonly snapshot: Snapshot;
  readonly log: Logger;
  readonly clock: Clock;
  readonly metrics: XdsMetrics;
  readonly queue: FlushQueue;
  /** Told when a stream has settled, or is closed. */
  readonly applied: { settled(stream: Applying): void };
}

type Call = ServerDuplexStream<Buffer, Buffer>;

/** One ADS stream: a client with one subscription for each type. */
export class DiscoveryStream<Request extends DiscoveryRequest> implements Applying {
  readonly #context: StreamContext;
  readonly #protocol: DiscoveryProtocol<Request>;
  readonly #call: Call;
  readonly #identity: WorkloadIdentity | null;
  readonly #onClose: (stream: DiscoveryStream<Request>) => void;
  readonly #subscriptions = new Map<ResourceKind, Subscription<Request>>();
  #log: Logger;
  #node: ClientNode | null = null;
  #client: Client | null = null;
  #isClosed = false;
  /** When the oldest change that is not sent yet came; 0: none. */
  #changedAt = 0;
  readonly #refused = new Set<string>();

  constructor(
    context: StreamContext,
    protocol: DiscoveryProtocol<Request>,
    call: Call,
    identity: WorkloadIdentity | null,
    onClose: (stream: DiscoveryStream<Request>) => void,
  ) {
    this.#context = context;
    this.#protocol = protocol;
    this.#call = call;
    this.#identity = identity;
    this.#onClose = onClose;
    this.#log = context.log.child({ peer: call.getPeer() });
    call.on('end', () => this.end());
    call.on('cancelled', () => this.#close());
    call.on('error', () => this.#close());
    // Requests wait in the transport until there is a complete state to answer from.
    context.snapshot.whenComplete(() => call.on('data', (bytes: Buffer) => this.#receive(bytes)));
  }

  get isSettled(): boolean {
    for (const subscription of this.#subscriptions.values()) if (!subscription.isSettled) return false;
    return true;
  }

  /** Ends the stream with status OK, which clients take as a reason to connect again, and not as a failure. */
  end(): void {
    if (this.#isClosed) return;
    this.#close();
    this.#call.end();
  }

  /** Writes what is new, in order; removals last, when nothing that is still to be sent can refer to them. */
  flush(): void {
    if (this.#isClosed) return;
    for (const kind of order) this.#flushKind(kind, 'additions');
    for (const kind of ['listener', 'routes'] as const) this.#flushKind(kind, 'removals');
    const waits =
      this.#subscriptions.get('listener')?.isPending || this.#subscriptions.get('routes')?.isPending;
    if (waits !== true)
      for (const kind of ['cluster', 'endpoints'] as const) this.#flushKind(kind, 'removals');
    if (this.isSettled) this.#context.applied.settled(this);
  }

  #flushKind(kind: ResourceKind, phase: Phase): void {
    const client = this.#client;
    const { clock, metrics, log } = this.#context;
    const response = this.#subscriptions.get(kind)?.flush(phase, this.#changedAt || clock.now());
    if (client === null || response === undefined || response === null) return;
    this.#call.write(response.bytes);
    metrics.pushed(client.dialect, kind, response.bytes.length);
    if (log.isLevelEnabled('debug')) {
      const { names, removed, bytes } = response;
      this.#log.debug({ type: kind, names, removed, bytes: bytes.length }, 'pushed');
    }
    if (kind !== 'cluster') return;
    // Envoy warms a cluster that was sent until it gets its endpoints, also if it has them (XDS.md §3.7).
    for (const name of response.names) this.#subscriptions.get('endpoints')?.force(name);
  }

  #receive(bytes: Buffer): void {
    if (this.#isClosed) return;
    let request: Request;
    try {
      request = this.#protocol.read(bytes);
    } catch (error) {
      this.#fail(status.INVALID_ARGUMENT, `not a discovery request: ${String(error)}`);
      return;
    }
    if (!this.#acceptNode(request.node)) return;
    const kind = kindsByType.get(request.typeUrl);
    if (kind === undefined) {
      this.#log.debug({ type: request.typeUrl }, 'type is not served; the request is ignored');
      return;
    }
    const subscription = this.#subscription(kind, request.typeUrl);
    if (subscription.names.held.size + this.#protocol.size(request) > maxNames) {
      this.#fail(status.RESOURCE_EXHAUSTED, `more than ${maxNames} names of ${request.typeUrl}`);
      return;
    }
    this.#answered(kind, subscription.receive(request));
    this.flush();
  }

  #answered(kind: ResourceKind, answer: ReturnType<Subscription<Request>['receive']>): void {
    const { dialect } = this.#client as Client;
    const { metrics, clock } = this.#context;
    if (answer.kind === 'ack') {
      metrics.applied(dialect, clock.now() - answer.sentAt);
      if (![...this.#subscriptions.values()].some(other => other.isPending)) this.#changedAt = 0;
    } else if (answer.kind === 'nack') {
      metrics.refused(dialect, kind);
      const error = answer.error.slice(0, maxErrorText);
      this.#log.warn(
        { type: kind, names: answer.names.slice(0, 20), error },
        'the client refused a response (NACK); it keeps its last good configuration',
      );
    }
  }

  #subscription(kind: ResourceKind, typeUrl: string): Subscription<Request> {
    let subscription = this.#subscriptions.get(kind);
    if (subscription === undefined) {
      const names = new NameSet(
        this.#context.snapshot,
        this.#client as Client,
        kind,
        (kind, name) => this.#admits(kind, name),
        () => this.#wake(),
      );
      const wasSent = (name: string): boolean =>
        kind === 'endpoints' && this.#subscriptions.get('cluster')?.names.held.get(name)?.fresh === true;
      subscription = this.#protocol.subscription(typeUrl, names, wasSent);
      this.#subscriptions.set(kind, subscription);
    }
    return subscription;
  }

  #wake(): void {
    if (this.#changedAt === 0) this.#changedAt = this.#context.clock.now();
    this.#context.queue.add(this);
  }

  /** The node comes with the first request; if it comes again it must be the same. */
  #acceptNode(node: ClientNode | null): boolean {
    if (this.#client === null) {
      if (node === null) {
        this.#fail(status.INVALID_ARGUMENT, 'the first request of a stream must carry the node');
        return false;
      }
      this.#node = node;
      this.#client = clientOf(node, this.#identity, this.#context.snapshot.mesh);
      const { dialect, namespace } = this.#client;
      this.#log = this.#log.child({ node: node.id, namespace, dialect });
      this.#log.info({ protocol: this.#protocol.name, userAgent: node.userAgent }, 'xDS client connected');
      this.#context.metrics.streamOpened(dialect, this.#protocol.name);
      return true;
    }
    if (node === null || node.id === this.#node?.id) return true;
    this.#fail(status.INVALID_ARGUMENT, `the node changed from "${this.#node?.id}" to "${node.id}"`);
    return false;
  }

  /** An authenticated client gets the inbound Listener only of pods that its certificate names. */
  #admits(kind: ResourceKind, name: string): boolean {
    const identity = this.#identity;
    if (kind !== 'listener' || identity === null) return true;
    const parsed = parseListener(name);
    if (parsed?.kind !== 'inbound') return true;
    const workload = this.#context.snapshot.mesh?.workloads.get(key(parsed.namespace, parsed.pod));
    if (workload === undefined) return true;
    if (workload.namespace === identity.namespace && workload.serviceAccount === identity.serviceAccount)
      return true;
    if (!this.#refused.has(name)) {
      this.#refused.add(name);
      this.#log.warn(
        { resource: name, identity },
        'refused: the pod has another service account than the certificate of the client',
      );
    }
    return false;
  }

  #fail(code: status, details: string): void {
    this.#log.warn({ code, details }, 'xDS stream ended');
    this.#close();
    this.#call.emit('error', { code, details });
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#context.queue.delete(this);
    for (const { names } of this.#subscriptions.values()) names.release();
    if (this.#client !== null) {
      this.#context.metrics.streamClosed(this.#client.dialect, this.#protocol.name);
      this.#log.info('xDS client disconnected');
    }
    this.#onClose(this);
    this.#context.applied.settled(this);
  }
}
