import { type Key, key, type Mesh, type MeshChange, type Route, type Workload } from '../model/model.ts';

/**
 * Something that a resource was made from. A change of the mesh becomes a set of them, and only resources that read one
 * of them are made again. Absence is read as well: a resource for an unknown address depends on that address.
 *
 *  - `service/<ns>/<name>`: the Service's own record
 *  - `endpoints/<ns>/<name>`: its endpoints and the workloads behind them
 *  - `routes/<ns>/<name>`: the routes attached to it
 *  - `workload/<ns>/<name>`: one pod
 *  - `address/<ip>`: what the address belongs to
 *  - `services`, `allRoutes`: any of them, for resources that list all
 */
export type Token = string;

export const anyService: Token = 'services';
export const anyRoute: Token = 'allRoutes';

/** What an address belongs to. */
export type AddressOwner = { kind: 'service'; service: Key } | { kind: 'workload'; workload: Key };

/**
 * The mesh, indexed for what clients ask. `advance` moves it to a newer state at the cost of what changed.
 */
export class MeshIndex {
  #mesh: Mesh;
  readonly #services = new Map<string, Set<Key>>();
  readonly #workloads = new Map<string, Set<Key>>();
  #routes = new Map<Key, Route[]>();
  #servicesByName: readonly Key[] | null = null;

  constructor(mesh: Mesh) {
    this.#mesh = mesh;
    for (const [id, service] of mesh.services) addAll(this.#services, service.addresses, id);
    for (const [id, workload] of mesh.workloads) addAll(this.#workloads, workload.addresses, id);
    this.#indexRoutes();
  }

  get mesh(): Mesh {
    return this.#mesh;
  }

  /** Keys of all Services in order of their names. */
  get serviceKeys(): readonly Key[] {
    this.#servicesByName ??= [...this.#mesh.services.keys()].sort();
    return this.#servicesByName;
  }

  /** Routes whose parent is the Service, in no order. */
  routesOf(service: Key): readonly Route[] {
    return this.#routes.get(service) ?? [];
  }

  /**
   * Whom the address belongs to. Services go before workloads. An address of several workloads (host network) or of
   * several Services without a common port tells nothing, except by the port for Services.
   */
  ownerOf(address: string, port: number): AddressOwner | null {
    const services = this.#services.get(address);
    if (services !== undefined) {
      for (const service of [...services].sort()) {
        if (this.#mesh.services.get(service)?.ports.some(other => other.port === port)) {
          return { kind: 'service', service };
        }
      }
    }
    const workloads = this.#workloads.get(address);
    if (workloads?.size !== 1) return null;
    return { kind: 'workload', workload: workloads.values().next().value as Key };
  }

  /** Moves to `next`; returns what changed, or null if everything may have. */
  advance(next: Mesh, change: MeshChange): ReadonlySet<Token> | null {
    const last = this.#mesh;
    this.#mesh = next;
    const touched = new Set<Token>();
    for (const id of change.services) this.#advanceService(last, id, touched);
    for (const id of change.workloads) this.#advanceWorkload(last, id, touched);
    if (change.routed.size > 0) {
      this.#indexRoutes();
      touched.add(anyRoute);
      for (const id of change.routed) touched.add(`routes/${id}`);
    }
    return sameSettings(last, next) ? touched : null;
  }

  #advanceService(last: Mesh, id: Key, touched: Set<Token>): void {
    const before = last.services.get(id);
    const after = this.#mesh.services.get(id);
    if (before !== after) {
      touched.add(`service/${id}`).add(anyService);
      this.#servicesByName = null;
      moveAddresses(this.#services, before?.addresses, after?.addresses, id, touched);
    }
    if (last.endpoints.get(id) !== this.#mesh.endpoints.get(id)) touched.add(`endpoints/${id}`);
  }

  #advanceWorkload(last: Mesh, id: Key, touched: Set<Token>): void {
    const before = last.workloads.get(id);
    const after = this.#mesh.workloads.get(id);
    if (before === after) return;
    touched.add(`workload/${id}`);
    // A Service that did not select the pod before has read the pod itself (MeshReader.workloadBehind).
    for (const service of before?.services ?? []) touched.add(`endpoints/${service}`);
    moveAddresses(this.#workloads, before?.addresses, after?.addresses, id, touched);
  }

  #indexRoutes(): void {
    const routes = new Map<Key, Route[]>();
    for (const route of this.#mesh.routes.values()) {
      const parents = new Set(route.parents.map(parent => key(parent.namespace, parent.name)));
      for (const parent of parents) {
        const list = routes.get(parent);
        if (list === undefined) routes.set(parent, [route]);
        else list.push(route);
      }
    }
    this.#routes = routes;
  }
}

/** Whether the workload is one that `endpoints/<service>` speaks for. */
export function isSelectedBy(workload: Workload, service: Key): boolean {
  return workload.services.includes(service);
}

function sameSettings(a: Mesh, b: Mesh): boolean {
  return (
    a.trustDomain === b.trustDomain &&
    a.clusterDomain === b.clusterDomain &&
    a.defaultMtls === b.defaultMtls &&
    a.connectTimeoutMs === b.connectTimeoutMs
  );
}

function addAll(index: Map<string, Set<Key>>, addresses: readonly string[], id: Key): void {
  for (const address of addresses) {
    const owners = index.get(address);
    if (owners === undefined) index.set(address, new Set([id]));
    else owners.add(id);
  }
}

function moveAddresses(
  index: Map<string, Set<Key>>,
  before: readonly string[] | undefined,
  after: readonly string[] | undefined,
  id: Key,
  touched: Set<Token>,
): void {
  for (const address of before ?? []) {
    const owners = index.get(address);
    owners?.delete(id);
    if (owners?.size === 0) index.delete(address);
    touched.add(`address/${address}`);
  }
  addAll(index, after ?? [], id);
  for (const address of after ?? []) touched.add(`address/${address}`);
}
