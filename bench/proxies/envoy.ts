/**
 * Envoy with what Tulle's sidecar has switched on: routing rules, a retry policy, outlier detection, statistics.
 * One worker thread. The binary is named by the variable ENVOY, or is on the PATH.
 */
import { join } from 'node:path';
import { backend, proxyPorts } from '../addresses.ts';
import { find } from '../process.ts';
import { startHops } from './hops.ts';
import type { Context, Proxy, Way } from './proxy.ts';

const HOST = '127.99.3.1';
const TYPE = 'type.googleapis.com/envoy.extensions';

interface Hop {
  port: number;
  upstream: { host: string; port: number };
  http2In: boolean;
  http2Out: boolean;
  tls: 'none' | 'in' | 'out';
}

function hops(way: Way): Hop[] {
  const plain = { host: backend.host, port: backend.http1 };
  const plain2 = { host: backend.host, port: backend.http2 };
  const server = { host: HOST, port: proxyPorts.mtlsServer };
  switch (way) {
    case 'http1':
      return [{ port: proxyPorts.http1, upstream: plain, http2In: false, http2Out: false, tls: 'none' }];
    case 'http2':
      return [{ port: proxyPorts.http2, upstream: plain2, http2In: true, http2Out: true, tls: 'none' }];
    case 'mtls':
      return [
        { port: proxyPorts.mtlsClient, upstream: server, http2In: true, http2Out: true, tls: 'out' },
        { port: proxyPorts.mtlsServer, upstream: plain2, http2In: true, http2Out: true, tls: 'in' },
      ];
    case 'mtls-http1':
      return [
        { port: proxyPorts.mtlsClient, upstream: server, http2In: false, http2Out: true, tls: 'out' },
        { port: proxyPorts.mtlsServer, upstream: plain, http2In: true, http2Out: false, tls: 'in' },
      ];
  }
}

const socketAddress = (host: string, port: number) => ({
  socket_address: { address: host, port_value: port },
});

function tlsContext({ certificates: { ca, client, server } }: Context, side: 'in' | 'out') {
  const own = side === 'in' ? server : client;
  const common = {
    // Envoy's clients stop at TLS 1.2 unless told otherwise.
    tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
    tls_certificates: [
      { certificate_chain: { filename: own.certificate }, private_key: { filename: own.key } },
    ],
    validation_context: { trusted_ca: { filename: ca } },
    alpn_protocols: ['h2'],
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

function listener(hop: Hop, context: Context) {
  const retry = {
    retry_on: 'connect-failure,refused-stream,retriable-status-codes',
    num_retries: 2,
    retriable_status_codes: [503],
  };
  const route = { cluster: 'out', retry_policy: retry };
  return {
    name: 'in',
    address: socketAddress(HOST, hop.port),
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: {
              '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
              codec_type: hop.http2In ? 'HTTP2' : 'HTTP1',
              stat_prefix: 'in',
              route_config: {
                virtual_hosts: [
                  {
                    name: 'all',
                    domains: ['*'],
                    routes: [
                      { match: { path_separated_prefix: '/api' }, route },
                      { match: { prefix: '/' }, route },
                    ],
                  },
                ],
              },
              http_filters: [
                {
                  name: 'envoy.filters.http.router',
                  typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` },
                },
              ],
            },
          },
        ],
        ...(hop.tls === 'in' ? { transport_socket: tlsContext(context, 'in') } : {}),
      },
    ],
  };
}

function cluster(hop: Hop, context: Context) {
  const protocol = hop.http2Out ? { http2_protocol_options: {} } : { http_protocol_options: {} };
  return {
    name: 'out',
    type: 'STATIC',
    connect_timeout: '1s',
    lb_policy: 'LEAST_REQUEST',
    outlier_detection: { consecutive_5xx: 5 },
    circuit_breakers: {
      thresholds: [{ max_connections: 4096, max_requests: 4096, max_pending_requests: 4096 }],
    },
    load_assignment: {
      cluster_name: 'out',
      endpoints: [
        { lb_endpoints: [{ endpoint: { address: socketAddress(hop.upstream.host, hop.upstream.port) } }] },
      ],
    },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${TYPE}.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: protocol,
      },
    },
    ...(hop.tls === 'out' ? { transport_socket: tlsContext(context, 'out') } : {}),
  };
}

const program = (): string | null => process.env.ENVOY ?? find('envoy');

export const envoy: Proxy = {
  name: 'envoy',
  missing: () => (program() === null ? 'no envoy: put it on the PATH, or its path into ENVOY' : null),
  supports: () => true,
  start: (way, context) =>
    startHops(
      join(context.folder, `envoy-${way}`),
      hops(way).map(hop => ({
        address: `${HOST}:${hop.port}`,
        file: 'envoy.json',
        configuration: () =>
          JSON.stringify({
            static_resources: { listeners: [listener(hop, context)], clusters: [cluster(hop, context)] },
          }),
        command: program() ?? 'envoy',
        args: file => ['-c', file, '--concurrency', '1', '--disable-hot-restart', '-l', 'warning'],
      })),
    ),
};
