/** What a route becomes when it meets the Services it names and the other routes on them. */
import { type Backend, type Key, key, type Route, type RouteAction, type Service } from './model.ts';
import type { SplitRecord } from './records.ts';

export interface LinkedRoute {
  /** Under which keys of `Mesh.routes`; a TrafficSplit has one route for each port of its Service. */
  readonly routes: ReadonlyMap<string, Route>;
  /** Found while linking, besides what the object's own problems are. */
  readonly problems: readonly string[];
}

export type Services = (key: Key) => Service | undefined;

/** Why a Service cannot take traffic at this port; '' if it can. */
function backendProblem(services: Services, namespace: string, name: string, port: number): string {
  const service = services(key(namespace, name));
  if (service === undefined)
    return `refers to Service ${namespace}/${name}, which does not exist; create it or correct the name`;
  if (service.kind === 'external-name')
    return `refers to Service ${namespace}/${name} of type ExternalName; use a Service with endpoints`;
  if (service.ports.some(other => other.port === port)) return '';
  const declared = service.ports.map(other => other.port).join(', ');
  return `refers to port ${port}, which Service ${namespace}/${name} does not have; use one of ${declared || 'none: declare a TCP port'}`;
}

/** Resolves a backend; an unusable one keeps its weight and is answered with 500. */
function resolve(backend: Backend, services: Services, path: string, problems: string[]): Backend {
  if (backend.service === null) return backend;
  const { namespace, name, port } = backend.service;
  const problem = backendProblem(services, namespace, name, port);
  if (problem === '') return backend;
  problems.push(`${path} ${problem}`);
  return { ...backend, service: null, problem };
}

function resolveAction(
  action: RouteAction,
  services: Services,
  path: string,
  problems: string[],
): RouteAction {
  if (action.kind === 'redirect') return action;
  return {
    ...action,
    backends: action.backends.map((backend, index) =>
      resolve(backend, services, `${path}.backendRefs[${index}]`, problems),
    ),
    mirrors: action.mirrors.map(mirror => ({
      ...mirror,
      backend: resolve(mirror.backend, services, `${path}.filters RequestMirror backendRef`, problems),
    })),
  };
}

type Parent = Route['parents'][number];

/** Ports of a Service that a parent reference stands for. */
function attachedPorts(parent: Parent, service: Service): number[] {
  return service.ports
    .filter(
      port =>
        (parent.port === 0 || parent.port === port.port) &&
        (parent.sectionName === '' || parent.sectionName === port.name),
    )
    .map(port => port.port);
}

function parentProblem(parent: Parent, services: Services): string {
  const { namespace, name } = parent;
  const service = services(key(namespace, name));
  if (service === undefined)
    return `refers to Service ${namespace}/${name}, which does not exist; create it or correct the name`;
  if (service.kind === 'external-name')
    return `refers to Service ${namespace}/${name} of type ExternalName; attach the route to a Service with a ClusterIP`;
  if (attachedPorts(parent, service).length > 0) return '';
  const asked = [
    ...(parent.port === 0 ? [] : [`port ${parent.port}`]),
    ...(parent.sectionName === '' ? [] : [`sectionName "${parent.sectionName}"`]),
  ];
  const declared = service.ports.map(port => `${port.port}${port.name === '' ? '' : ` (${port.name})`}`);
  return `refers to ${asked.join(' with ') || 'the TCP ports'} of Service ${namespace}/${name}, which does not have it; use one of ${declared.join(', ') || 'none: declare a TCP port'}`;
}

/** The GRPCRoute that takes a port of this HTTPRoute's Service away from it (GEP-1294, route types). */
function takenByGrpc(route: Route, others: readonly Route[], services: Services, problems: string[]): void {
  for (const parent of route.parents) {
    const service = services(key(parent.namespace, parent.name));
    if (service === undefined) continue;
    for (const port of attachedPorts(parent, service)) {
      const winner = ownerOf(service, port, 'GRPCRoute', route.namespace, others);
      if (winner !== undefined)
        problems.push(
          `spec.parentRefs names port ${port} of Service ${parent.namespace}/${parent.name}, to which GRPCRoute ${winner.namespace}/${winner.name} is attached; a port takes the routes of one kind, so delete one of them or set port`,
        );
    }
  }
}

function ownerOf(
  service: Service,
  port: number,
  kind: Route['kind'],
  namespace: string,
  routes: readonly Route[],
): Route | undefined {
  return routes.find(
    route =>
      route.kind === kind &&
      route.namespace === namespace &&
      route.parents.some(
        parent =>
          parent.namespace === service.namespace &&
          parent.name === service.name &&
          attachedPorts(parent, service).includes(port),
      ),
  );
}

/** Links an HTTPRoute or GRPCRoute. `others`: the routes that are attached to the same Services. */
export function linkRoute(
  id: string,
  route: Route,
  others: readonly Route[],
  services: Services,
): LinkedRoute {
  const problems: string[] = [];
  for (const parent of route.parents) {
    const problem = parentProblem(parent, services);
    if (problem !== '') problems.push(`spec.parentRefs ${problem}`);
  }
  if (route.kind === 'HTTPRoute') takenByGrpc(route, others, services, problems);
  const rules = route.rules.map((rule, index) => ({
    ...rule,
    action: resolveAction(rule.action, services, `spec.rules[${index}]`, problems),
  }));
  // Rules without a valid match are kept until here for the numbers of those after them.
  const matching = rules.filter(rule => rule.matches.length > 0);
  const linked = { ...route, rules: matching, problems: [...route.problems, ...problems] };
  return { routes: new Map([[id, linked]]), problems };
}

/** Older first, then by name: which of two owners is kept (GEP-713, conflict resolution). */
function precedes(a: SplitRecord, b: SplitRecord): boolean {
  if (a.created !== b.created) return a.created < b.created;
  return `${a.namespace}/${a.name}` < `${b.namespace}/${b.name}`;
}

/**
 * Links a TrafficSplit as one route for each port of its Service, as its backends have no port of their own: they are
 * called at the port that the client has called. `splits` and `routes`: those on the same Service, this one among them.
 */
export function linkSplit(
  id: string,
  split: SplitRecord,
  splits: readonly SplitRecord[],
  routes: readonly Route[],
  services: Services,
): LinkedRoute {
  const { namespace } = split;
  const unattached = (problem: string): LinkedRoute => ({
    routes: new Map([[id, splitRoute(split, [], [], [problem])]]),
    problems: [problem],
  });
  const winner = splits.reduce((first, other) => (precedes(other, first) ? other : first), split);
  if (winner !== split)
    return unattached(
      `spec.service is ${JSON.stringify(split.service)}, which TrafficSplit ${winner.namespace}/${winner.name} splits already; delete one of them`,
    );
  const parent = { namespace, name: split.service, port: 0, sectionName: '' };
  const missing = parentProblem(parent, services);
  if (missing !== '') return unattached(`spec.service ${missing}`);
  const service = services(key(namespace, split.service)) as Service;

  const linked = new Map<string, Route>();
  const problems = new Set<string>();
  for (const { port } of service.ports) {
    const owner =
      ownerOf(service, port, 'GRPCRoute', namespace, routes) ??
      ownerOf(service, port, 'HTTPRoute', namespace, routes);
    if (owner !== undefined) {
      problems.add(
        `spec.service is ${JSON.stringify(split.service)}, to whose port ${port} ${owner.kind} ${owner.namespace}/${owner.name} is attached; it takes precedence, so delete one of them`,
      );
      continue;
    }
    const backends = split.backends.map((backend, index) => {
      const service = { namespace, name: backend.service, port };
      const unresolved = {
        service,
        problem: '',
        weight: backend.weight,
        requestFields: null,
        responseFields: null,
      };
      const found: string[] = [];
      const resolved = resolve(unresolved, services, `spec.backends[${index}].service`, found);
      for (const problem of found) problems.add(problem);
      return resolved;
    });
    linked.set(`${id}:${port}`, splitRoute(split, [{ ...parent, port }], backends, []));
  }
  if (linked.size === 0) linked.set(id, splitRoute(split, [], [], []));
  const found = [...problems];
  return {
    routes: new Map([...linked].map(([id, route]) => [id, { ...route, problems: found }])),
    problems: found,
  };
}

function splitRoute(
  split: SplitRecord,
  parents: readonly Parent[],
  backends: readonly Backend[],
  problems: readonly string[],
): Route {
  const { namespace, name, uid, generation, created } = split;
  return {
    kind: 'TrafficSplit',
    namespace,
    name,
    uid,
    generation,
    created,
    parents,
    problems,
    rules: [
      {
        name: '',
        matches: [{ path: { kind: 'prefix', value: '/' }, method: '', headers: [], query: [] }],
        action: { kind: 'forward', backends, pathRewrite: null, hostRewrite: '', mirrors: [] },
        requestFields: null,
        responseFields: null,
        timeoutMs: 0,
        backendTimeoutMs: 0,
        retry: null,
      },
    ],
  };
}
