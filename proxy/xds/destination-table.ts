import { parseListener } from '../../api/xds/names.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Destination, Destinations, InboundState, Resolution } from '../cluster/destination.ts';
import type { ServiceCounters } from '../cluster/service-counters.ts';
import type { InboundListenerConfig } from '../listener/listener-config.ts';
import type { RoutesConfig } from '../route/route-config.ts';
import type { AdsClient } from './ads-client.ts';
import { ClusterTable } from './cluster-table.ts';
import { connectionClusters, connectionsOf } from './connections.ts';
import type { ListenerConfig } from './decode/listeners.ts';
import { ABSENT, type DescribedDestination, describeEntry, type Entry, isBusy } from './destination-entry.ts';
import { clusterType, endpointsType, listenerType, type ResourceType, routesType } from './resource-types.ts';
import { RouteTables } from './route-tables.ts';
import type { TypeSubscription } from './type-subscription.ts';

/** Addresses outside of the mesh that are remembered: an application that scans a network must not fill the memory. */
const MAX_ABSENT = 2000;

/** Idle destinations are looked for this many times within the idle time. */
const SWEEPS = 8;

const UNAVAILABLE: Resolution = Object.freeze({ kind: 'unavailable' });

export interface DestinationTableOptions {
  readonly ads: AdsClient;
  readonly clock: Clock;
  /** Name of the pod's own Listener, `inbound/<namespace>/<pod>`. */
  readonly inbound: string;
  /** Longest wait for a destination that is called for the first time, ms. */
  readonly resolveTimeoutMs: number;
  /** Without a call for this time a destination is forgotten, ms. */
  readonly idleMs: number;
  /** Counters of a Service by its host (`Metrics.service`). */
  readonly counters: (host: string) => ServiceCounters;
  /** Called when the pod's own Listener has been taken over. */
  readonly onInbound: (config: InboundListenerConfig) => void;
}

/**
 * What the pod calls, on demand: Listener → RouteConfiguration → Clusters → endpoints. A destination becomes visible when
 * everything that it refers to is there, by one swap of a frozen value; until then the one before it is served.
 */
export class DestinationTable implements Destinations, InboundState {
  #inbound: InboundListenerConfig | null = null;
  readonly #options: DestinationTableOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #clusters: ClusterTable;
  readonly #routes: RouteTables;
  readonly #listenerNames: TypeSubscription;
  readonly #routeNames: TypeSubscription;
  readonly #clusterNames: TypeSubscription;
  readonly #endpointNames: TypeSubscription;
  /** References may have changed since they were last followed; most updates are of endpoints, and change none. */
  #unsettled = false;
  #absentCount = 0;
  #cancelSweep: () => void = () => {};

  constructor(options: DestinationTableOptions) {
    this.#options = options;
    this.#clusters = new ClusterTable(options.counters);
    this.#routes = new RouteTables(this.#clusters);
    this.#listenerNames = this.#register(listenerType, {
      set: config => this.#setListener(config),
      remove: name => this.#removeListener(name),
    });
    this.#routeNames = this.#register(routesType, {
      set: config => {
        this.#routes.set(config);
        this.#unsettled = true;
      },
      // Nothing refers to it soon; until then what was compiled from it is served.
      remove: () => {},
    });
    this.#clusterNames = this.#register(clusterType, {
      set: config => this.#clusterChanged(this.#clusters.setConfig(config)),
      remove: name => this.#clusterGone(name),
    });
    this.#endpointNames = this.#register(endpointsType, {
      set: config => this.#clusterChanged(this.#clusters.setEndpoints(config)),
      remove: name => this.#clusterGone(name),
    });
    this.#listenerNames.subscribe(options.inbound);
    this.#scheduleSweep();
  }

  get current(): InboundListenerConfig | null {
    return this.#inbound;
  }

  clusters(): Iterable<Cluster> {
    return this.#clusters.all();
  }

  lookup(name: string): Resolution | null {
    const entry = this.#entries.get(name);
    if (entry === undefined) return null;
    entry.used = true;
    return entry.visible === null ? null : entry.visible.resolution;
  }

  resolve(name: string, callback: (resolution: Resolution) => void): void {
    const entry = this.#entries.get(name) ?? this.#create(name);
    entry.used = true;
    const { visible } = entry;
    if (visible !== null) {
      queueMicrotask(() => callback(visible.resolution));
      return;
    }
    const { clock, resolveTimeoutMs } = this.#options;
    const cancel = clock.after(resolveTimeoutMs, () => {
      entry.waiters.delete(waiter);
      callback(UNAVAILABLE);
    });
    const waiter = { callback, cancel };
    entry.waiters.add(waiter);
  }

  /** To be called after each response: follows references, swaps what is complete, and wakes those who wait for it. */
  settle(): void {
    if (!this.#unsettled) return;
    this.#unsettled = false;
    this.#follow();
    const woken: Entry[] = [];
    for (const entry of this.#entries.values()) {
      this.#show(entry);
      if (entry.visible !== null && entry.waiters.size > 0) woken.push(entry);
    }
    // What was served until now may have kept names that nothing refers to any more.
    this.#follow();
    for (const entry of woken) this.#wake(entry);
  }

  stop(): void {
    this.#cancelSweep();
  }

  /** What is held, for people: names, versions, states. */
  describe(): { destinations: DescribedDestination[]; routes: RoutesConfig[]; clusters: Cluster[] } {
    return {
      destinations: [...this.#entries.values()].map(describeEntry),
      routes: [...this.#routes.all()],
      clusters: [...this.#clusters.all()],
    };
  }

  #register<T>(
    type: ResourceType<T>,
    handler: { set(value: T): void; remove(name: string): void },
  ): TypeSubscription {
    return this.#options.ads.register({
      kind: type.kind,
      typeUrl: type.typeUrl,
      accept(bytes, name, version) {
        const decoded = type.decode(bytes, name, version);
        if (decoded.kind === 'rejected') return decoded.reasons;
        handler.set(decoded.value);
        return [];
      },
      remove: name => handler.remove(name),
    });
  }

  #create(name: string): Entry {
    const parsed = parseListener(name);
    const entry: Entry = {
      name,
      port: parsed?.kind === 'outbound' ? parsed.port : 0,
      config: null,
      visible: null,
      waiters: new Set(),
      used: true,
      usedAt: this.#options.clock.now(),
    };
    this.#entries.set(name, entry);
    this.#listenerNames.subscribe(name);
    return entry;
  }

  #setListener(config: ListenerConfig): void {
    if (config.direction === 'inbound') {
      this.#inbound = config;
      this.#options.onInbound(config);
      return;
    }
    const entry = this.#entries.get(config.name);
    if (entry === undefined) return;
    entry.config = config;
    this.#unsettled = true;
  }

  /** Our own Listener stays: a pod that is being deleted still serves what reaches it. */
  #removeListener(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    entry.config = null;
    if (entry.visible?.resolution !== ABSENT) this.#absentCount++;
    entry.visible = { resolution: ABSENT, config: null, compiled: null, cluster: null, connections: null };
    this.#unsettled = true;
    if (this.#absentCount > MAX_ABSENT) this.#forgetOneAbsent();
  }

  #clusterChanged(cameToLife: boolean): void {
    if (cameToLife) this.#unsettled = true;
  }

  #clusterGone(name: string): void {
    this.#clusters.setAbsent(name);
    this.#unsettled = true;
  }

  /** Makes the newest destination visible if it is complete and another one than before. */
  #show(entry: Entry): void {
    const { config, visible } = entry;
    if (config === null) return;
    const compiled = config.routes === '' ? null : this.#routes.get(config.routes);
    const cluster = config.cluster === '' ? null : (this.#clusters.get(config.cluster) ?? null);
    const held = visible?.config === config ? visible.connections : null;
    const connections = config.connections && connectionsOf(config.connections, held, this.#clusters);
    if (config.routes !== '' && compiled === null) return;
    if (config.cluster !== '' && cluster === null) return;
    if (config.connections !== null && connections === null) return;
    const same = visible?.config === config && visible.compiled === compiled && visible.cluster === cluster;
    if (same && visible.connections === connections) return;
    if (visible?.resolution === ABSENT) this.#absentCount--;
    const destination: Destination = Object.freeze({
      name: config.name,
      protocol: config.protocol,
      service: config.service,
      port: entry.port,
      routes: compiled === null ? null : compiled.table,
      cluster,
      connections,
    });
    const resolution: Resolution = Object.freeze({ kind: 'found', destination });
    entry.visible = { resolution, config, compiled, cluster, connections };
  }

  #wake(entry: Entry): void {
    const { visible, waiters } = entry;
    if (visible === null) return;
    for (const waiter of waiters) {
      waiters.delete(waiter);
      waiter.cancel();
      waiter.callback(visible.resolution);
    }
  }

  /** Subscribes to all that is referred to, by what is newest and by what is still served, and to nothing else. */
  #follow(): void {
    const routes = new Set<string>();
    const clusters = new Set<string>();
    for (const { config, visible } of this.#entries.values()) {
      if (config !== null) {
        if (config.routes !== '') routes.add(config.routes);
        if (config.cluster !== '') clusters.add(config.cluster);
        for (const name of connectionClusters(config.connections)) clusters.add(name);
      }
      if (visible === null) continue;
      for (const name of visible.compiled?.clusters ?? []) clusters.add(name);
      if (visible.cluster !== null) clusters.add(visible.cluster.name);
      for (const name of connectionClusters(visible.config?.connections ?? null)) clusters.add(name);
    }
    for (const name of routes) for (const cluster of this.#routes.clustersOf(name)) clusters.add(cluster);
    retain(this.#routeNames, routes, name => this.#routes.forget(name));
    retain(this.#clusterNames, clusters, () => {});
    retain(this.#endpointNames, clusters, name => this.#clusters.forget(name));
  }

  #forget(entry: Entry): void {
    if (entry.visible?.resolution === ABSENT) this.#absentCount--;
    this.#entries.delete(entry.name);
    this.#listenerNames.unsubscribe(entry.name);
    this.#unsettled = true;
  }

  #forgetOneAbsent(): void {
    for (const entry of this.#entries.values()) {
      if (entry.visible?.resolution !== ABSENT || entry.waiters.size > 0) continue;
      this.#forget(entry);
      return;
    }
  }

  #scheduleSweep(): void {
    const { clock, idleMs } = this.#options;
    this.#cancelSweep = clock.after(idleMs / SWEEPS, () => {
      this.#sweep();
      this.#scheduleSweep();
    });
  }

  #sweep(): void {
    const now = this.#options.clock.now();
    for (const entry of this.#entries.values()) {
      if (entry.used || entry.waiters.size > 0 || isBusy(entry)) {
        entry.used = false;
        entry.usedAt = now;
      } else if (now - entry.usedAt >= this.#options.idleMs) {
        this.#forget(entry);
      }
    }
    this.settle();
  }
}

/** Makes the names of a type those of `wanted`. */
function retain(
  subscription: TypeSubscription,
  wanted: ReadonlySet<string>,
  forget: (name: string) => void,
): void {
  for (const name of subscription.names) {
    if (wanted.has(name)) continue;
    subscription.unsubscribe(name);
    forget(name);
  }
  for (const name of wanted) subscription.subscribe(name);
}
