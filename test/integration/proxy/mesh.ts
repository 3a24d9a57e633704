/** Two sidecars in one process, in explicit mode on loopback, with an in-memory configuration. */
import { type PortProtocol } from '../../../api/protocol.ts';
import { outboundListener } from '../../../api/xds/names.ts';
import { Cluster } from '../../../proxy/cluster/cluster.ts';
import type {
  ClusterConfig,
  EndpointConfig,
  ServiceLabels,
  WorkloadLabels,
} from '../../../proxy/cluster/cluster-config.ts';
import type {
  Destination,
  Destinations,
  InboundState,
  Resolution,
} from '../../../proxy/cluster/destination.ts';
import { createDataPath, type DataPath } from '../../../proxy/data-path.ts';
import { createInbound } from '../../../proxy/inbound.ts';
import type { InboundListenerConfig, MtlsMode } from '../../../proxy/listener/listener-config.ts';
import type { Stack } from '../../../proxy/listener/stack.ts';
import { createOutbound } from '../../../proxy/outbound.ts';
import type { ForwardConfig, RouteConfig } from '../../../proxy/route/route-config.ts';
import { compileRoutes } from '../../../proxy/route/route-table.ts';
import { AccessLog } from '../../../proxy/telemetry/access-log.ts';
import { Metrics } from '../../../proxy/telemetry/metrics.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { createLogger } from '../../../runtime/log.ts';
import { onEnd } from './apps.ts';
import { createAuthority, type TestAuthority, TestIdentity } from './identities.ts';

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
  retryBudget: { fraction: 0.2, min: 10 },
  maxConnections: 0,
  maxRequests: 0,
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
): Cluster {
  const made = new Cluster({ ...CLUSTER, name, service: service(name), ...options });
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
    origin: 'HTTPRoute/shop/test/0',
  };
}

/** Destinations that the test sets. */
export class TestDestinations implements Destinations {
  readonly #known = new Map<string, Resolution>();
  /** Answers what is not known; absent unless the test says otherwise. */
  unknown: Resolution = { kind: 'absent' };

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
    };
    this.#known.set(name, { kind: 'found', destination });
  }

  lookup(name: string): Resolution | null {
    return this.#known.get(name) ?? null;
  }

  resolve(name: string, callback: (resolution: Resolution) => void): void {
    setImmediate(() => callback(this.#known.get(name) ?? this.unknown));
  }
}

export interface Sidecar {
  readonly stack: Stack;
  readonly metrics: Metrics;
  readonly identity: TestIdentity;
  readonly path: DataPath;
}

export class TestMesh {
  readonly authority: TestAuthority = createAuthority();
  readonly destinations = new TestDestinations();
  readonly #stacks: Stack[] = [];

  /** A client's sidecar: an HTTP proxy at `addresses[0]`, and a listener per destination. */
  async client(
    options: {
      identity?: TestIdentity;
      listeners?: readonly { host: string; targetPort: number }[];
      detectTimeoutMs?: number;
    } = {},
  ): Promise<Sidecar> {
    const identity = options.identity ?? TestIdentity.create(this.authority, CLIENT_ID);
    const metrics = new Metrics(1000);
    const path = this.#path(identity, metrics, {
      current: inboundConfig('web', new Map(), 'detect', 'permissive'),
    });
    const stack = createOutbound(path, {
      destinations: this.destinations,
      listenAddress: '127.0.0.1',
      port: 0,
      originalDestination: null,
      listeners: (options.listeners ?? []).map(listener => ({ address: '127.0.0.1', port: 0, ...listener })),
      isOwn: (_host, port) => port === stack.addresses[0].port,
      expand: host => host,
      detectTimeoutMs: options.detectTimeoutMs ?? 1000,
      connectTimeoutMs: 1000,
      maxConnections: 10_000,
    });
    await stack.listen();
    this.#stacks.push(stack);
    return { stack, metrics, identity, path };
  }

  /** A server's sidecar in front of an application. */
  async server(
    applicationPort: number,
    options: {
      identity?: TestIdentity;
      protocol?: PortProtocol;
      mtls?: MtlsMode;
      detectTimeoutMs?: number;
    } = {},
  ): Promise<Sidecar & { port: number }> {
    const identity = options.identity ?? TestIdentity.create(this.authority, SERVER_ID);
    const metrics = new Metrics(1000);
    const { protocol = 'detect', mtls = 'permissive' } = options;
    const inbound: InboundState = { current: inboundConfig('orders', new Map(), protocol, mtls) };
    const path = this.#path(identity, metrics, inbound);
    const stack = createInbound(path, {
      listenAddress: '127.0.0.1',
      port: 0,
      originalDestination: null,
      listeners: [{ address: '127.0.0.1', port: 0, applicationAddress: '127.0.0.1', applicationPort }],
      podIp: '',
      isOwn: () => false,
      detectTimeoutMs: options.detectTimeoutMs ?? 1000,
      connectTimeoutMs: 1000,
      maxConnections: 10_000,
    });
    await stack.listen();
    this.#stacks.push(stack);
    return { stack, metrics, identity, path, port: stack.addresses[0].port };
  }

  #path(identity: TestIdentity, metrics: Metrics, inbound: InboundState): DataPath {
    const log = createLogger('test', process.env['TEST_LOG_LEVEL'] ?? 'fatal');
    return createDataPath({
      clock: systemClock,
      random: Math.random,
      log,
      metrics,
      accessLog: new AccessLog(log, 'off'),
      identity,
      inbound,
    });
  }

  /**
   * The service `orders` on port 80 with these clusters, the first of which is its own.
   * @returns port of a listener of a new client's sidecar that stands for it
   */
  async orders(
    clusters: readonly Cluster[],
    options: {
      protocol?: PortProtocol;
      routes?: readonly RouteConfig[] | null;
      client?: Parameters<TestMesh['client']>[0];
    } = {},
  ): Promise<Sidecar & { port: number }> {
    const { protocol = 'http', routes = [forward([clusters[0].name])] } = options;
    this.destinations.set('orders', 80, protocol, clusters, routes);
    const client = await this.client({ ...options.client, listeners: [{ host: 'orders', targetPort: 80 }] });
    return { ...client, port: client.stack.addresses[1].port };
  }

  close(): void {
    for (const stack of this.#stacks) stack.close();
  }
}

/** A mesh that ends with the test. */
export function testMesh(): TestMesh {
  const mesh = new TestMesh();
  onEnd(() => mesh.close());
  return mesh;
}

function inboundConfig(
  name: string,
  ports: InboundListenerConfig['ports'],
  protocol: PortProtocol,
  mtls: MtlsMode,
): InboundListenerConfig {
  return {
    name: `inbound/shop/${name}`,
    version: '1',
    ports,
    otherPorts: { protocol, mtls },
    workload: workload(name),
  };
}
