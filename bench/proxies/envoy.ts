/**
 * Envoy with what Tulle's sidecar has switched on: routing rules, a retry policy, outlier detection, statistics.
 * One worker thread. The binary is named by the variable ENVOY, or is on the PATH.
 */
import { manyEndpoints } from '../addresses.ts';
import { find, versionOf } from '../process.ts';
import { startHops } from './hops.ts';
import type { Context, Hop, Proxy, Scale } from './proxy.ts';

const HOST = '127.99.3.1';
const TYPE = 'type.googleapis.com/envoy.extensions';

const socketAddress = (host: string, port: number) => ({
  socket_address: { address: host, port_value: port },
});

function tlsContext(hop: Hop, { certificates: { ca, client, server } }: Context) {
  const side = hop.tls;
  const own = side === 'in' ? server : client;
  const common = {
    // Envoy's clients stop at TLS 1.2 unless told otherwise.
    tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
    tls_certificates: [
      { certificate_chain: { filename: own.certificate }, private_key: { filename: own.key } },
    ],
    validation_context: { trusted_ca: { filename: ca } },
    ...(hop.in === 'tcp' ? {} : { alpn_protocols: ['h2'] }),
  };
  const kind = side === 'in' ? 'DownstreamTlsContext' : 'UpstreamTlsContext';
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': `${TYPE}.transport_sockets.tls.v3.${kind}`,
      common_tls_context: common,
      ...(side === 'in' ? { require_client_certificate: true } : { sni: 'server.bench' }),
    },
  };
}

/** Routes and retries, as Tulle's HTTPRoute of the benchmark has them. */
function httpFilter(hop: Hop, scale: Scale = {}) {
  const retry = {
    retry_on: 'connect-failure,refused-stream,retriable-status-codes',
    num_retries: 2,
    retriable_status_codes: [503],
  };
  const route = { cluster: 'out', retry_policy: retry };
  const routes = [
    ...Array.from({ length: scale.routes ?? 0 }, (_, i) => ({
      match: { path_separated_prefix: `/service-${i}` },
      route,
    })),
    { match: { path_separated_prefix: '/api' }, route },
    { match: { prefix: '/' }, route },
  ];
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      codec_type: hop.in === 'http1' ? 'HTTP1' : 'HTTP2',
      stat_prefix: 'in',
      route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
      http_filters: [
        {
          name: 'envoy.filters.http.router',
          typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` },
        },
      ],
    },
  };
}

const tcpFilter = {
  name: 'envoy.filters.network.tcp_proxy',
  typed_config: {
    '@type': `${TYPE}.filters.network.tcp_proxy.v3.TcpProxy`,
    stat_prefix: 'in',
    cluster: 'out',
    max_connect_attempts: 3,
  },
};

function listener(hop: Hop, context: Context) {
  return {
    name: 'in',
    address: socketAddress(HOST, hop.port),
    filter_chains: [
      {
        filters: [hop.in === 'tcp' ? tcpFilter : httpFilter(hop, context.scale)],
        ...(hop.tls === 'in' ? { transport_socket: tlsContext(hop, context) } : {}),
      },
    ],
  };
}

/** HTTP only: the version towards the upstream. */
function protocolOptions(hop: Hop) {
  if (hop.out === 'tcp') return {};
  const version = hop.out === 'http1' ? { http_protocol_options: {} } : { http2_protocol_options: {} };
  return {
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${TYPE}.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: version,
      },
    },
  };
}

function cluster(hop: Hop, context: Context) {
  const { endpoints } = context.scale ?? {};
  const addresses = endpoints === undefined ? [hop.upstream] : manyEndpoints(endpoints);
  return {
    name: 'out',
    type: 'STATIC',
    connect_timeout: '1s',
    lb_policy: 'LEAST_REQUEST',
    outlier_detection: { consecutive_5xx: 5 },
    circuit_breakers: {
      // As many as Tulle, which has no limit unless one is set.
      thresholds: [{ max_connections: 65_536, max_requests: 4096, max_pending_requests: 4096 }],
    },
    load_assignment: {
      cluster_name: 'out',
      endpoints: [
        {
          lb_endpoints: addresses.map(({ host, port }) => ({
            endpoint: { address: socketAddress(host, port) },
          })),
        },
      ],
    },
    ...protocolOptions(hop),
    ...(hop.tls === 'out' ? { transport_socket: tlsContext(hop, context) } : {}),
  };
}

const program = (): string | null => process.env.ENVOY ?? find('envoy');

export const envoy: Proxy = {
  name: 'envoy',
  missing: () => (program() === null ? 'no envoy: put it on the PATH, or its path into ENVOY' : null),
  version: () => versionOf(program() ?? 'envoy', '--version'),
  start: (way, context) =>
    startHops(
      {
        name: 'envoy',
        host: HOST,
        file: 'envoy.json',
        configuration: hop =>
          JSON.stringify({
            static_resources: { listeners: [listener(hop, context)], clusters: [cluster(hop, context)] },
          }),
        command: program() ?? 'envoy',
        args: file => ['-c', file, '--concurrency', '1', '--disable-hot-restart', '-l', 'warning'],
      },
      way,
      context,
    ),
};
