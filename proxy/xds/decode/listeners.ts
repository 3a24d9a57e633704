import type { PortProtocol } from '../../../api/protocol.ts';
import { Listener } from '../../../api/xds/gen/envoy/config/listener/v3/listener.ts';
import type { FilterChain } from '../../../api/xds/gen/envoy/config/listener/v3/listener_components.ts';
import { HttpConnectionManager } from '../../../api/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import { TcpProxy } from '../../../api/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.ts';
import { parseListener } from '../../../api/xds/names.ts';
import type { DestinationProtocol } from '../../cluster/destination.ts';
import type {
  InboundListenerConfig,
  InboundPortConfig,
  MtlsMode,
  OutboundListenerConfig,
} from '../../listener/listener-config.ts';
import type { ConnectionRouteConfig } from '../../route/connection-table.ts';
import { type Decoded, decodeMessage, Problems, unpackField } from './decoded.ts';
import { MetadataReader } from './metadata.ts';

const PROTOCOLS: readonly PortProtocol[] = ['http', 'http2', 'grpc', 'opaque', 'detect'];
/** As a destination has them: on the way out TLSRoutes are one more. */
const OUTBOUND_PROTOCOLS: readonly DestinationProtocol[] = [...PROTOCOLS, 'tls'];
const MODES: readonly MtlsMode[] = ['permissive', 'strict'];

export type ListenerConfig =
  | ({ readonly direction: 'outbound' } & OutboundListenerConfig)
  | ({ readonly direction: 'inbound' } & InboundListenerConfig);

/** `outbound/...` or `inbound/...`, by the name. */
export function decodeListener(bytes: Uint8Array, name: string, version: string): Decoded<ListenerConfig> {
  const message = decodeMessage(Listener, bytes, name, ({ name }) => name);
  if (message.kind === 'rejected') return message;
  const parsed = parseListener(name);
  if (parsed?.kind === 'outbound') return decodeOutbound(message.value, version);
  if (parsed?.kind === 'inbound') return decodeInbound(message.value, version);
  const problems = new Problems();
  problems.add('name', name, 'use outbound/HOST:PORT or inbound/NAMESPACE/POD');
  return { kind: 'rejected', reasons: problems.reasons };
}

function decodeOutbound(listener: Listener, version: string): Decoded<ListenerConfig> {
  const problems = new Problems();
  const metadata = new MetadataReader(listener.metadata, '', problems);
  const protocol = metadata.choice('protocol', OUTBOUND_PROTOCOLS);
  const common = { direction: 'outbound' as const, name: listener.name, version, protocol };
  const service = metadata.service();
  const { filterChains, defaultFilterChain } = listener;
  if (protocol === 'tls') {
    if (defaultFilterChain !== undefined)
      problems.add('default_filter_chain', 'set', 'protocol tls has none: what no chain matches is refused');
    const connections = filterChains.map((chain, index) =>
      connectionRouteOf(chain, `filter_chains[${index}]`, problems),
    );
    return problems.result({ ...common, routes: '', cluster: '', connections, service });
  }
  const needsHttp = protocol !== 'opaque';
  const needsTcp = protocol === 'opaque' || protocol === 'detect';
  if (filterChains.length !== (needsHttp ? 1 : 0)) {
    const remedy = needsHttp ? `protocol ${protocol} needs exactly one` : 'an opaque port has none';
    problems.add('filter_chains.length', filterChains.length, remedy);
  }
  const routes = needsHttp ? routesOf(filterChains[0], problems) : '';
  const target = needsTcp ? tcpTarget(defaultFilterChain, 'default_filter_chain', problems) : '';
  const [cluster, connections] =
    typeof target === 'string'
      ? [target, null]
      : [
          '',
          [
            {
              serverNames: [],
              backends: target,
              origin: originOf(defaultFilterChain, 'default_filter_chain', problems),
            },
          ],
        ];
  return problems.result({ ...common, routes, cluster, connections, service });
}

/** A chain that takes the connections of some server names. */
function connectionRouteOf(chain: FilterChain, at: string, problems: Problems): ConnectionRouteConfig {
  const match = chain.filterChainMatch;
  if (match?.transportProtocol !== 'tls')
    problems.add(`${at}.filter_chain_match.transport_protocol`, match?.transportProtocol, 'use "tls"');
  const target = tcpTarget(chain, at, problems);
  const backends = typeof target === 'string' ? [{ cluster: target, weight: 1 }] : target;
  return { serverNames: match?.serverNames ?? [], backends, origin: originOf(chain, at, problems) };
}

function originOf(chain: FilterChain | undefined, at: string, problems: Problems): string {
  return new MetadataReader(chain?.metadata, at, problems).text('origin');
}

/** Name of the RouteConfiguration of the chain's HttpConnectionManager. */
function routesOf(chain: FilterChain | undefined, problems: Problems): string {
  if (chain === undefined) return '';
  const at = 'filter_chains[0].filters[0].typed_config';
  const manager = unpackField(HttpConnectionManager, chain.filters[0]?.configType?.value, at, problems);
  if (manager === null) return '';
  const specifier = manager.routeSpecifier;
  const name = specifier?.$case === 'rds' ? specifier.value.routeConfigName : '';
  if (name === '') problems.add(`${at}.rds.route_config_name`, name, 'name the RouteConfiguration, over ADS');
  return name;
}

/** The cluster of the chain's TcpProxy, or what connections are divided among. */
function tcpTarget(
  chain: FilterChain | undefined,
  of: string,
  problems: Problems,
): string | ConnectionRouteConfig['backends'] {
  const at = `${of}.filters[0].typed_config`;
  const proxy = unpackField(TcpProxy, chain?.filters[0]?.configType?.value, at, problems);
  if (proxy === null) return '';
  const specifier = proxy.clusterSpecifier;
  if (specifier?.$case === 'weightedClusters') {
    const backends = specifier.value.clusters.map(({ name, weight }) => ({ cluster: name, weight }));
    if (!backends.some(({ weight }) => weight > 0))
      problems.add(`${at}.weighted_clusters`, backends, 'give one of them a weight');
    return backends;
  }
  const name = specifier?.$case === 'cluster' ? specifier.value : '';
  if (name === '') problems.add(`${at}.cluster`, name, 'name a cluster');
  return name;
}

function decodeInbound(listener: Listener, version: string): Decoded<ListenerConfig> {
  const problems = new Problems();
  const ports = new Map<number, InboundPortConfig>();
  listener.filterChains.forEach((chain, index) => {
    const at = `filter_chains[${index}]`;
    const port = chain.filterChainMatch?.destinationPort;
    if (port === undefined || port < 1 || port > 65_535) {
      problems.add(`${at}.filter_chain_match.destination_port`, port, 'use a port from 1 to 65535');
    } else if (ports.has(port)) {
      problems.add(`${at}.filter_chain_match.destination_port`, port, 'each port may stand only once');
    } else {
      const metadata = new MetadataReader(chain.metadata, at, problems);
      ports.set(port, { port, ...modeOf(metadata), service: metadata.service() });
    }
  });
  if (listener.defaultFilterChain === undefined) {
    problems.add('default_filter_chain', undefined, 'say how ports are served that no Service declares');
  }
  const other = new MetadataReader(listener.defaultFilterChain?.metadata, 'default_filter_chain', problems);
  const otherPorts = modeOf(other);
  const workload = new MetadataReader(listener.metadata, '', problems).workload();
  return problems.result({ direction: 'inbound', name: listener.name, version, ports, otherPorts, workload });
}

/** Without a mode nothing is served: a default could only be too lax or too strict. */
function modeOf(metadata: MetadataReader): { protocol: PortProtocol; mtls: MtlsMode } {
  return { protocol: metadata.choice('protocol', PROTOCOLS), mtls: metadata.choice('mtls', MODES) };
}
