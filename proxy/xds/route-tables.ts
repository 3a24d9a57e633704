import type { RoutesConfig } from '../route/route-config.ts';
import { compileRoutes, type RouteTable } from '../route/route-table.ts';
import type { ClusterTable } from './cluster-table.ts';

/** A compiled table with what it was made from. */
export interface CompiledRoutes {
  readonly table: RouteTable;
  readonly config: RoutesConfig;
  /** Names of the clusters that it refers to. */
  readonly clusters: readonly string[];
}

/** RouteConfigurations by name, compiled once for all destinations that share them. */
export class RouteTables {
  readonly #clusters: ClusterTable;
  readonly #configs = new Map<string, RoutesConfig>();
  readonly #compiled = new Map<string, CompiledRoutes>();

  constructor(clusters: ClusterTable) {
    this.#clusters = clusters;
  }

  set(config: RoutesConfig): void {
    this.#configs.set(config.name, config);
  }

  all(): Iterable<RoutesConfig> {
    return this.#configs.values();
  }

  forget(name: string): void {
    this.#configs.delete(name);
    this.#compiled.delete(name);
  }

  /** Names of the clusters that the newest configuration of this name refers to. */
  clustersOf(name: string): readonly string[] {
    const config = this.#configs.get(name);
    return config === undefined ? [] : referredClusters(config);
  }

  /** The newest table of this name; null while it, or a cluster that it refers to, is not there. */
  get(name: string): CompiledRoutes | null {
    const config = this.#configs.get(name);
    if (config === undefined) return null;
    const known = this.#compiled.get(name);
    if (known?.config === config && this.#isCurrent(known)) return known;
    const clusters = referredClusters(config);
    if (!clusters.every(cluster => this.#clusters.isSettled(cluster))) return null;
    const table = compileRoutes(config, cluster => this.#clusters.get(cluster) ?? null);
    const compiled = { table, config, clusters };
    this.#compiled.set(name, compiled);
    return compiled;
  }

  /** A cluster that went and came back is another object, which the table does not know. */
  #isCurrent({ table }: CompiledRoutes): boolean {
    return table.routes.every(
      route =>
        route.kind !== 'forward' ||
        (route.backends.every(({ name, cluster }) => cluster === (this.#clusters.get(name) ?? null)) &&
          route.mirrors.every(({ cluster }) => cluster === this.#clusters.get(cluster.name))),
    );
  }
}

function referredClusters(config: RoutesConfig): string[] {
  const names = new Set<string>();
  for (const { action } of config.routes) {
    if (action.kind !== 'forward') continue;
    for (const { cluster } of [...action.backends, ...action.mirrors]) if (cluster !== '') names.add(cluster);
  }
  return [...names];
}
