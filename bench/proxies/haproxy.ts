/** HAProxy, one thread, with the features of a sidecar that it has: routing rule, retries, statistics. */
import { find, versionOf } from '../process.ts';
import { startHops } from './hops.ts';
import type { Context, Hop, Proxy } from './proxy.ts';

const HOST = '127.99.2.1';

const isHttp2 = (protocol: Hop['in']): boolean => protocol === 'http2' || protocol === 'grpc';

/** ALPN `h2` where the hop is HTTP; none where it is bytes. */
function bindOptions(hop: Hop, { certificates: { ca, server } }: Context): string {
  const alpn = isHttp2(hop.in) ? ' alpn h2' : '';
  if (hop.tls === 'in')
    return `ssl crt ${server.pem} ca-file ${ca} verify required ssl-min-ver TLSv1.3${alpn}`;
  return isHttp2(hop.in) ? 'proto h2' : '';
}

function serverOptions(hop: Hop, { certificates: { ca, client } }: Context): string {
  const alpn = isHttp2(hop.out) ? ' alpn h2' : '';
  if (hop.tls === 'out')
    return `ssl crt ${client.pem} ca-file ${ca} verify required verifyhost server.bench${alpn}`;
  return isHttp2(hop.out) ? 'proto h2' : '';
}

function configuration(hop: Hop, context: Context): string {
  const server = `server one ${hop.upstream.host}:${hop.upstream.port} ${serverOptions(hop, context)}`;
  const mode =
    hop.in === 'tcp'
      ? 'mode tcp'
      : 'mode http\n  retry-on conn-failure empty-response 503\n  http-reuse always';
  const rules = hop.in === 'tcp' ? '' : 'acl api path_beg /api\n  use_backend api if api';
  return `global
  nbthread 1
  maxconn 9000
defaults
  ${mode}
  retries 2
  timeout connect 1s
  timeout client 600s
  timeout server 600s
frontend in
  bind ${HOST}:${hop.port} ${bindOptions(hop, context)}
  ${rules}
  default_backend out
backend api
  ${server}
backend out
  ${server}
`;
}

export const haproxy: Proxy = {
  name: 'haproxy',
  missing: () => (find('haproxy') === null ? 'haproxy is not installed' : null),
  version: () => versionOf('haproxy', '-v'),
  start: (way, context) =>
    startHops(
      {
        name: 'haproxy',
        host: HOST,
        file: 'haproxy.cfg',
        configuration,
        command: 'haproxy',
        args: file => ['-db', '-f', file],
      },
      way,
      context,
    ),
};
