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
import {
  type GatewayRouteKind,
  gatewayRouteKinds,
  type Key,
  type MeshChange,
  type Policy,
  type Route,
  type Service,
  type ServiceEndpoints,
  type Workload,
} from './model.ts';
import { MultiMap } from './multi-map.ts';
import {
  type EndpointSliceRecord,
  type PolicyRecord,
  type RecordKind,
  type Records,
  recordKinds,
  type SplitRecord,
  type TlsPolicyRecord,
} from './records.ts';
import { meetsAffinity } from './session-affinity.ts';

type RouteKind = GatewayRouteKind | 'TrafficSplit';

const routeKinds: readonly RouteKind[] = [...gatewayRouteKinds, 'TrafficSplit'];

/** Identifies an object among all kinds. */
export function subject(kind: RecordKind, key: Key): string {
  return `${kind}/${key}`;
}

export class Linker {
  readonly services = new CopyOnWriteMap<Key, Service>();
  readonly endpoints = new CopyOnWriteMap<Key, ServiceEndpoints>();
  readonly workloads = new CopyOnWriteMap<Key, Workload>();
  readonly routes = new CopyOnWriteMap<string, Route>();
  readonly policies = new CopyOnWriteMap<string, Policy>();

  readonly #records = Object.fromEntries(recordKinds.map(kind => [kind, new Map()])) as {
    readonly [K in RecordKind]: Map<Key, Records[K]>;
  };
  /** Keys of changed records; of a slice the key of its Service, as that is what is looked at again. */
  readonly #dirty = Object.fromEntries(recordKinds.map(kind => [kind, new Set<Key>()])) as {
    readonly [K in RecordKind]: Set<Key>;
  };
  readonly #slicesOfService = new MultiMap<Key, Key>();
  readonly #podsOfNamespace = new MultiMap<string, Key>();
  readonly #podsOfNode = new MultiMap<string, Key>();
  readonly #servicesOfPod = new MultiMap<Key, Key>();
  /** Subjects of routes that name a Service as parent or backend. */
  readonly #routesOfService = new MultiMap<Key, string>();
  /** Subjects of routes that are attached to a Service. */
  readonly #ownersOfService = new MultiMap<Key, string>();
  /** Subjects of TrafficSplits that name an HTTPRouteGroup. */
  readonly #splitsOfGroup = new MultiMap<Key, string>();
  /** Policies that target a Service. */
  readonly #policiesOfService = new MultiMap<Key, Key>();
  readonly #tlsPoliciesOfService = new MultiMap<Key, Key>();
  /** BackendTLSPolicies that refer to a ConfigMap. */
  readonly #tlsPoliciesOfConfigMap = new MultiMap<Key, Key>();
  readonly #linkedRoutes = new Map<string, LinkedRoute>();
  readonly #setProblems: (subject: string, problems: readonly string[]) => void;

  constructor(setProblems: (subject: string, problems: readonly string[]) => void) {
    this.#setProblems = setProblems;
  }

  get<K extends RecordKind>(kind: K, key: Key): Records[K] | undefined {
    return this.#records[kind].get(key);
  }

  entries<K extends RecordKind>(kind: K): IterableIterator<[Key, Records[K]]> {
    return this.#records[kind].entries();
  }

  /** Takes a record, or its absence. False if nothing changes by it. */
  mark<K extends RecordKind>(kind: K, key: Key, record: Records[K] | undefined): boolean {
    const records = this.#records[kind] as Map<Key, Records[K]>;
    const before = records.get(key);
    if (before === record || (before !== undefined && isDeepStrictEqual(before, record))) return false;
    if (before !== undefined) this.#index(kind, key, before, false);
    if (record === undefined) records.delete(key);
    else {
      records.set(key, record);
      this.#index(kind, key, record, true);
    }
    if (kind !== 'EndpointSlice') this.#dirty[kind].add(key);
    return true;
  }

  link(): MeshChange {
    const change = { services: new Set<Key>(), workloads: new Set<Key>(), routed: new Set<Key>() };
    const services = new Set(this.#dirty.Service);
    const pods = this.#dirtyPods();
    for (const service of services) this.#linkEndpoints(service, pods, change.services);
    for (const service of this.#dirty.EndpointSlice) {
      services.add(service);
      this.#linkEndpoints(service, pods, change.services);
    }
    for (const pod of pods) {
      if (!this.#linkPod(pod)) continue;
      change.workloads.add(pod);
      for (const service of this.#servicesOfPod.get(pod)) services.add(service);
    }
    const routes = this.#dirtyRoutes();
    const policies = new Set(this.#dirty.XBackendTrafficPolicy);
    const tlsPolicies = new Set(this.#dirty.BackendTLSPolicy);
    for (const service of services) {
      for (const policy of this.#policiesOfService.get(service)) policies.add(policy);
      for (const policy of this.#tlsPoliciesOfService.get(service)) tlsPolicies.add(policy);
      if (!this.#linkService(service)) continue;
      change.services.add(service);
      for (const route of this.#routesOfService.get(service)) routes.add(route);
    }
    for (const route of routes) this.#linkRoute(route, change.routed);
    for (const policy of policies) this.#linkPolicy(policy);
    for (const policy of tlsPolicies) this.#linkTlsPolicy(policy);
    for (const kind of recordKinds) this.#dirty[kind].clear();
    return change;
  }

  #index<K extends RecordKind>(kind: K, key: Key, record: Records[K], present: boolean): void {
    const update = present
      ? <T>(index: MultiMap<string, T>, at: string, value: T) => index.add(at, value)
      : <T>(index: MultiMap<string, T>, at: string, value: T) => index.delete(at, value);
    switch (kind) {
      case 'EndpointSlice': {
        const { service } = record as Records['EndpointSlice'];
        update(this.#slicesOfService, service, key);
        this.#dirty.EndpointSlice.add(service);
        return;
      }
      case 'Pod': {
        const { namespace, node } = record as Records['Pod'];
        update(this.#podsOfNamespace, namespace, key);
        update(this.#podsOfNode, node, key);
        return;
      }
      case 'HTTPRoute':
      case 'GRPCRoute':
      case 'TLSRoute':
      case 'TCPRoute':
      case 'TrafficSplit': {
        const id = subject(kind, key);
        const { parents, backends, groups } = references(record as Route | SplitRecord);
        for (const service of parents) {
          // Whoever shares a Service with a route that comes or goes may win or lose by it.
          for (const other of this.#ownersOfService.get(service)) this.#markRoute(other);
          update(this.#ownersOfService, service, id);
        }
        for (const service of [...parents, ...backends]) update(this.#routesOfService, service, id);
        for (const group of groups) update(this.#splitsOfGroup, group, id);
        return;
      }
      case 'HTTPRouteGroup':
        for (const split of this.#splitsOfGroup.get(key)) this.#markRoute(split);
        return;
      case 'XBackendTrafficPolicy': {
        const { namespace, targets } = record as PolicyRecord;
        for (const name of targets) {
          const service = serviceKey({ namespace, name });
          update(this.#policiesOfService, service, key);
          // Who shares it may win or lose by it.
          this.#dirty.Service.add(service);
        }
        return;
      }
      case 'BackendTLSPolicy': {
        const { namespace, targets, authorities } = record as TlsPolicyRecord;
        for (const target of targets) {
          const service = serviceKey({ namespace, name: target.service });
          update(this.#tlsPoliciesOfService, service, key);
          this.#dirty.Service.add(service);
        }
        for (const name of authorities)
          update(this.#tlsPoliciesOfConfigMap, serviceKey({ namespace, name }), key);
        return;
      }
      case 'ConfigMap':
        for (const policy of this.#tlsPoliciesOfConfigMap.get(key)) {
          const held = this.#records.BackendTLSPolicy.get(policy);
          this.#dirty.BackendTLSPolicy.add(policy);
          for (const { service } of held?.targets ?? [])
            this.#dirty.Service.add(serviceKey({ namespace: held?.namespace ?? '', name: service }));
        }
        return;
      case 'Service':
      case 'Namespace':
      case 'Node':
    }
  }

  #markRoute(id: string): void {
    const [kind, key] = splitSubject(id);
    this.#dirty[kind].add(key);
  }

  #dirtyPods(): Set<Key> {
    const pods = new Set(this.#dirty.Pod);
    for (const namespace of this.#dirty.Namespace)
      for (const pod of this.#podsOfNamespace.get(namespace)) pods.add(pod);
    for (const node of this.#dirty.Node) for (const pod of this.#podsOfNode.get(node)) pods.add(pod);
    return pods;
  }

  #dirtyRoutes(): Set<string> {
    const routes = new Set<string>();
    for (const kind of routeKinds) for (const key of this.#dirty[kind]) routes.add(subject(kind, key));
    return routes;
  }

  #linkEndpoints(service: Key, pods: Set<Key>, changed: Set<Key>): void {
    const slices: EndpointSliceRecord[] = [];
    for (const slice of this.#slicesOfService.get(service)) {
      const record = this.#records.EndpointSlice.get(slice);
      if (record !== undefined) slices.push(record);
    }
    const before = this.endpoints.get(service);
    const address = this.#records.Service.get(service)?.addresses[0] ?? '';
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
    const record = this.#records.Pod.get(key);
    const before = this.workloads.get(key);
    if (record === undefined) return this.workloads.delete(key);
    const after = linkWorkload(
      record,
      this.#records.Namespace.get(record.namespace),
      this.#records.Node.get(record.node),
      this.#servicesOfPod.get(key),
    );
    if (isDeepStrictEqual(before, after)) return false;
    this.workloads.set(key, after);
    return true;
  }

  #linkService(key: Key): boolean {
    const record = this.#records.Service.get(key);
    if (record === undefined) return this.services.delete(key);
    const linked = linkService(record, this.endpoints.get(key), pod => this.workloads.get(pod));
    const policy = linkTrafficPolicy(winnerOf(this.#policiesOf(key)));
    const secured = linkPorts(linked, this.#tlsPoliciesOf(key), id => this.#records.ConfigMap.get(id));
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

  /** Those that target a Service and can be in force there. */
  *#policiesOf(service: Key): Generator<PolicyRecord> {
    const at = this.#records.Service.get(service);
    for (const key of this.#policiesOfService.get(service)) {
      const policy = this.#records.XBackendTrafficPolicy.get(key);
      if (policy !== undefined && !meetsAffinity(policy, at)) yield policy;
    }
  }

  #linkPolicy(key: Key): void {
    const record = this.#records.XBackendTrafficPolicy.get(key);
    const after =
      record === undefined
        ? undefined
        : linkPolicy(
            record,
            service => this.services.get(service),
            service => this.#policiesOf(service),
          );
    const problems = after === undefined ? [] : policyProblems(after, record?.invalid ?? '');
    this.#setPolicy(subject('XBackendTrafficPolicy', key), after, problems);
  }

  #tlsPoliciesOf(service: Key): TlsPolicyRecord[] {
    return [...this.#tlsPoliciesOfService.get(service)].flatMap(
      key => this.#records.BackendTLSPolicy.get(key) ?? [],
    );
  }

  #linkTlsPolicy(key: Key): void {
    const record = this.#records.BackendTLSPolicy.get(key);
    const after =
      record === undefined
        ? undefined
        : linkTlsPolicy(
            record,
            id => this.services.get(id),
            id => this.#tlsPoliciesOf(id),
            id => this.#records.ConfigMap.get(id),
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
      const split = this.#records.TrafficSplit.get(key);
      if (split === undefined) return undefined;
      const { splits, routes } = this.#owners(references(split).parents);
      const groups = (group: Key) => this.#records.HTTPRouteGroup.get(group);
      return linkSplit(id, split, splits, routes, services, groups);
    }
    const route = this.#records[kind].get(key);
    if (route === undefined) return undefined;
    return linkRoute(id, route, this.#owners(references(route).parents).routes, services);
  }

  #owners(services: readonly Key[]): { splits: SplitRecord[]; routes: Route[] } {
    const splits: SplitRecord[] = [];
    const routes: Route[] = [];
    for (const id of new Set(services.flatMap(service => [...this.#ownersOfService.get(service)]))) {
      const [kind, key] = splitSubject(id);
      if (kind === 'TrafficSplit') splits.push(this.#records.TrafficSplit.get(key) as SplitRecord);
      else routes.push(this.#records[kind].get(key) as Route);
    }
    return { splits, routes };
  }
}

/** Keys of the Services and HTTPRouteGroups that a route names. */
function references(route: Route | SplitRecord): { parents: Key[]; backends: Key[]; groups: Key[] } {
  if ('service' in route) {
    const inNamespace = (name: string): Key => serviceKey({ namespace: route.namespace, name });
    return {
      parents: [inNamespace(route.service)],
      backends: route.backends.map(backend => inNamespace(backend.service)),
      groups: route.groups.map(inNamespace),
    };
  }
  const backends = route.rules.flatMap(({ action }) =>
    action.kind === 'redirect'
      ? []
      : [...action.backends, ...action.mirrors.map(mirror => mirror.backend)].flatMap(({ service }) =>
          service === null ? [] : [serviceKey(service)],
        ),
  );
  return { parents: route.parents.map(serviceKey), backends, groups: [] };
}

function splitSubject(id: string): [kind: RouteKind, key: Key] {
  const slash = id.indexOf('/');
  return [id.slice(0, slash) as RouteKind, id.slice(slash + 1)];
}
