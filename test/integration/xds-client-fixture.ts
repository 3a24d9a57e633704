/** A control plane whose ADS says what a test tells it to, over real sockets, and a sidecar's xDS client. */
import type { ServerDuplexStream, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import { pack } from '../../api/xds/any.ts';
import { Cluster } from '../../api/xds/gen/envoy/config/cluster/v3/cluster.ts';
import { ClusterLoadAssignment } from '../../api/xds/gen/envoy/config/endpoint/v3/endpoint.ts';
import { Listener } from '../../api/xds/gen/envoy/config/listener/v3/listener.ts';
import { RouteConfiguration } from '../../api/xds/gen/envoy/config/route/v3/route.ts';
import { HttpConnectionManager } from '../../api/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  type Resource,
} from '../../api/xds/gen/envoy/service/discovery/v3/discovery.ts';
import type { DeepPartial } from '../../api/xds/gen/google/protobuf/any.ts';
import { metadataKey } from '../../api/xds/names.ts';
import type { ControlPlaneIdentity } from '../../control-plane/identity/control-plane-identity.ts';
import type { Resolution } from '../../proxy/cluster/destination.ts';
import { createServiceCounters } from '../../proxy/cluster/service-counters.ts';
import type { CertificateSource } from '../../proxy/identity/certificate-source.ts';
import { AdsClient } from '../../proxy/xds/ads-client.ts';
import { DestinationTable } from '../../proxy/xds/destination-table.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import { connectionContext, logInto, silent, targetOf } from './identity-fixture.ts';

export const types = {
  listener: `type.googleapis.com/${Listener.$type}`,
  routes: `type.googleapis.com/${RouteConfiguration.$type}`,
  cluster: `type.googleapis.com/${Cluster.$type}`,
  endpoints: `type.googleapis.com/${ClusterLoadAssignment.$type}`,
} as const;

type Kind = keyof typeof types;

const bytes = (message: Buffer): Buffer => message;
const definition: ServiceDefinition = {
  DeltaAggregatedResources: {
    path: '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',
    requestStream: true,
    responseStream: true,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  },
};

/** The requests of one stream, to be waited for one by one. */
export class ScriptedStream {
  readonly identity: ReturnType<ControlPlaneIdentity['identify']>;
  readonly received: DeltaDiscoveryRequest[] = [];
  readonly #call: ServerDuplexStream<Buffer, Buffer>;
  readonly #unread: DeltaDiscoveryRequest[] = [];
  #wake: () => void = () => {};
  #nonces = 0;

  constructor(
    call: ServerDuplexStream<Buffer, Buffer>,
    identity: ReturnType<ControlPlaneIdentity['identify']>,
  ) {
    this.#call = call;
    this.identity = identity;
    call.on('data', (message: Buffer) => {
      const request = DeltaDiscoveryRequest.decode(message);
      this.received.push(request);
      this.#unread.push(request);
      this.#wake();
    });
    call.on('error', () => {});
  }

  /** The next request that nobody has waited for in another way. */
  next(): Promise<DeltaDiscoveryRequest> {
    return this.#first(() => true);
  }

  /** The next subscription to a type; its names. Other requests stay for others. */
  async subscribed(kind: Kind): Promise<string[]> {
    const request = await this.#first(
      ({ typeUrl, resourceNamesSubscribe }) => typeUrl === types[kind] && resourceNamesSubscribe.length > 0,
    );
    return request.resourceNamesSubscribe;
  }

  /** Sends resources and answers what the client says to them: '' for ACK, else the text of the NACK. */
  async push(
    kind: Kind,
    resources: DeepPartial<Resource>[],
    removedResources: string[] = [],
  ): Promise<string> {
    const nonce = `${kind}-${++this.#nonces}`;
    this.send(
      DeltaDiscoveryResponse.fromPartial({ typeUrl: types[kind], nonce, resources, removedResources }),
    );
    const answer = await this.#first(({ responseNonce }) => responseNonce === nonce);
    return answer.errorDetail?.message ?? '';
  }

  async #first(wanted: (request: DeltaDiscoveryRequest) => boolean): Promise<DeltaDiscoveryRequest> {
    for (;;) {
      const index = this.#unread.findIndex(wanted);
      if (index >= 0) return this.#unread.splice(index, 1)[0];
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
    }
  }

  send(response: DeltaDiscoveryResponse): void {
    this.#call.write(Buffer.from(DeltaDiscoveryResponse.encode(response).finish()));
  }

  end(): void {
    this.#call.end();
  }
}

/** The ADS of a control plane; each stream is handed out once. */
export class ScriptedAds {
  readonly #streams: ScriptedStream[] = [];
  #wake: () => void = () => {};

  service = (identity: ControlPlaneIdentity): [ServiceDefinition, UntypedServiceImplementation][] => [
    [
      definition,
      {
        DeltaAggregatedResources: (call: ServerDuplexStream<Buffer, Buffer>) => {
          this.#streams.push(new ScriptedStream(call, identity.identify(call)));
          this.#wake();
        },
      },
    ],
  ];

  async stream(): Promise<ScriptedStream> {
    for (;;) {
      const stream = this.#streams.shift();
      if (stream !== undefined) return stream;
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
    }
  }
}

export interface RunningClient {
  readonly ads: AdsClient;
  readonly table: DestinationTable;
  readonly lines: Record<string, unknown>[];
  readonly rejected: string[];
  resolve(name: string): Promise<Resolution>;
  stop(): void;
}

export interface ClientOptions {
  /** Of the destinations. */
  clock?: Clock;
  /** Of the stream: backoff, and moves to a new identity. */
  adsClock?: Clock;
  resolveTimeoutMs?: number;
  idleMs?: number;
}

export const INBOUND = 'inbound/shop/web-1';

export function startClient(
  identity: CertificateSource,
  port: number,
  options: ClientOptions = {},
): RunningClient {
  const lines: Record<string, unknown>[] = [];
  const rejected: string[] = [];
  const clock = options.clock ?? systemClock;
  const ads: AdsClient = new AdsClient({
    context: connectionContext(),
    target: targetOf(port),
    identity,
    node: { id: 'shop/web-1', userAgentName: 'tulle' },
    clock: options.adsClock ?? systemClock,
    random: () => 0.5,
    log: logInto(lines),
    onApplied: () => table.settle(),
    onRejected: kind => rejected.push(kind),
    urgent: () => true,
  });
  const table = new DestinationTable({
    ads,
    clock,
    inbound: INBOUND,
    resolveTimeoutMs: options.resolveTimeoutMs ?? 5000,
    idleMs: options.idleMs ?? 600_000,
    counters: createServiceCounters,
    onInbound: () => {},
  });
  ads.start();
  return {
    ads,
    table,
    lines,
    rejected,
    resolve: name =>
      new Promise(resolve => {
        table.resolve(name, resolve);
      }),
    stop() {
      ads.stop();
      table.stop();
    },
  };
}

const metadata = (fields: Record<string, string>): DeepPartial<Listener>['metadata'] => ({
  filterMetadata: { [metadataKey]: fields },
});

const resource = (name: string, version: string, any: Resource['resource']): DeepPartial<Resource> => ({
  name,
  version,
  ...(any === undefined ? {} : { resource: any }),
});

/** An HTTP destination. */
export function listener(
  name: string,
  routes: string,
  version = '1',
  protocol = 'http',
): DeepPartial<Resource> {
  const manager = pack(HttpConnectionManager, {
    routeSpecifier: { $case: 'rds', value: { routeConfigName: routes } },
  });
  const message = {
    name,
    filterChains: [
      { filters: [{ name: 'http', configType: { $case: 'typedConfig', value: manager } as const }] },
    ],
    metadata: metadata({
      protocol,
      service_host: 'api.shop.svc.cluster.local',
      service_name: 'api',
      service_namespace: 'shop',
    }),
  };
  return resource(name, version, pack(Listener, message as DeepPartial<Listener>));
}

/** Routes that send everything to clusters with equal weights. */
export function routes(
  name: string,
  clusters: readonly string[],
  version = '1',
  path = '/',
): DeepPartial<Resource> {
  const message: DeepPartial<RouteConfiguration> = {
    name,
    virtualHosts: [
      {
        name: 'all',
        domains: ['*'],
        routes: [
          {
            match: {
              pathSpecifier: path === '/' ? { $case: 'prefix', value: '/' } : { $case: 'path', value: path },
            },
            action: {
              $case: 'route',
              value: {
                clusterSpecifier: {
                  $case: 'weightedClusters',
                  value: { clusters: clusters.map(cluster => ({ name: cluster, weight: 1 })) },
                },
              },
            },
          },
        ],
      },
    ],
  };
  return resource(name, version, pack(RouteConfiguration, message));
}

export function cluster(name: string, version = '1', balancing = 'peak-ewma'): DeepPartial<Resource> {
  const message: DeepPartial<Cluster> = {
    name,
    clusterDiscoveryType: { $case: 'type', value: 'EDS' },
    metadata: metadata({ balancing }) as DeepPartial<Cluster>['metadata'],
  };
  return resource(name, version, pack(Cluster, message));
}

export function endpoints(name: string, addresses: readonly string[], version = '1'): DeepPartial<Resource> {
  const message: DeepPartial<ClusterLoadAssignment> = {
    clusterName: name,
    endpoints: [
      {
        lbEndpoints: addresses.map(address => ({
          hostIdentifier: {
            $case: 'endpoint',
            value: {
              address: {
                address: {
                  $case: 'socketAddress',
                  value: { address, portSpecifier: { $case: 'portValue', value: 8080 } },
                },
              },
            },
          },
        })),
      },
    ],
  };
  return resource(name, version, pack(ClusterLoadAssignment, message));
}

/** How the pod's own ports are served. */
export function inbound(version = '1', mtls = 'strict'): DeepPartial<Resource> {
  const chain = (port: number | null): DeepPartial<Listener>['defaultFilterChain'] => ({
    ...(port === null ? {} : { filterChainMatch: { destinationPort: port } }),
    metadata: metadata({ protocol: 'http', mtls }),
  });
  const message = {
    name: INBOUND,
    filterChains: [chain(8080)],
    defaultFilterChain: chain(null),
    metadata: metadata({ workload: 'web', namespace: 'shop' }),
  };
  return resource(INBOUND, version, pack(Listener, message as DeepPartial<Listener>));
}

export { silent };
