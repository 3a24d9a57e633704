import type { Key, Mesh, Route, Service, ServiceEndpoints, Workload } from '../model/model.ts';
import {
  type AddressOwner,
  anyRoute,
  anyService,
  isSelectedBy,
  type MeshIndex,
  type Token,
} from './mesh-index.ts';

/** What one translation sees of the mesh. It remembers what was read, so that no dependency can be forgotten. */
export class MeshReader {
  readonly #index: MeshIndex;
  readonly read = new Set<Token>();

  constructor(index: MeshIndex) {
    this.#index = index;
  }

  get settings(): Pick<Mesh, 'trustDomain' | 'clusterDomain' | 'defaultMtls' | 'connectTimeoutMs'> {
    return this.#index.mesh;
  }

  service(id: Key): Service | undefined {
    this.read.add(`service/${id}`);
    return this.#index.mesh.services.get(id);
  }

  endpoints(id: Key): ServiceEndpoints | undefined {
    this.read.add(`endpoints/${id}`);
    return this.#index.mesh.endpoints.get(id);
  }

  workload(id: Key): Workload | undefined {
    this.read.add(`workload/${id}`);
    return this.#index.mesh.workloads.get(id);
  }

  /**
   * The workload behind an endpoint of a Service. `endpoints/<service>` speaks for those that the Service selects, which
   * saves one dependency for each endpoint.
   */
  workloadBehind(service: Key, id: Key): Workload | undefined {
    const workload = this.#index.mesh.workloads.get(id);
    if (workload === undefined || !isSelectedBy(workload, service)) this.read.add(`workload/${id}`);
    return workload;
  }

  ownerOf(address: string, port: number): AddressOwner | null {
    this.read.add(`address/${address}`);
    return this.#index.ownerOf(address, port);
  }

  routesOf(service: Key): readonly Route[] {
    this.read.add(`routes/${service}`);
    return this.#index.routesOf(service);
  }

  /** Every Service, in order of their keys; for wildcard subscriptions. */
  allServices(): Service[] {
    this.read.add(anyService);
    const { services } = this.#index.mesh;
    return this.#index.serviceKeys.map(id => services.get(id) as Service);
  }

  /** As {@link routesOf} for a resource that reads the routes of every Service anyway. */
  anyRoutesOf(service: Key): readonly Route[] {
    this.read.add(anyRoute);
    return this.#index.routesOf(service);
  }
}
