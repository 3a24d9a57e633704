import { Cluster } from '../../../api/xds/gen/envoy/config/cluster/v3/cluster.ts';
import { Listener } from '../../../api/xds/gen/envoy/config/listener/v3/listener.ts';
import { RouteConfiguration } from '../../../api/xds/gen/envoy/config/route/v3/route.ts';
import { parseListener } from '../../../api/xds/names.ts';
import { clusterEndpoints } from '../cluster-endpoints.ts';
import { complete, type DialectWriter, encode } from '../dialect.ts';
import { cluster } from './cluster.ts';
import { inboundListener } from './inbound-listener.ts';
import { outboundListener } from './outbound-listener.ts';
import { routes } from './routes.ts';

/** Tulle's sidecar: everything on demand, by name (docs/xds.md, The sidecar's dialect). */
export const sidecarDialect: DialectWriter = {
  write(reader, frames, kind, name, client) {
    switch (kind) {
      case 'listener': {
        const parsed = parseListener(name);
        if (parsed === null) return complete(null);
        const message =
          parsed.kind === 'inbound'
            ? inboundListener(reader, name, parsed.namespace, parsed.pod)
            : outboundListener(reader, name, parsed.host, parsed.port, client.namespace);
        return complete(encode(Listener, message));
      }
      case 'routes':
        return complete(encode(RouteConfiguration, routes(reader, name)));
      case 'cluster':
        return complete(encode(Cluster, cluster(reader, name)));
      case 'endpoints': {
        const localities = clusterEndpoints(reader, name, client.zone);
        return complete(localities === null ? null : frames.assignment(name, localities, 'labelled'));
      }
    }
  },
  scope(kind, client) {
    if (kind === 'listener') return client.namespace;
    return kind === 'endpoints' ? client.zone : '';
  },
  names: () => [],
};
