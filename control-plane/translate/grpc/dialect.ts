import { Cluster } from '../../../api/xds/gen/envoy/config/cluster/v3/cluster.ts';
import { Listener } from '../../../api/xds/gen/envoy/config/listener/v3/listener.ts';
import { RouteConfiguration } from '../../../api/xds/gen/envoy/config/route/v3/route.ts';
import { clusterEndpoints, clusterTls } from '../cluster-endpoints.ts';
import { complete, type DialectWriter, written } from '../dialect.ts';
import { cluster, invalidBackend } from './cluster.ts';
import { listener } from './listener.ts';
import { routes } from './routes.ts';
import { tlsEndpoints } from './tls.ts';

/**
 * Proxyless gRPC (C-core and its wrappers, Go, Node). It refuses much of what Envoy needs, and one refused resource stops a
 * channel: only what all three implementations take is written (XDS.md §3.3).
 */
export const grpcDialect: DialectWriter = {
  write(reader, frames, kind, name, client) {
    switch (kind) {
      case 'listener':
        return written(Listener, listener(reader, name, client.namespace));
      case 'routes':
        return written(RouteConfiguration, routes(reader, name));
      case 'cluster':
        return written(Cluster, cluster(reader, name, client));
      case 'endpoints': {
        if (name === invalidBackend) return complete(frames.assignment(name, [], 'plain'));
        const localities = clusterEndpoints(reader, name, client.zone);
        if (localities === null) return complete(null);
        // gRPC takes authorities from its own bootstrap only: calls fail with UNAVAILABLE rather than go in plaintext.
        if (clusterTls(reader, name) !== null) return complete(frames.assignment(name, [], 'plain'));
        const used = client.tls === null ? localities : tlsEndpoints(localities);
        return complete(frames.assignment(name, used, 'plain'));
      }
    }
  },
  scope(kind, { namespace, zone, tls }) {
    switch (kind) {
      case 'listener':
        return namespace;
      case 'routes':
        return '';
      case 'cluster':
        return tls === null ? '' : `${tls.identity}/${tls.roots}`;
      case 'endpoints':
        return tls === null ? zone : `${zone}/tls`;
    }
  },
  names: () => [],
};
