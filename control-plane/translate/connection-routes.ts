import { key } from '../model/model.ts';
import type { Destination } from './destination.ts';
import type { MeshReader } from './mesh-reader.ts';
import type { ConnectionRoutes } from './resolved-route.ts';
import { consumerOf, routeSetOf } from './route-set.ts';

/** The TCPRoute or TLSRoutes that calls of the destination from a namespace meet; null if they meet none. */
export function connectionRoutesFor(
  reader: MeshReader,
  destination: Destination,
  namespace: string,
): ConnectionRoutes | null {
  if (destination.kind === 'pod') return null;
  const { service } = destination;
  const routes = reader.routesOf(key(service.namespace, service.name));
  // Most ports have no such routes anywhere, and the routes of requests are not needed here.
  if (!routes.some(({ kind }) => kind === 'TCPRoute' || kind === 'TLSRoute')) return null;
  const set = routeSetOf(destination, routes, consumerOf(destination, routes, namespace));
  return 'connections' in set ? set : null;
}
