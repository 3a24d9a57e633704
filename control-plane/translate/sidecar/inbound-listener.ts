import type { PortProtocol } from '../../../api/protocol.ts';
import { formatSpiffe } from '../../../api/spiffe.ts';
import { pack } from '../../../api/xds/any.ts';
import type { Listener } from '../../../api/xds/gen/envoy/config/listener/v3/listener.ts';
import type {
  Filter,
  FilterChain,
} from '../../../api/xds/gen/envoy/config/listener/v3/listener_components.ts';
import { HttpConnectionManager } from '../../../api/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import { TcpProxy } from '../../../api/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.ts';
import { DownstreamTlsContext } from '../../../api/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts';
import type { DeepPartial } from '../../../api/xds/gen/google/protobuf/any.ts';
import { key, type Service, type Workload } from '../../model/model.ts';
import { declaredPorts } from '../destination.ts';
import { workloadMetadata } from '../endpoint-frames.ts';
import type { MeshReader } from '../mesh-reader.ts';
import { routerFilter, tulleMetadata } from '../wire.ts';
import { serviceMetadata } from './service-metadata.ts';

interface InboundPort {
  readonly protocol: PortProtocol;
  readonly service: Service | null;
}

/** Listener `inbound/<namespace>/<pod>`: how the pod's own ports are served. */
export function inboundListener(
  reader: MeshReader,
  name: string,
  namespace: string,
  pod: string,
): DeepPartial<Listener> | null {
  const workload = reader.workload(key(namespace, pod));
  if (workload === undefined) return null;
  const { trustDomain, clusterDomain, defaultMtls } = reader.settings;
  const mtls = workload.mtls === '' ? defaultMtls : workload.mtls;
  const chain = (port: number | null, served: InboundPort): DeepPartial<FilterChain> =>
    filterChain(port, served, mtls, clusterDomain);
  const principal = formatSpiffe({ trustDomain, namespace, serviceAccount: workload.serviceAccount });
  return {
    name,
    trafficDirection: 'INBOUND',
    filterChains: [...inboundPorts(reader, workload)].map(([port, served]) => chain(port, served)),
    defaultFilterChain: chain(null, { protocol: 'detect', service: null }),
    metadata: tulleMetadata({
      ...workloadMetadata(workload, principal),
      opaque_ports: workload.opaquePorts.join(','),
    }),
  };
}

/** Ports in ascending order: those that Services declare, and those that are opaque by annotation. */
function inboundPorts(reader: MeshReader, workload: Workload): [number, InboundPort][] {
  const ports = new Map<number, InboundPort>();
  // What goes to an application that serves TLS is for the application to read, in whatever it came.
  for (const [port, { protocol, service, backendTls }] of declaredPorts(reader, workload))
    ports.set(port, { protocol: backendTls === null ? protocol : 'opaque', service });
  for (const port of workload.opaquePorts) {
    if (!ports.has(port)) ports.set(port, { protocol: 'opaque', service: null });
  }
  return [...ports].sort(([a], [b]) => a - b);
}

function filterChain(
  port: number | null,
  { protocol, service }: InboundPort,
  mtls: 'permissive' | 'strict',
  clusterDomain: string,
): DeepPartial<FilterChain> {
  const tls = pack(DownstreamTlsContext, { requireClientCertificate: mtls === 'strict' });
  return {
    name: port === null ? 'other' : `port-${port}`,
    ...(port === null ? {} : { filterChainMatch: { destinationPort: port } }),
    filters: [protocol === 'opaque' ? tcpFilter() : httpFilter()],
    transportSocket: {
      name: 'envoy.transport_sockets.tls',
      configType: { $case: 'typedConfig', value: tls },
    },
    metadata: tulleMetadata({ protocol, mtls, ...serviceMetadata(service, clusterDomain) }),
  };
}

function tcpFilter(): DeepPartial<Filter> {
  const proxy = pack(TcpProxy, {
    statPrefix: 'inbound',
    clusterSpecifier: { $case: 'cluster', value: 'local' },
  });
  return { name: 'envoy.filters.network.tcp_proxy', configType: { $case: 'typedConfig', value: proxy } };
}

/** Everything goes to the application: the inbound path needs no routes. */
function httpFilter(): DeepPartial<Filter> {
  const manager = pack(HttpConnectionManager, {
    statPrefix: 'inbound',
    routeSpecifier: { $case: 'routeConfig', value: { name: 'inbound' } },
    httpFilters: [routerFilter()],
  });
  return {
    name: 'envoy.filters.network.http_connection_manager',
    configType: { $case: 'typedConfig', value: manager },
  };
}
