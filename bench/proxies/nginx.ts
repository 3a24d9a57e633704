/** nginx: HTTP/1.1 towards the backend in every way (it has no HTTP/2 upstream). */
import { join } from 'node:path';
import { backend, proxyPorts } from '../addresses.ts';
import { find } from '../process.ts';
import { startHops } from './hops.ts';
import type { Context, Proxy, Way } from './proxy.ts';

const HOST = '127.99.1.1';

interface Hop {
  listen: string;
  tls: 'none' | 'in' | 'out';
  upstream: string;
}

function hops(way: Way): Hop[] {
  const plain = `${backend.host}:${backend.http1}`;
  switch (way) {
    case 'http1':
      return [{ listen: `${HOST}:${proxyPorts.http1}`, tls: 'none', upstream: plain }];
    case 'http2':
      return [{ listen: `${HOST}:${proxyPorts.http2} http2`, tls: 'none', upstream: plain }];
    case 'mtls':
    case 'mtls-http1': {
      const version = way === 'mtls' ? ' http2' : '';
      const server = `${HOST}:${proxyPorts.mtlsServer}`;
      return [
        { listen: `${HOST}:${proxyPorts.mtlsClient}${version}`, tls: 'out', upstream: server },
        { listen: `${server} ssl`, tls: 'in', upstream: plain },
      ];
    }
  }
}

function configuration(hop: Hop, folder: string, { certificates }: Context): string {
  const tlsIn =
    hop.tls === 'in'
      ? `ssl_certificate ${certificates.server.certificate}; ssl_certificate_key ${certificates.server.key};
    ssl_client_certificate ${certificates.ca}; ssl_verify_client on; ssl_protocols TLSv1.3;`
      : '';
  const tlsOut =
    hop.tls === 'out'
      ? `proxy_ssl_certificate ${certificates.client.certificate}; proxy_ssl_certificate_key ${certificates.client.key};
      proxy_ssl_trusted_certificate ${certificates.ca}; proxy_ssl_verify on; proxy_ssl_name server.bench; proxy_ssl_protocols TLSv1.3;`
      : '';
  return `daemon off;
worker_processes 1;
pid ${join(folder, 'nginx.pid')};
error_log ${join(folder, 'error.log')};
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder};
  uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  upstream backend { server ${hop.upstream}; keepalive 128; keepalive_requests 1000000000; }
  server {
    listen ${hop.listen} reuseport backlog=1024;
    ${tlsIn}
    location / {
      proxy_pass ${hop.tls === 'out' ? 'https' : 'http'}://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_next_upstream error timeout http_503;
      ${tlsOut}
    }
  }
}
`;
}

export const nginx: Proxy = {
  name: 'nginx',
  missing: () => (find('nginx') === null ? 'nginx is not installed' : null),
  supports: () => true,
  start: (way, context) =>
    startHops(
      join(context.folder, `nginx-${way}`),
      hops(way).map(hop => ({
        address: hop.listen.split(' ')[0],
        file: 'nginx.conf',
        configuration: folder => configuration(hop, folder, context),
        command: 'nginx',
        args: (file, folder) => ['-c', file, '-p', folder],
      })),
    ),
};
