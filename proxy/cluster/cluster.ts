import { isDeepStrictEqual } from 'node:util';
import { createPicker, type Picker } from '../load-balancer/picker.ts';
import type { ClusterConfig, EndpointConfig, EndpointsConfig } from './cluster-config.ts';
import { Endpoint, endpointKey } from './endpoint.ts';
import { buildView, type EndpointView } from './endpoint-view.ts';
import { RetryRate } from './retry-rate.ts';
import { createServiceCounters, type ServiceCounters } from './service-counters.ts';

/** What a cluster without a sample takes a request to last, in ms. */
const UNKNOWN_LATENCY_MS = 10;

/**
 * A destination with its endpoints and what is going on with them. Lives as long as the name is subscribed to; the
 * configuration is swapped, the counters and the endpoints that are still there stay.
 */
export class Cluster {
  readonly name: string;
  config: ClusterConfig;
  /** Version of the endpoints; '' before the first. */
  endpointsVersion: string;
  /** All endpoints, ejected ones as well. */
  endpoints: readonly Endpoint[];
  /** Requests in flight; taken and given back by `admitRequest` and `releaseRequest`. */
  activeRequests: number;
  /** Connections that carry bytes and look for an endpoint; taken and given back by `Splice`. */
  connecting: number;
  /** Retries in flight, waiting ones as well; taken and given back by `takeRetry` and `returnRetry`. */
  activeRetries: number;
  /** What counts retries by time; null where no policy asks for it. */
  retryRate: RetryRate | null;
  /** Endpoints that are ejected, as of the last view. */
  ejected: number;
  /** Counters of the Service, shared by its clusters. */
  readonly counters: ServiceCounters;
  #retired: boolean;
  #picker: Picker;
  #view: EndpointView | null;
  #stale: boolean;
  #typicalMs: number;
  #samples: number;

  constructor(config: ClusterConfig, counters: ServiceCounters = createServiceCounters()) {
    this.name = config.name;
    this.config = config;
    this.endpointsVersion = '';
    this.endpoints = [];
    this.activeRequests = 0;
    this.connecting = 0;
    this.activeRetries = 0;
    this.retryRate = retryRate(config);
    this.ejected = 0;
    this.counters = counters;
    this.#retired = false;
    this.#picker = createPicker(config.balancing);
    this.#view = null;
    this.#stale = true;
    this.#typicalMs = UNKNOWN_LATENCY_MS;
    this.#samples = 0;
  }

  /** Swaps the configuration. */
  update(config: ClusterConfig): void {
    if (config.balancing !== this.config.balancing) this.#picker = createPicker(config.balancing);
    // What was counted until now stays, unless it is to be counted in another way.
    if (!isDeepStrictEqual(config.retryBudget.rate, this.config.retryBudget.rate))
      this.retryRate = retryRate(config);
    const sameTls = isDeepStrictEqual(config.backendTls, this.config.backendTls);
    // The object as well: what was made of it is found by it.
    this.config = sameTls ? { ...config, backendTls: this.config.backendTls } : config;
    // Connections of both kinds never mix: what is open ends with its requests.
    if (!sameTls) this.#replaceEndpoints(this.endpoints, new Map());
  }

  /** Takes over a list of endpoints; those that stay keep their state, those that are gone are told. */
  updateEndpoints(config: EndpointsConfig): void {
    const known = new Map<string, Endpoint>();
    for (const endpoint of this.endpoints) known.set(endpoint.key, endpoint);
    this.#replaceEndpoints(config.endpoints, known);
    this.endpointsVersion = config.version;
  }

  /** `known`: those of the present endpoints that may stay. */
  #replaceEndpoints(endpoints: readonly EndpointConfig[], known: ReadonlyMap<string, Endpoint>): void {
    const next = new Map<string, Endpoint>();
    for (const item of endpoints) {
      const key = endpointKey(item);
      if (next.has(key)) continue;
      const endpoint = known.get(key);
      if (endpoint === undefined) next.set(key, new Endpoint(item, this.config.backendTls));
      else {
        endpoint.update(item);
        next.set(key, endpoint);
      }
    }
    const before = this.endpoints;
    this.endpoints = [...next.values()];
    this.#stale = true;
    for (const endpoint of before) {
      if (next.get(endpoint.key) !== endpoint) endpoint.remove();
    }
  }

  /**
   * Nothing refers to the cluster any more. What it has begun may still need an endpoint; when that is over, the endpoints
   * are told, and nothing can be picked.
   */
  retire(): void {
    this.#retired = true;
    this.released();
  }

  /** To be called when {@link activeRequests} or {@link connecting} has been given back. */
  released(): void {
    if (!this.#retired || this.activeRequests > 0 || this.connecting > 0) return;
    this.updateEndpoints({ name: this.name, version: '', endpoints: [] });
  }

  /** An endpoint was ejected or changed in a way that concerns the choice. */
  invalidate(): void {
    this.#stale = true;
  }

  /** The endpoints that may be used at `now`, prepared for a pick. */
  view(now: number): EndpointView {
    const view = this.#view;
    if (view !== null && !this.#stale && now < view.validUntil) return view;
    return this.#rebuild(now);
  }

  /**
   * Chooses an endpoint; null if there is none at all. Endpoints in `tried` are avoided while there are others. The
   * caller begins the attempt at once (`beginAttempt`), so that the next pick sees it.
   */
  pick(tried: readonly Endpoint[], random: () => number, now: number): Endpoint | null {
    return this.#picker.pick(this.view(now), tried, random, now);
  }

  /** Mean time to the response head over all endpoints, in ms; slow to change. */
  get typicalMs(): number {
    return this.#typicalMs;
  }

  /** Notes a sample for {@link typicalMs}: a plain mean of the first 64, then a moving one. */
  observe(latencyMs: number): void {
    if (this.#samples < 64) this.#samples++;
    this.#typicalMs += (latencyMs - this.#typicalMs) / this.#samples;
    if (this.#view !== null) this.#view.typicalMs = this.#typicalMs;
  }

  #rebuild(now: number): EndpointView {
    let ejected = 0;
    for (const endpoint of this.endpoints) {
      if (endpoint.ejectedUntil > now) ejected++;
      else if (endpoint.ejectedUntil > 0) {
        endpoint.ejectedUntil = 0;
        endpoint.probing = true;
      }
    }
    this.ejected = ejected;
    this.#view = buildView(this.endpoints, now, this.#view);
    this.#view.typicalMs = this.#typicalMs;
    this.#stale = false;
    return this.#view;
  }
}

function retryRate({ retryBudget }: ClusterConfig): RetryRate | null {
  return retryBudget.rate === null ? null : new RetryRate(retryBudget.rate);
}
