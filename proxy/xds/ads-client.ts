import type { Node } from '../../api/xds/gen/envoy/config/core/v3/base.ts';
import {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  type Resource,
} from '../../api/xds/gen/envoy/service/discovery/v3/discovery.ts';
import type { DeepPartial } from '../../api/xds/gen/google/protobuf/any.ts';
import { Backoff } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { GrpcCall } from '../grpc/call.ts';
import { describeStatus, type GrpcStatus } from '../grpc/status.ts';
import type { IdentitySource } from '../identity/identity.ts';
import {
  ControlConnection,
  type ControlConnectionContext,
  type ControlPlaneTarget,
} from './control-connection.ts';
import { TypeSubscription } from './type-subscription.ts';

const METHOD = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';

const BACKOFF_BASE_MS = 100;
const BACKOFF_MAX_MS = 5000;
/** Who cannot work without an answer asks more often. */
const URGENT_MAX_MS = 1000;

/** A new certificate or bundle reaches all sidecars at once; they move to it one by one within this time. */
const MOVE_WITHIN_MS = 10_000;

/** Longest text of a NACK. */
const MAX_DETAIL = 4096;

/** google.rpc.Code INVALID_ARGUMENT. */
const INVALID_ARGUMENT = 3;

/** What takes over the resources of one type. */
export interface ResourceHandler {
  readonly typeUrl: string;
  /** For metrics and logs: listener, routes, cluster, endpoints. */
  readonly kind: string;
  /** Takes a resource over, or answers why it cannot; then what was held before stays. */
  accept(bytes: Uint8Array, name: string, version: string): readonly string[];
  /** The control plane says that there is no such resource. */
  remove(name: string): void;
}

export interface AdsClientOptions {
  readonly context: ControlConnectionContext;
  readonly target: ControlPlaneTarget;
  readonly identity: IdentitySource;
  readonly node: DeepPartial<Node>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** Called after each response has been taken over and before it is acknowledged. */
  readonly onApplied: () => void;
  /** Called for each response that is answered with a NACK. */
  readonly onRejected: (kind: string) => void;
  /** Whether something waits for the first configuration. */
  readonly urgent: () => boolean;
}

interface SubscribedType {
  readonly handler: ResourceHandler;
  readonly subscription: TypeSubscription;
}

/**
 * Delta ADS (xDS v3) to the control plane. What is subscribed to and what is held lives here and in the handlers, not in a
 * stream: a stream that ends changes nothing but that nobody is listening for a while.
 *
 *   waiting ──identity, backoff──▶ connecting ──▶ streaming ──end, error, new certificate──▶ waiting      stop() ▶ stopped
 */
export class AdsClient {
  readonly #options: AdsClientOptions;
  readonly #types = new Map<string, SubscribedType>();
  readonly #backoff: Backoff;
  readonly #unsubscribe: () => void;
  #state: 'waiting' | 'connecting' | 'streaming' | 'stopped' = 'waiting';
  #connection: ControlConnection | null = null;
  #call: GrpcCall | null = null;
  #isFirstRequest = true;
  #flushScheduled = false;
  #started = false;
  #cancelTimer: () => void = () => {};
  #cancelMove: () => void = () => {};
  /** The server of the present stream has answered. */
  #answered = false;
  /** Clock time of the last message; 0 before the first. */
  #heardAt = 0;
  #startedAt = 0;

  constructor(options: AdsClientOptions) {
    this.#options = options;
    this.#backoff = new Backoff(BACKOFF_BASE_MS, BACKOFF_MAX_MS, options.random);
    this.#unsubscribe = options.identity.subscribe(() => this.#onIdentity());
  }

  /** Before `start`; types are asked for in the order in which they are registered. */
  register(handler: ResourceHandler): TypeSubscription {
    const subscription = new TypeSubscription(handler.typeUrl, () => this.#scheduleFlush());
    this.#types.set(handler.typeUrl, { handler, subscription });
    return subscription;
  }

  /** Connects as soon as there is an identity, and again whenever the stream ends. */
  start(): void {
    this.#started = true;
    this.#startedAt = this.#options.clock.now();
    this.#connect();
  }

  /** The stream is up, and the control plane has said something on it. */
  get connected(): boolean {
    return this.#state === 'streaming' && this.#answered;
  }

  /** Seconds since the control plane was last heard, or since the start if it never was. */
  get silentSeconds(): number {
    const heard = Math.max(
      this.#heardAt,
      this.#startedAt,
      this.#state === 'streaming' ? this.#lifeSign() : 0,
    );
    return (this.#options.clock.now() - heard) / 1000;
  }

  stop(): void {
    if (this.#state === 'stopped') return;
    this.#close();
    this.#state = 'stopped';
    this.#unsubscribe();
  }

  #lifeSign(): number {
    return this.#connection?.heardAt ?? 0;
  }

  #onIdentity(): void {
    if (!this.#started || this.#state === 'stopped') return;
    if (this.#state === 'waiting') {
      this.#cancelTimer();
      this.#connect();
      return;
    }
    this.#cancelMove();
    const { clock, random } = this.#options;
    this.#cancelMove = clock.after(random() * MOVE_WITHIN_MS, () => {
      this.#close();
      this.#connect();
    });
  }

  #connect(): void {
    const { context, target, identity, log } = this.#options;
    const { current } = identity;
    if (current === null || this.#state !== 'waiting') return;
    this.#state = 'connecting';
    log.debug({ target }, 'connecting to the control plane');
    this.#connection = new ControlConnection(context, target, current.context, {
      onOpen: connection => this.#open(connection),
      onClosed: (_connection, reason) => this.#ended(reason),
    });
  }

  #open(connection: ControlConnection): void {
    const call = connection.call(METHOD, [], {
      onMessage: message => this.#receive(message),
      onEnd: status => this.#callEnded(status),
    });
    if (call === null) {
      this.#ended('the connection takes no calls');
      return;
    }
    this.#call = call;
    this.#state = 'streaming';
    this.#answered = false;
    this.#isFirstRequest = true;
    for (const { subscription } of this.#types.values()) subscription.restart();
    this.#flush();
  }

  #callEnded(status: GrpcStatus): void {
    this.#call = null;
    this.#ended(describeStatus(status));
  }

  /** Waits and connects again. What is held stays in force. */
  #ended(reason: string): void {
    if (this.#state === 'stopped' || this.#state === 'waiting') return;
    const { clock, log, urgent } = this.#options;
    const wasConnected = this.connected;
    this.#close();
    const retryMs = Math.min(this.#backoff.next(), urgent() ? URGENT_MAX_MS : BACKOFF_MAX_MS);
    const message = wasConnected ? 'control plane lost' : 'control plane not reached';
    log.warn({ reason, retryMs: Math.round(retryMs) }, `${message}; what is held stays in force`);
    this.#cancelTimer = clock.after(retryMs, () => this.#connect());
  }

  #close(): void {
    this.#cancelTimer();
    this.#cancelMove();
    this.#call?.cancel();
    this.#call = null;
    this.#connection?.close();
    this.#connection = null;
    if (this.#state !== 'stopped') this.#state = 'waiting';
  }

  /** Subscriptions of one turn travel together. */
  #scheduleFlush(): void {
    if (this.#flushScheduled || this.#state !== 'streaming') return;
    this.#flushScheduled = true;
    queueMicrotask(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#state !== 'streaming') return;
    for (const { subscription } of this.#types.values()) {
      const request = subscription.nextRequest();
      if (request !== null) this.#send(request);
    }
  }

  #send(request: DeepPartial<DeltaDiscoveryRequest>): void {
    // The node is needed once on a stream.
    const node = this.#isFirstRequest ? { node: this.#options.node } : {};
    this.#isFirstRequest = false;
    const message = DeltaDiscoveryRequest.fromPartial({ ...request, ...node });
    this.#call?.send(DeltaDiscoveryRequest.encode(message).finish());
  }

  #receive(bytes: Buffer): void {
    const { clock, log } = this.#options;
    let response: DeltaDiscoveryResponse;
    try {
      response = DeltaDiscoveryResponse.decode(bytes);
    } catch (error) {
      this.#ended(`the message is no DeltaDiscoveryResponse: ${(error as Error).message}`);
      return;
    }
    if (!this.#answered) log.info('control plane connected');
    this.#answered = true;
    this.#heardAt = clock.now();
    this.#backoff.reset();
    const type = this.#types.get(response.typeUrl);
    const reasons =
      type === undefined
        ? [
            `type_url is ${JSON.stringify(response.typeUrl)}; use one of ${[...this.#types.keys()].join(', ')}`,
          ]
        : this.#apply(type, response);
    // Before the answer: it says that this is in force, which is not so while something that it refers to is missing.
    this.#flush();
    this.#answer(response, reasons, type?.handler.kind ?? 'unknown');
  }

  /** Takes over what is valid; answers why the rest is not. */
  #apply({ handler, subscription }: SubscribedType, response: DeltaDiscoveryResponse): string[] {
    const reasons: string[] = [];
    for (const resource of response.resources) {
      // It was unsubscribed from while it was under way.
      if (!subscription.wants(resource.name)) continue;
      const problems = this.#accept(handler, resource);
      if (problems.length === 0) subscription.hold(resource.name, resource.version);
      for (const problem of problems) reasons.push(`${handler.kind} ${resource.name}: ${problem}`);
    }
    for (const name of response.removedResources) {
      if (!subscription.wants(name)) continue;
      subscription.drop(name);
      handler.remove(name);
    }
    this.#options.onApplied();
    return reasons;
  }

  #accept(handler: ResourceHandler, { resource, name, version }: Resource): readonly string[] {
    if (resource?.typeUrl !== handler.typeUrl) {
      return [`resource.type_url is ${JSON.stringify(resource?.typeUrl)}; it must be that of the response`];
    }
    try {
      return handler.accept(resource.value, name, version);
    } catch (error) {
      // A fault of ours. What was held stays in force, and the control plane's log says which resource it is.
      this.#options.log.error({ err: error, kind: handler.kind, name, version }, 'resource not taken over');
      return [`the sidecar failed to take it over: ${(error as Error).message}`];
    }
  }

  #answer(
    { typeUrl, nonce, resources }: DeltaDiscoveryResponse,
    reasons: readonly string[],
    kind: string,
  ): void {
    const { log, onRejected } = this.#options;
    if (reasons.length === 0) {
      log.debug({ kind, resources: resources.map(({ name }) => name) }, 'configuration taken over');
      this.#send({ typeUrl, responseNonce: nonce });
      return;
    }
    onRejected(kind);
    log.warn(
      { kind, reasons },
      'configuration rejected; what was valid is in force, the rest stays as it was',
    );
    const message = reasons.join('\n').slice(0, MAX_DETAIL);
    this.#send({ typeUrl, responseNonce: nonce, errorDetail: { code: INVALID_ARGUMENT, message } });
  }
}
