/** HAProxy, one thread, with the features of a sidecar that it has: routing rule, retries, statistics. */
import { join } from 'node:path';
import { backend, proxyPorts } from '../addresses.ts';
import { find } from '../process.ts';
import { startHops } from './hops.ts';
import type { Context, Proxy, Way } from './proxy.ts';

const HOST = '127.99.2.1';

interface Hop {
  address: string;
  bind: string;
  server: string;
}

function hops(way: Way, { certificates: { ca, client, server } }: Context): Hop[] {
  const plain = `${backend.host}:${backend.http1}`;
  const plain2 = `${backend.host}:${backend.http2} proto h2`;
  const tlsServer = `${HOST}:${proxyPorts.mtlsServer}`;
  const tlsIn = `ssl crt ${server.pem} ca-file ${ca} verify required alpn h2 ssl-min-ver TLSv1.3`;
  const tlsOut = `ssl crt ${client.pem} ca-file ${ca} verify required verifyhost server.bench alpn h2`;
  switch (way) {
    case 'http1':
      return [{ address: `${HOST}:${proxyPorts.http1}`, bind: '', server: plain }];
    case 'http2':
      return [{ address: `${HOST}:${proxyPorts.http2}`, bind: 'proto h2', server: plain2 }];
    case 'mtls':
      return [
        { address: `${HOST}:${proxyPorts.mtlsClient}`, bind: 'proto h2', server: `${tlsServer} ${tlsOut}` },
        { address: tlsServer, bind: tlsIn, server: plain2 },
      ];
    case 'mtls-http1':
      return [
        { address: `${HOST}:${proxyPorts.mtlsClient}`, bind: '', server: `${tlsServer} ${tlsOut}` },
        { address: tlsServer, bind: tlsIn, server: plain },
      ];
  }
}

function configuration(hop: Hop): string {
  return `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  retries 2
  retry-on conn-failure empty-response 503
  timeout connect 1s
  timeout client 600s
  timeout server 600s
  http-reuse always
frontend in
  bind ${hop.address} ${hop.bind}
  acl api path_beg /api
  use_backend api if api
  default_backend out
backend api
  server one ${hop.server}
backend out
  server one ${hop.server}
`;
}

export const haproxy: Proxy = {
  name: 'haproxy',
  missing: () => (find('haproxy') === null ? 'haproxy is not installed' : null),
  supports: () => true,
  start: (way, context) =>
    startHops(
      join(context.folder, `haproxy-${way}`),
      hops(way, context).map(hop => ({
        address: hop.address,
        file: 'haproxy.cfg',
        configuration: () => configuration(hop),
        command: 'haproxy',
        args: file => ['-db', '-f', file],
      })),
    ),
};
