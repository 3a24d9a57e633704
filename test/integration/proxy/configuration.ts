/** Configuration as values, as the control plane would send it. */
import type { PortProtocol } from '../../../api/protocol.ts';
import { outboundListener } from '../../../api/xds/names.ts';
import { Cluster } from '../../../proxy/cluster/cluster.ts';
import type {
  ClusterConfig,
  EndpointConfig,
  ServiceLabels,
  WorkloadLabels,
} from '../../../proxy/cluster/cluster-config.ts';
import type { Destination, Destinations, Resolution } from '../../../proxy/cluster/destination.ts';
import { createServiceCounters } from '../../../proxy/cluster/service-counters.ts';
import type { InboundListenerConfig, MtlsMode } from '../../../proxy/listener/listener-config.ts';
import { type ConnectionRouteConfig, compileConnections } from '../../../proxy/route/connection-table.ts';
import type { ForwardConfig, RouteConfig } from '../../../proxy/route/route-config.ts';
import { compileRoutes } from '../../../proxy/route/route-table.ts';

export const CLIENT_ID = 'spiffe://cluster.local/ns/shop/sa/web';
export const SERVER_ID = 'spiffe://cluster.local/ns/shop/sa/orders';

export function workload(name: string, namespace = 'shop'): WorkloadLabels {
  return {
    workload: name,
    namespace,
    principal: '',
    app: name,
    version: 'v1',
    canonicalService: name,
    canonicalRevision: 'v1',
  };
}

export function service(name: string, namespace = 'shop'): ServiceLabels {
  return { host: `${name}.${namespace}.svc.cluster.local`, name, namespace };
}

const CLUSTER: Omit<ClusterConfig, 'name' | 'service'> = {
  version: '1',
  protocol: 'auto',
  connectTimeoutMs: 1000,
  balancing: 'round-robin',
  outlier: {
    consecutiveFailures: 5,
    baseEjectionMs: 30_000,
    maxEjectionMs: 300_000,
    maxEjectedFraction: 0.5,
  },
  retryBudget: { fraction: 0.2, min: 10, rate: null },
  maxConnections: 0,
  maxRequests: 0,
  session: null,
  backendTls: null,
};

export function endpoint(port: number, options: Partial<EndpointConfig> = {}): EndpointConfig {
  const meshed = options.identity !== undefined && options.identity !== '';
  return {
    address: '127.0.0.1',
    port,
    meshed,
    identity: '',
    weight: 1,
    priority: 0,
    zone: '',
    labels: workload('orders'),
    ...options,
  };
}

export function cluster(
  name: string,
  endpoints: readonly EndpointConfig[],
  options: Partial<ClusterConfig> = {},
  counters = createServiceCounters(),
): Cluster {
  const made = new Cluster({ ...CLUSTER, name, service: service(name), ...options }, counters);
  made.updateEndpoints({ name, version: '1', endpoints });
  return made;
}

export function forward(backends: readonly string[], options: Partial<ForwardConfig> = {}): RouteConfig {
  return {
    match: { path: { kind: 'any' }, method: '', headers: [], query: [] },
    action: {
      kind: 'forward',
      backends: backends.map(name => ({
        cluster: name,
        weight: 1,
        requestFields: null,
        responseFields: null,
      })),
      pathRewrite: null,
      hostRewrite: '',
      timeoutMs: 0,
      retry: null,
      mirrors: [],
      ...options,
    },
    requestFields: null,
    responseFields: null,
    cors: null,
    session: null,
    origin: 'HTTPRoute/shop/test/0',
  };
}

/** Destinations that the test sets. */
export class TestDestinations implements Destinations {
  readonly #known = new Map<string, Resolution>();
  /** Answers what is not known; absent unless the test says otherwise. */
  unknown: Resolution = { kind: 'absent' };
  /** While it is not null nothing is known, and whoever asks waits here. */
  held: (() => void)[] | null = null;

  /** Answers who waits in {@link held}. */
  release(): void {
    const waiting = this.held ?? [];
    this.held = null;
    for (const answer of waiting) answer();
  }

  /** A destination by host and port. `routes` null: opaque. */
  set(
    host: string,
    port: number,
    protocol: PortProtocol,
    clusters: readonly Cluster[],
    routes: readonly RouteConfig[] | null,
  ): void {
    const name = outboundListener(host, port);
    const destination: Destination = {
      name,
      protocol,
      service: clusters[0]?.config.service ?? service('none'),
      port,
      routes:
        routes === null
          ? null
          : compileRoutes(
              { name, version: '1', routes },
              wanted => clusters.find(made => made.name === wanted) ?? null,
            ),
      cluster: clusters[0] ?? null,
      connections: null,
    };
    this.#known.set(name, { kind: 'found', destination });
  }

  /** A destination with routes of connections. */
  setConnections(
    host: string,
    port: number,
    protocol: 'opaque' | 'tls',
    service: ServiceLabels,
    clusters: readonly Cluster[],
    routes: readonly ConnectionRouteConfig[],
  ): void {
    const name = outboundListener(host, port);
    const live = (wanted: string) => clusters.find(made => made.name === wanted) ?? null;
    const connections = compileConnections(routes, live);
    const destination = { name, protocol, service, port, routes: null, cluster: null, connections };
    this.#known.set(name, { kind: 'found', destination });
  }

  /** The mesh does not know it any more. */
  forget(host: string, port: number): void {
    this.#known.set(outboundListener(host, port), { kind: 'absent' });
  }

  lookup(name: string): Resolution | null {
    return this.held === null ? (this.#known.get(name) ?? null) : null;
  }

  resolve(name: string, callback: (resolution: Resolution) => void): void {
    const answer = (): void => callback(this.#known.get(name) ?? this.unknown);
    if (this.held === null) setImmediate(answer);
    else this.held.push(answer);
  }
}

/** How the pod's own ports are served: all alike. */
export function inboundConfig(name: string, protocol: PortProtocol, mtls: MtlsMode): InboundListenerConfig {
  return {
    name: `inbound/shop/${name}`,
    version: '1',
    ports: new Map(),
    otherPorts: { protocol, mtls },
    workload: workload(name),
  };
}
