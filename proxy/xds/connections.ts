import {
  type ConnectionRouteConfig,
  type ConnectionTable,
  compileConnections,
  connectionRoutes,
} from '../route/connection-table.ts';
import type { ClusterTable } from './cluster-table.ts';

/** Names of the clusters that routes of connections refer to. */
export function connectionClusters(routes: readonly ConnectionRouteConfig[] | null): string[] {
  if (routes === null) return [];
  const names = routes.flatMap(({ backends }) => backends.map(({ cluster }) => cluster));
  return names.filter(name => name !== '');
}

/**
 * The table of these routes; null while a cluster that they refer to is not there. `held` is what was made of the same
 * routes before: it stays as long as it knows the live clusters.
 */
export function connectionsOf(
  routes: readonly ConnectionRouteConfig[],
  held: ConnectionTable | null,
  clusters: ClusterTable,
): ConnectionTable | null {
  const live = (name: string) => clusters.get(name) ?? null;
  // A cluster that went and came back is another object.
  if (
    held !== null &&
    [...connectionRoutes(held)].every(({ backends }) =>
      backends.every(({ name, cluster }) => cluster === live(name)),
    )
  )
    return held;
  if (!connectionClusters(routes).every(name => clusters.isSettled(name))) return null;
  return compileConnections(routes, live);
}
