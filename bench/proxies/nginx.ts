/**
 * nginx: HTTP/1.1 towards the backend in every HTTP way but gRPC's (it has no other HTTP/2 upstream), over TLS where
 * others speak HTTP/2.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { backend } from '../addresses.ts';
import { find, versionOf } from '../process.ts';
import { startHops } from './hops.ts';
import type { Context, Hop, Proxy } from './proxy.ts';

const HOST = '127.99.1.1';
/** Debian has the stream module in a package of its own, libnginx-mod-stream. */
const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so';

/** The backend's port for HTTP/1.1 stands in for the one for HTTP/2. */
function upstream({ upstream: { host, port } }: Hop): string {
  return `${host}:${port === backend.http2 ? backend.http1 : port}`;
}

function tlsIn(hop: Hop, { certificates: { ca, server } }: Context): string {
  if (hop.tls !== 'in') return '';
  return `ssl_certificate ${server.certificate}; ssl_certificate_key ${server.key};
    ssl_client_certificate ${ca}; ssl_verify_client on; ssl_protocols TLSv1.3;`;
}

function tlsOut(hop: Hop, { certificates: { ca, client } }: Context): string {
  if (hop.tls !== 'out') return '';
  const module = hop.out === 'grpc' ? 'grpc' : 'proxy';
  return `${module}_ssl_certificate ${client.certificate}; ${module}_ssl_certificate_key ${client.key};
    ${module}_ssl_trusted_certificate ${ca}; ${module}_ssl_verify on; ${module}_ssl_name server.bench;
    ${module}_ssl_protocols TLSv1.3;`;
}

function proxyPass({ tls }: Hop): string {
  return `proxy_pass ${tls === 'out' ? 'https' : 'http'}://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_next_upstream error timeout http_503;`;
}

function grpcPass({ tls }: Hop): string {
  return `grpc_pass ${tls === 'out' ? 'grpcs' : 'grpc'}://backend;
      grpc_next_upstream error timeout http_503;`;
}

function http(hop: Hop, context: Context): string {
  const { folder } = context;
  // Between its own two hops it speaks HTTP/1.1.
  const listen = hop.tls === 'in' ? ' ssl' : hop.in === 'http2' ? ' http2' : '';
  const grpc = hop.in === 'grpc';
  return `http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder};
  uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  upstream backend { server ${upstream(hop)}; keepalive 128; keepalive_requests 1000000000; }
  server {
    listen ${HOST}:${hop.port}${listen}${grpc ? ' http2' : ''} reuseport backlog=1024;
    ${tlsIn(hop, context)}
    location / {
      ${grpc ? grpcPass(hop) : proxyPass(hop)}
      ${tlsOut(hop, context)}
    }
  }
}`;
}

function stream(hop: Hop, context: Context): string {
  return `stream {
  server {
    listen ${HOST}:${hop.port}${hop.tls === 'in' ? ' ssl' : ''} reuseport backlog=1024;
    ${tlsIn(hop, context)}
    proxy_pass ${upstream(hop)};
    ${hop.tls === 'out' ? 'proxy_ssl on;' : ''}
    ${tlsOut(hop, context)}
  }
}`;
}

function configuration(hop: Hop, context: Context): string {
  const { folder } = context;
  const opaque = hop.in === 'tcp';
  return `${opaque ? `load_module ${STREAM_MODULE};` : ''}
daemon off;
worker_processes 1;
pid ${join(folder, 'nginx.pid')};
error_log ${join(folder, 'error.log')};
events { worker_connections 12000; }
${opaque ? stream(hop, context) : http(hop, context)}
`;
}

export const nginx: Proxy = {
  name: 'nginx',
  missing(way) {
    if (find('nginx') === null) return 'nginx is not installed';
    return way === 'mtls-tcp' && !existsSync(STREAM_MODULE)
      ? `no ${STREAM_MODULE}: install libnginx-mod-stream`
      : null;
  },
  version: () => versionOf('nginx', '-v'),
  start: (way, context) =>
    startHops(
      {
        name: 'nginx',
        host: HOST,
        file: 'nginx.conf',
        configuration,
        command: 'nginx',
        args: (file, folder) => ['-c', file, '-p', folder],
      },
      way,
      context,
    ),
};
