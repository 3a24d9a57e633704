import { pack } from '../../../api/xds/any.ts';
import type { Listener } from '../../../api/xds/gen/envoy/config/listener/v3/listener.ts';
import { HttpConnectionManager } from '../../../api/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import { connectionRoutesFor } from '../connection-routes.ts';
import { routesFor } from '../destination-names.ts';
import type { MeshReader } from '../mesh-reader.ts';
import type { Expressed } from '../omission.ts';
import { overAds, routerFilter } from '../wire.ts';
import { omittedOfConnections } from './not-expressed.ts';
import { targetOf } from './target.ts';

/** API listener (gRFC A27) with the name that the client asked for. Connections of bytes are not for gRPC. */
export function listener(reader: MeshReader, name: string, namespace: string): Expressed<Listener> {
  const destination = targetOf(reader, name, namespace);
  if (destination === null) return { message: null, omitted: [] };
  const protocol = destination.kind === 'pod' ? destination.protocol : destination.port.protocol;
  const connections = connectionRoutesFor(reader, destination, namespace);
  if (connections !== null) return { message: null, omitted: omittedOfConnections(connections) };
  if (protocol === 'opaque') return { message: null, omitted: [] };
  const manager = pack(HttpConnectionManager, {
    statPrefix: name,
    routeSpecifier: {
      $case: 'rds',
      value: { routeConfigName: routesFor(reader, destination, namespace), configSource: overAds },
    },
    httpFilters: [routerFilter()],
  });
  return { message: { name, apiListener: { apiListener: manager } }, omitted: [] };
}
