import { Cluster } from '../../../api/xds/gen/envoy/config/cluster/v3/cluster.ts';
import { Listener } from '../../../api/xds/gen/envoy/config/listener/v3/listener.ts';
import { RouteConfiguration } from '../../../api/xds/gen/envoy/config/route/v3/route.ts';
import { serviceCluster } from '../../../api/xds/names.ts';
import { clusterEndpoints, clusterTls } from '../cluster-endpoints.ts';
import { complete, type DialectWriter, encode, written } from '../dialect.ts';
import { authority } from '../service-names.ts';
import { cluster } from './cluster.ts';
import { outbound, outboundListener } from './listener.ts';
import { outboundRoutes } from './virtual-hosts.ts';

/** Envoy as a client of the mesh: one HTTP listener that reaches every Service, and a cluster for each Service port. */
export const envoyDialect: DialectWriter = {
  write(reader, frames, kind, name, client) {
    switch (kind) {
      case 'listener':
        return complete(name === outbound ? encode(Listener, outboundListener(client.outbound)) : null);
      case 'routes':
        return name === outbound
          ? written(RouteConfiguration, outboundRoutes(reader, client.namespace))
          : complete(null);
      case 'cluster':
        return written(Cluster, cluster(reader, name));
      case 'endpoints': {
        const localities = clusterEndpoints(reader, name, client.zone);
        if (localities === null) return complete(null);
        // Without endpoints requests get 503: an invalid policy must not lead to plaintext.
        const refused = clusterTls(reader, name)?.kind === 'refused';
        return complete(frames.assignment(name, refused ? [] : localities, 'plain'));
      }
    }
  },
  scope(kind, { namespace, zone, outbound }) {
    switch (kind) {
      case 'listener':
        return authority(outbound.address, outbound.port);
      case 'routes':
        return namespace;
      case 'cluster':
        return '';
      case 'endpoints':
        return zone;
    }
  },
  names(reader, kind) {
    if (kind === 'listener') return [outbound];
    if (kind !== 'cluster') return [];
    return reader
      .allServices()
      .filter(service => service.kind !== 'external-name')
      .flatMap(({ namespace, name, ports }) =>
        ports.map(({ port }) => serviceCluster(namespace, name, port)),
      );
  },
};
