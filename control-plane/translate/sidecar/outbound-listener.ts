import type { PortProtocol } from '../../../api/protocol.ts';
import { pack } from '../../../api/xds/any.ts';
import { Listener } from '../../../api/xds/gen/envoy/config/listener/v3/listener.ts';
import type { FilterChain } from '../../../api/xds/gen/envoy/config/listener/v3/listener_components.ts';
import { HttpConnectionManager } from '../../../api/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import { TcpProxy } from '../../../api/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.ts';
import type { DeepPartial } from '../../../api/xds/gen/google/protobuf/any.ts';
import { connectionRoutesFor } from '../connection-routes.ts';
import { type Destination, destinationOf } from '../destination.ts';
import { clusterFor, routesFor } from '../destination-names.ts';
import type { MeshReader } from '../mesh-reader.ts';
import type { ConnectionRoutes } from '../resolved-route.ts';
import { overAds, routerFilter, tulleMetadata } from '../wire.ts';
import { serviceMetadata } from './service-metadata.ts';

/** Listener `outbound/<host>:<port>`: what a connection of the pod to this destination finds. */
export function outboundListener(
  reader: MeshReader,
  name: string,
  host: string,
  port: number,
  namespace: string,
): DeepPartial<Listener> | null {
  const destination = destinationOf(reader, host, port);
  if (destination === null) return null;
  const set = connectionRoutesFor(reader, destination, namespace);
  const protocol = protocolOf(destination, set);
  const cluster = clusterFor(destination);
  const listener: DeepPartial<Listener> = {
    name,
    trafficDirection: 'OUTBOUND',
    metadata: tulleMetadata({
      protocol,
      ...serviceMetadata(destination.service, reader.settings.clusterDomain),
    }),
  };
  if (set !== null) return { ...listener, ...connectionChains(set) };
  if (protocol !== 'opaque') listener.filterChains = [httpChain(routesFor(reader, destination, namespace))];
  if (protocol === 'opaque' || protocol === 'detect')
    listener.defaultFilterChain = tcpChain(cluster, { $case: 'cluster', value: cluster });
  return listener;
}

/** Whoever attaches a TCPRoute or TLSRoute means bytes, whatever the port declares. */
function protocolOf(destination: Destination, set: ConnectionRoutes | null): PortProtocol | 'tls' {
  if (set !== null) return set.kind === 'TLSRoute' ? 'tls' : 'opaque';
  return destination.kind === 'service' ? destination.port.protocol : destination.protocol;
}

/** Of TLSRoutes a chain for each; what matches none is refused, as there is no default. */
function connectionChains({ kind, connections }: ConnectionRoutes): DeepPartial<Listener> {
  const chains = connections.map(({ hostnames, backends, origin }) => {
    const clusters = backends.map(({ cluster, weight }) => ({ name: cluster, weight }));
    const chain = tcpChain(origin, { $case: 'weightedClusters', value: { clusters } });
    const match = { transportProtocol: 'tls', serverNames: [...(hostnames ?? [])] };
    return {
      ...chain,
      ...(kind === 'TLSRoute' ? { filterChainMatch: match } : {}),
      metadata: tulleMetadata({ origin }),
    };
  });
  return kind === 'TLSRoute' ? { filterChains: chains } : { defaultFilterChain: chains[0] };
}

function httpChain(routes: string): DeepPartial<FilterChain> {
  const manager = pack(HttpConnectionManager, {
    statPrefix: routes,
    routeSpecifier: { $case: 'rds', value: { routeConfigName: routes, configSource: overAds } },
    httpFilters: [routerFilter()],
  });
  return {
    name: 'http',
    filters: [
      {
        name: 'envoy.filters.network.http_connection_manager',
        configType: { $case: 'typedConfig', value: manager },
      },
    ],
  };
}

function tcpChain(
  statPrefix: string,
  clusterSpecifier: NonNullable<DeepPartial<TcpProxy>['clusterSpecifier']>,
): DeepPartial<FilterChain> {
  const proxy = pack(TcpProxy, { statPrefix, clusterSpecifier });
  return {
    name: 'tcp',
    filters: [
      { name: 'envoy.filters.network.tcp_proxy', configType: { $case: 'typedConfig', value: proxy } },
    ],
  };
}
