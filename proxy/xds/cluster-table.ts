import { Cluster } from '../cluster/cluster.ts';
import type { ClusterConfig, EndpointsConfig } from '../cluster/cluster-config.ts';
import type { ServiceCounters } from '../cluster/service-counters.ts';

/**
 * The live clusters. One comes to life when its configuration and its endpoints are both there, and lives on under its
 * name, through every update, until nothing refers to it any more.
 */
export class ClusterTable {
  readonly #counters: (host: string) => ServiceCounters;
  readonly #live = new Map<string, Cluster>();
  /** Halves that wait for the other one. */
  readonly #configs = new Map<string, ClusterConfig>();
  readonly #endpoints = new Map<string, EndpointsConfig>();
  /** Names of which the control plane says that they do not exist. */
  readonly #absent = new Set<string>();

  /** `counters` gives those of a Service by its host. */
  constructor(counters: (host: string) => ServiceCounters) {
    this.#counters = counters;
  }

  get(name: string): Cluster | undefined {
    return this.#live.get(name);
  }

  all(): Iterable<Cluster> {
    return this.#live.values();
  }

  /** Whether a reference to the name can be resolved: it is live, or known not to exist. */
  isSettled(name: string): boolean {
    return this.#live.has(name) || this.#absent.has(name);
  }

  /** Answers whether the cluster came to life by this. */
  setConfig(config: ClusterConfig): boolean {
    this.#absent.delete(config.name);
    const cluster = this.#live.get(config.name);
    if (cluster !== undefined) {
      cluster.update(config);
      return false;
    }
    this.#configs.set(config.name, config);
    return this.#join(config.name);
  }

  /** Answers whether the cluster came to life by this. */
  setEndpoints(config: EndpointsConfig): boolean {
    const cluster = this.#live.get(config.name);
    if (cluster !== undefined) {
      cluster.updateEndpoints(config);
      return false;
    }
    this.#endpoints.set(config.name, config);
    return this.#join(config.name);
  }

  /** The control plane has none of this name. A live one stays as it is until nothing refers to it. */
  setAbsent(name: string): void {
    this.#configs.delete(name);
    this.#endpoints.delete(name);
    this.#absent.add(name);
  }

  /** Nothing refers to the name any more. */
  forget(name: string): void {
    this.setAbsent(name);
    this.#absent.delete(name);
    const cluster = this.#live.get(name);
    if (cluster === undefined) return;
    this.#live.delete(name);
    cluster.retire();
  }

  #join(name: string): boolean {
    const config = this.#configs.get(name);
    const endpoints = this.#endpoints.get(name);
    if (config === undefined || endpoints === undefined) return false;
    this.#configs.delete(name);
    this.#endpoints.delete(name);
    const cluster = new Cluster(config, this.#counters(config.service.host));
    cluster.updateEndpoints(endpoints);
    this.#live.set(name, cluster);
    return true;
  }
}
