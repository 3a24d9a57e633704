/**
 * Records as they came, with what depends on each: by which a change of one record is a change of others. `dirty` is what
 * has to be looked at again.
 */
import { isDeepStrictEqual } from 'node:util';
import { serviceKey } from './link-workload.ts';
import { type GatewayRouteKind, gatewayRouteKinds, type Key, type Route } from './model.ts';
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

export class RecordIndex {
  readonly #records = Object.fromEntries(recordKinds.map(kind => [kind, new Map()])) as {
    readonly [K in RecordKind]: Map<Key, Records[K]>;
  };
  /** Keys of changed records; of a slice the key of its Service, as that is what is looked at again. */
  readonly dirty = Object.fromEntries(recordKinds.map(kind => [kind, new Set<Key>()])) as {
    readonly [K in RecordKind]: Set<Key>;
  };
  readonly #slicesOfService = new MultiMap<Key, Key>();
  readonly #podsOfNamespace = new MultiMap<string, Key>();
  readonly #podsOfNode = new MultiMap<string, Key>();
  /** Subjects of routes that name a Service as parent or backend. */
  readonly routesOfService = new MultiMap<Key, string>();
  /** Subjects of routes that are attached to a Service. */
  readonly #ownersOfService = new MultiMap<Key, string>();
  /** Subjects of TrafficSplits that name an HTTPRouteGroup. */
  readonly #splitsOfGroup = new MultiMap<Key, string>();
  /** Policies that target a Service. */
  readonly policiesOfService = new MultiMap<Key, Key>();
  readonly tlsPoliciesOfService = new MultiMap<Key, Key>();
  /** BackendTLSPolicies that refer to a ConfigMap. */
  readonly #tlsPoliciesOfConfigMap = new MultiMap<Key, Key>();

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
    if (kind !== 'EndpointSlice') this.dirty[kind].add(key);
    return true;
  }

  /** Everything has been looked at. */
  clean(): void {
    for (const kind of recordKinds) this.dirty[kind].clear();
  }

  /** Pods that have changed, or their namespace or node. */
  dirtyPods(): Set<Key> {
    const pods = new Set(this.dirty.Pod);
    for (const namespace of this.dirty.Namespace)
      for (const pod of this.#podsOfNamespace.get(namespace)) pods.add(pod);
    for (const node of this.dirty.Node) for (const pod of this.#podsOfNode.get(node)) pods.add(pod);
    return pods;
  }

  /** Subjects of routes that have changed, or that share a Service with one that has. */
  dirtyRoutes(): Set<string> {
    const routes = new Set<string>();
    for (const kind of routeKinds) for (const key of this.dirty[kind]) routes.add(subject(kind, key));
    return routes;
  }

  slicesOf(service: Key): EndpointSliceRecord[] {
    return [...this.#slicesOfService.get(service)].flatMap(key => this.#records.EndpointSlice.get(key) ?? []);
  }

  /** Those that target a Service and can be in force there. */
  *policiesOf(service: Key): Generator<PolicyRecord> {
    const at = this.#records.Service.get(service);
    for (const key of this.policiesOfService.get(service)) {
      const policy = this.#records.XBackendTrafficPolicy.get(key);
      if (policy !== undefined && !meetsAffinity(policy, at)) yield policy;
    }
  }

  tlsPoliciesOf(service: Key): TlsPolicyRecord[] {
    return [...this.tlsPoliciesOfService.get(service)].flatMap(
      key => this.#records.BackendTLSPolicy.get(key) ?? [],
    );
  }

  /** Routes and splits that are attached to any of the Services. */
  ownersOf(services: readonly Key[]): { splits: SplitRecord[]; routes: Route[] } {
    const splits: SplitRecord[] = [];
    const routes: Route[] = [];
    for (const id of new Set(services.flatMap(service => [...this.#ownersOfService.get(service)]))) {
      const [kind, key] = splitSubject(id);
      if (kind === 'TrafficSplit') splits.push(this.#records.TrafficSplit.get(key) as SplitRecord);
      else routes.push(this.#records[kind].get(key) as Route);
    }
    return { splits, routes };
  }

  #index<K extends RecordKind>(kind: K, key: Key, record: Records[K], present: boolean): void {
    const update = present
      ? <T>(index: MultiMap<string, T>, at: string, value: T) => index.add(at, value)
      : <T>(index: MultiMap<string, T>, at: string, value: T) => index.delete(at, value);
    switch (kind) {
      case 'EndpointSlice': {
        const { service } = record as Records['EndpointSlice'];
        update(this.#slicesOfService, service, key);
        this.dirty.EndpointSlice.add(service);
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
        for (const service of [...parents, ...backends]) update(this.routesOfService, service, id);
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
          update(this.policiesOfService, service, key);
          // Who shares it may win or lose by it.
          this.dirty.Service.add(service);
        }
        return;
      }
      case 'BackendTLSPolicy': {
        const { namespace, targets, authorities } = record as TlsPolicyRecord;
        for (const target of targets) {
          const service = serviceKey({ namespace, name: target.service });
          update(this.tlsPoliciesOfService, service, key);
          this.dirty.Service.add(service);
        }
        for (const name of authorities)
          update(this.#tlsPoliciesOfConfigMap, serviceKey({ namespace, name }), key);
        return;
      }
      case 'ConfigMap':
        for (const policy of this.#tlsPoliciesOfConfigMap.get(key)) {
          const held = this.#records.BackendTLSPolicy.get(policy);
          this.dirty.BackendTLSPolicy.add(policy);
          for (const { service } of held?.targets ?? [])
            this.dirty.Service.add(serviceKey({ namespace: held?.namespace ?? '', name: service }));
        }
        return;
      case 'Service':
      case 'Namespace':
      case 'Node':
    }
  }

  #markRoute(id: string): void {
    const [kind, key] = splitSubject(id);
    this.dirty[kind].add(key);
  }
}

/** Keys of the Services and HTTPRouteGroups that a route names. */
export function references(route: Route | SplitRecord): { parents: Key[]; backends: Key[]; groups: Key[] } {
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

export function splitSubject(id: string): [kind: RouteKind, key: Key] {
  const slash = id.indexOf('/');
  return [id.slice(0, slash) as RouteKind, id.slice(slash + 1)];
}
