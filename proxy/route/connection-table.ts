/** Where connections of bytes go, by TCPRoutes and TLSRoutes: pure, as the routes of requests are. */
import type { Cluster } from '../cluster/cluster.ts';
import { boundsOf } from './pick-backend.ts';

/** Connections that are divided among the same backends. */
export interface ConnectionRouteConfig {
  /** Server names that the ClientHello must have one of, exact or `*.` and a suffix; none: any. */
  readonly serverNames: readonly string[];
  readonly backends: readonly {
    /** Name of the cluster; '' for a backend that is invalid, whose share is refused. */
    readonly cluster: string;
    readonly weight: number;
  }[];
  /** `TCPRoute/<namespace>/<name>/<rule>` for logs. */
  readonly origin: string;
}

export interface ConnectionBackend {
  readonly name: string;
  /** null if the backend is invalid. */
  readonly cluster: Cluster | null;
  readonly weight: number;
}

export interface ConnectionRoute {
  readonly origin: string;
  readonly backends: readonly ConnectionBackend[];
  /** As {@link boundsOf} makes them. */
  readonly bounds: readonly number[];
}

export interface ConnectionTable {
  readonly exact: ReadonlyMap<string, ConnectionRoute>;
  /** By what stands behind the `*`, with its dot. */
  readonly suffixes: ReadonlyMap<string, ConnectionRoute>;
  /** For every other connection; null: it is refused. */
  readonly any: ConnectionRoute | null;
}

/** `cluster` gives the live cluster of a name; a backend whose cluster it does not know is invalid. */
export function compileConnections(
  routes: readonly ConnectionRouteConfig[],
  cluster: (name: string) => Cluster | null,
): ConnectionTable {
  const exact = new Map<string, ConnectionRoute>();
  const suffixes = new Map<string, ConnectionRoute>();
  let any: ConnectionRoute | null = null;
  for (const { serverNames, backends, origin } of routes) {
    const live = backends.map(({ cluster: name, weight }) => ({
      name,
      cluster: name === '' ? null : cluster(name),
      weight,
    }));
    const route = { origin, backends: live, bounds: boundsOf(live) };
    if (serverNames.length === 0) any = route;
    for (const name of serverNames) {
      if (name.startsWith('*.')) suffixes.set(name.slice(1), route);
      else exact.set(name, route);
    }
  }
  return Object.freeze({ exact, suffixes, any });
}

/** Every route of a table. */
export function connectionRoutes({ exact, suffixes, any }: ConnectionTable): Set<ConnectionRoute> {
  return new Set([...exact.values(), ...suffixes.values(), ...(any === null ? [] : [any])]);
}

/** The exact name, then the longest suffix, then the route for any (TLSRouteSpec.hostnames); null if none takes it. */
export function matchServerName(
  { exact, suffixes, any }: ConnectionTable,
  name: string,
): ConnectionRoute | null {
  const found = exact.get(name);
  if (found !== undefined) return found;
  if (suffixes.size > 0) {
    // From the second label on: the `*` stands for one label at least.
    for (let dot = name.indexOf('.', 1); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      const wide = suffixes.get(name.slice(dot));
      if (wide !== undefined) return wide;
    }
  }
  return any;
}
