/** Meshes for tests, as literals with everything defaulted. */
import {
  type Endpoint,
  key,
  type Mesh,
  type MeshChange,
  type MeshStore,
  type Policy,
  type Route,
  type RouteMatch,
  type RouteRule,
  type Service,
  type ServiceEndpoints,
  type ServicePort,
  type Workload,
} from '../model/model.ts';

export interface MeshParts {
  services?: readonly Service[];
  endpoints?: readonly ServiceEndpoints[];
  workloads?: readonly Workload[];
  routes?: readonly Route[];
  policies?: readonly Policy[];
  version?: number;
}

export function mesh(parts: MeshParts): Mesh {
  return {
    version: parts.version ?? 1,
    trustDomain: 'cluster.local',
    clusterDomain: 'cluster.local',
    defaultMtls: 'permissive',
    connectTimeoutMs: 1000,
    services: new Map((parts.services ?? []).map(s => [key(s.namespace, s.name), s])),
    endpoints: new Map((parts.endpoints ?? []).map(e => [e.service, e])),
    workloads: new Map((parts.workloads ?? []).map(w => [key(w.namespace, w.name), w])),
    policies: new Map((parts.policies ?? []).map(p => [`${p.kind}/${p.namespace}/${p.name}`, p])),
    routes: new Map((parts.routes ?? []).map(r => [`${r.kind}/${r.namespace}/${r.name}`, r])),
  };
}

export function port(number: number, fields: Partial<ServicePort> = {}): ServicePort {
  const name = `port-${number}`;
  const declared = { targetPort: number, protocol: 'http', clientTls: false, backendTls: null } as const;
  return { port: number, name, ...declared, ...fields };
}

export function service(name: string, fields: Partial<Service> = {}): Service {
  return {
    namespace: 'default',
    name,
    uid: `uid-${name}`,
    kind: 'cluster-ip',
    addresses: [],
    ports: [port(80)],
    preferClose: false,
    clientAffinity: false,
    externalName: '',
    policy: null,
    ...fields,
  };
}

export function workload(name: string, fields: Partial<Workload> = {}): Workload {
  return {
    namespace: 'default',
    name,
    uid: `uid-${name}`,
    addresses: [],
    serviceAccount: 'default',
    meshed: true,
    owner: name,
    app: name,
    version: 'v1',
    canonicalService: name,
    canonicalRevision: 'v1',
    node: 'node-a',
    zone: '',
    opaquePorts: [],
    mtls: '',
    namedPorts: new Map(),
    services: [],
    ...fields,
  };
}

export function endpoint(address: string, fields: Partial<Endpoint> = {}): Endpoint {
  return { address, ready: true, pod: '', zone: '', ...fields };
}

/** Endpoints of a Service with one port. */
export function endpoints(
  service: string,
  port: { name: string; port: number },
  list: readonly Endpoint[],
): ServiceEndpoints {
  return { service, ports: [{ ...port, endpoints: list }] };
}

export function match(fields: Partial<RouteMatch> = {}): RouteMatch {
  return { path: { kind: 'prefix', value: '/' }, method: '', headers: [], query: [], ...fields };
}

/** A rule that forwards to Service ports `name:port` of namespace default, with weights. */
export function rule(backends: Readonly<Record<string, number>>, fields: Partial<RouteRule> = {}): RouteRule {
  return {
    name: '',
    matches: [match()],
    action: {
      kind: 'forward',
      backends: Object.entries(backends).map(([target, weight]) => {
        const [name, number] = target.split(':');
        return {
          service: { namespace: 'default', name, port: Number(number) },
          problem: '',
          weight,
          requestFields: null,
          responseFields: null,
          policy: null,
        };
      }),
      pathRewrite: null,
      hostRewrite: '',
      mirrors: [],
    },
    requestFields: null,
    responseFields: null,
    timeoutMs: 0,
    backendTimeoutMs: 0,
    retry: null,
    cors: null,
    session: null,
    ...fields,
  };
}

/** A route in namespace default on every port of the Service of namespace default. */
export function route(
  name: string,
  parent: string,
  rules: readonly RouteRule[],
  fields: Partial<Route> = {},
): Route {
  return {
    kind: 'HTTPRoute',
    namespace: 'default',
    name,
    uid: `uid-${name}`,
    generation: 1,
    created: 1000,
    parents: [{ namespace: 'default', name: parent, port: 0, sectionName: '' }],
    rules,
    problems: [],
    faults: [],
    hostnames: null,
    ...fields,
  };
}

/** A store whose state the test sets; what changed is found by comparing records. */
export class FixtureStore implements MeshStore {
  current: Mesh | null;
  readonly #listeners = new Set<(mesh: Mesh, change: MeshChange) => void>();

  constructor(current: Mesh | null = null) {
    this.current = current;
  }

  subscribe(listener: (mesh: Mesh, change: MeshChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  set(parts: MeshParts): void {
    const before = this.current ?? mesh({});
    const next = mesh({ version: before.version + 1, ...parts });
    const change = difference(before, next);
    this.current = next;
    for (const listener of this.#listeners) listener(next, change);
  }
}

function difference(before: Mesh, next: Mesh): MeshChange {
  const routed = new Set<string>();
  for (const id of changed(before.routes, next.routes)) {
    for (const state of [before, next]) {
      for (const parent of state.routes.get(id)?.parents ?? [])
        routed.add(key(parent.namespace, parent.name));
    }
  }
  return {
    services: new Set([
      ...changed(before.services, next.services),
      ...changed(before.endpoints, next.endpoints),
    ]),
    workloads: changed(before.workloads, next.workloads),
    routed,
  };
}

function changed<T>(before: ReadonlyMap<string, T>, next: ReadonlyMap<string, T>): Set<string> {
  const ids = new Set([...before.keys(), ...next.keys()]);
  return new Set([...ids].filter(id => before.get(id) !== next.get(id)));
}
