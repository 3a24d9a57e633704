/**
 * Joins records to the mesh, incrementally: `mark` says which records changed, `link` looks again at those and at what
 * depends on them, and at nothing else. A linked record that comes out equal is not a change.
 */
import { isDeepStrictEqual } from 'node:util';
import { CopyOnWriteMap } from './copy-on-write.ts';
import { joinEndpoints } from './join-endpoints.ts';
import { linkPorts, linkTlsPolicy, tlsPolicyProblems } from './link-backend-tls.ts';
import { linkPolicy, linkTrafficPolicy, policyProblems, winnerOf } from './link-policy.ts';
import { type LinkedRoute, linkRoute } from './link-route.ts';
import { linkSplit } from './link-split.ts';
import { linkService, linkWorkload, podsOf, serviceKey } from './link-workload.ts';
import type { Key, MeshChange, Policy, Route, Service, ServiceEndpoints, Workload } from './model.ts';
import { MultiMap } from './multi-map.ts';
import { RecordIndex, references, splitSubject, subject } from './record-index.ts';
import type { RecordKind, Records } from './records.ts';

export class Linker {
  readonly services = new CopyOnWriteMap<Key, Service>();
  readonly endpoints = new CopyOnWriteMap<Key, ServiceEndpoints>();
  readonly workloads = new CopyOnWriteMap<Key, Workload>();
  readonly routes = new CopyOnWriteMap<string, Route>();
  readonly policies = new CopyOnWriteMap<string, Policy>();

  readonly #index = new RecordIndex();
  readonly #servicesOfPod = new MultiMap<Key, Key>();
  readonly #linkedRoutes = new Map<string, LinkedRoute>();
  readonly #setProblems: (subject: string, problems: readonly string[]) => void;

  constructor(setProblems: (subject: string, problems: readonly string[]) => void) {
    this.#setProblems = setProblems;
  }

  get<K extends RecordKind>(kind: K, key: Key): Records[K] | undefined {
    return this.#index.get(kind, key);
  }

  entries<K extends RecordKind>(kind: K): IterableIterator<[Key, Records[K]]> {
    return this.#index.entries(kind);
  }

  /** Takes a record, or its absence. False if nothing changes by it. */
  mark<K extends RecordKind>(kind: K, key: Key, record: Records[K] | undefined): boolean {
    return this.#index.mark(kind, key, record);
  }

  link(): MeshChange {
    const change = { services: new Set<Key>(), workloads: new Set<Key>(), routed: new Set<Key>() };
    const { dirty, policiesOfService, tlsPoliciesOfService, routesOfService } = this.#index;
    const services = new Set(dirty.Service);
    const pods = this.#index.dirtyPods();
    for (const service of services) this.#linkEndpoints(service, pods, change.services);
    for (const service of dirty.EndpointSlice) {
      services.add(service);
      this.#linkEndpoints(service, pods, change.services);
    }
    for (const pod of pods) {
      if (!this.#linkPod(pod)) continue;
      change.workloads.add(pod);
      for (const service of this.#servicesOfPod.get(pod)) services.add(service);
    }
    const routes = this.#index.dirtyRoutes();
    const policies = new Set(dirty.XBackendTrafficPolicy);
    const tlsPolicies = new Set(dirty.BackendTLSPolicy);
    for (const service of services) {
      for (const policy of policiesOfService.get(service)) policies.add(policy);
      for (const policy of tlsPoliciesOfService.get(service)) tlsPolicies.add(policy);
      if (!this.#linkService(service)) continue;
      change.services.add(service);
      for (const route of routesOfService.get(service)) routes.add(route);
    }
    for (const route of routes) this.#linkRoute(route, change.routed);
    for (const policy of policies) this.#linkPolicy(policy);
    for (const policy of tlsPolicies) this.#linkTlsPolicy(policy);
    this.#index.clean();
    return change;
  }

  #linkEndpoints(service: Key, pods: Set<Key>, changed: Set<Key>): void {
    const slices = this.#index.slicesOf(service);
    const before = this.endpoints.get(service);
    const address = this.get('Service', service)?.addresses[0] ?? '';
    const after = slices.length === 0 ? undefined : joinEndpoints(service, slices, address);
    if (isDeepStrictEqual(before, after)) return;
    if (after === undefined) this.endpoints.delete(service);
    else this.endpoints.set(service, after);
    changed.add(service);
    this.#movePods(service, podsOf(before), podsOf(after), pods);
  }

  #movePods(service: Key, before: ReadonlySet<Key>, after: ReadonlySet<Key>, pods: Set<Key>): void {
    for (const pod of before) {
      if (after.has(pod)) continue;
      this.#servicesOfPod.delete(pod, service);
      pods.add(pod);
    }
    for (const pod of after) {
      if (before.has(pod)) continue;
      this.#servicesOfPod.add(pod, service);
      pods.add(pod);
    }
  }

  #linkPod(key: Key): boolean {
    const record = this.get('Pod', key);
    const before = this.workloads.get(key);
    if (record === undefined) return this.workloads.delete(key);
    const after = linkWorkload(
      record,
      this.get('Namespace', record.namespace),
      this.get('Node', record.node),
      this.#servicesOfPod.get(key),
    );
    if (isDeepStrictEqual(before, after)) return false;
    this.workloads.set(key, after);
    return true;
  }

  #linkService(key: Key): boolean {
    const record = this.get('Service', key);
    if (record === undefined) return this.services.delete(key);
    const linked = linkService(record, this.endpoints.get(key), pod => this.workloads.get(pod));
    const policy = linkTrafficPolicy(winnerOf(this.#index.policiesOf(key)));
    const secured = linkPorts(linked, this.#index.tlsPoliciesOf(key), id => this.get('ConfigMap', id));
    const after = policy === null ? secured : { ...secured, policy };
    if (isDeepStrictEqual(this.services.get(key), after)) return false;
    this.services.set(key, after);
    return true;
  }

  #linkRoute(id: string, routed: Set<Key>): void {
    const before = this.#linkedRoutes.get(id);
    const after = this.#computeRoute(id);
    if (isDeepStrictEqual(before, after)) return;
    for (const [key, route] of before?.routes ?? []) {
      if (after?.routes.has(key) !== true) this.routes.delete(key);
      for (const parent of route.parents) routed.add(serviceKey(parent));
    }
    for (const [key, route] of after?.routes ?? []) {
      this.routes.set(key, route);
      for (const parent of route.parents) routed.add(serviceKey(parent));
    }
    if (after === undefined) this.#linkedRoutes.delete(id);
    else this.#linkedRoutes.set(id, after);
    this.#setProblems(id, after?.problems ?? []);
  }

  #linkPolicy(key: Key): void {
    const record = this.get('XBackendTrafficPolicy', key);
    const after =
      record === undefined
        ? undefined
        : linkPolicy(
            record,
            service => this.services.get(service),
            service => this.#index.policiesOf(service),
          );
    const problems = after === undefined ? [] : policyProblems(after, record?.invalid ?? '');
    this.#setPolicy(subject('XBackendTrafficPolicy', key), after, problems);
  }

  #linkTlsPolicy(key: Key): void {
    const record = this.get('BackendTLSPolicy', key);
    const after =
      record === undefined
        ? undefined
        : linkTlsPolicy(
            record,
            id => this.services.get(id),
            id => this.#index.tlsPoliciesOf(id),
            id => this.get('ConfigMap', id),
          );
    this.#setPolicy(subject('BackendTLSPolicy', key), after, after ? tlsPolicyProblems(after) : []);
  }

  #setPolicy(id: string, after: Policy | undefined, problems: readonly string[]): void {
    if (isDeepStrictEqual(this.policies.get(id), after)) return;
    if (after === undefined) this.policies.delete(id);
    else this.policies.set(id, after);
    this.#setProblems(id, problems);
  }

  #computeRoute(id: string): LinkedRoute | undefined {
    const [kind, key] = splitSubject(id);
    const services = (service: Key): Service | undefined => this.services.get(service);
    if (kind === 'TrafficSplit') {
      const split = this.get('TrafficSplit', key);
      if (split === undefined) return undefined;
      const { splits, routes } = this.#index.ownersOf(references(split).parents);
      const groups = (group: Key) => this.get('HTTPRouteGroup', group);
      return linkSplit(id, split, splits, routes, services, groups);
    }
    const route = this.get(kind, key);
    if (route === undefined) return undefined;
    return linkRoute(id, route, this.#index.ownersOf(references(route).parents).routes, services);
  }
}
