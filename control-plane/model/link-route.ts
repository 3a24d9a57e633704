/** What a route becomes when it meets the Services it names and the other routes on them. */
import {
  type Backend,
  type FaultReason,
  type Key,
  key,
  type Route,
  type RouteAction,
  type RouteFault,
  type Service,
} from './model.ts';
import { affinityFaults } from './session-affinity.ts';

export interface LinkedRoute {
  /** Under which keys of `Mesh.routes`; a TrafficSplit has one route for each port of its Service. */
  readonly routes: ReadonlyMap<string, Route>;
  /** Found while linking, besides what the object's own problems are. */
  readonly problems: readonly string[];
}

export type Services = (key: Key) => Service | undefined;

/** What is wrong with a reference: a sentence without the path in front. */
export interface ReferenceFault {
  readonly reason: FaultReason;
  readonly message: string;
}

/** Why a Service cannot take traffic at this port; null if it can. */
function backendFault(
  services: Services,
  namespace: string,
  name: string,
  port: number,
): ReferenceFault | null {
  const service = services(key(namespace, name));
  if (service === undefined)
    return {
      reason: 'BackendNotFound',
      message: `refers to Service ${namespace}/${name}, which does not exist; create it or correct the name`,
    };
  if (service.kind === 'external-name')
    return {
      reason: 'InvalidKind',
      message: `refers to Service ${namespace}/${name} of type ExternalName; use a Service with endpoints`,
    };
  if (service.ports.some(other => other.port === port)) return null;
  const declared = service.ports.map(other => other.port).join(', ');
  return {
    reason: 'BackendNotFound',
    message: `refers to port ${port}, which Service ${namespace}/${name} does not have; use one of ${declared || 'none: declare a TCP port'}`,
  };
}

/** Resolves a backend; an unusable one keeps its weight and is answered with 500. */
export function resolve(
  backend: Backend,
  services: Services,
  path: string,
  faults: ReferenceFault[],
): Backend {
  if (backend.service === null) return backend;
  const { namespace, name, port } = backend.service;
  const fault = backendFault(services, namespace, name, port);
  if (fault === null) return { ...backend, policy: services(key(namespace, name))?.policy ?? null };
  faults.push({ reason: fault.reason, message: `${path} ${fault.message}` });
  return { ...backend, service: null, problem: fault.message };
}

function resolveAction(
  action: RouteAction,
  services: Services,
  path: string,
  faults: ReferenceFault[],
): RouteAction {
  if (action.kind === 'redirect') return action;
  return {
    ...action,
    backends: action.backends.map((backend, index) =>
      resolve(backend, services, `${path}.backendRefs[${index}]`, faults),
    ),
    mirrors: action.mirrors.map(mirror => ({
      ...mirror,
      backend: resolve(mirror.backend, services, `${path}.filters RequestMirror backendRef`, faults),
    })),
  };
}

export type Parent = Route['parents'][number];

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

export function parentFault(parent: Parent, services: Services): ReferenceFault | null {
  const { namespace, name } = parent;
  const service = services(key(namespace, name));
  if (service === undefined)
    return {
      reason: 'ParentNotFound',
      message: `refers to Service ${namespace}/${name}, which does not exist; create it or correct the name`,
    };
  // Connections of their clients go to pods, or elsewhere: there is no address that stands for the Service (GEP-1294).
  if (service.kind !== 'cluster-ip') {
    const kind = service.kind === 'headless' ? 'without a ClusterIP' : 'of type ExternalName';
    return {
      reason: 'NoMatchingParent',
      message: `refers to Service ${namespace}/${name} ${kind}; attach the route to a Service with a ClusterIP`,
    };
  }
  if (attachedPorts(parent, service).length > 0) return null;
  const asked = [
    ...(parent.port === 0 ? [] : [`port ${parent.port}`]),
    ...(parent.sectionName === '' ? [] : [`sectionName "${parent.sectionName}"`]),
  ];
  const declared = service.ports.map(port => `${port.port}${port.name === '' ? '' : ` (${port.name})`}`);
  return {
    reason: 'NoMatchingParent',
    message: `refers to ${asked.join(' with ') || 'the TCP ports'} of Service ${namespace}/${name}, which does not have it; use one of ${declared.join(', ') || 'none: declare a TCP port'}`,
  };
}

/** The GRPCRoutes that take ports of a parent away from this HTTPRoute (GEP-1294, route types). */
function takenByGrpc(
  route: Route,
  parent: Parent,
  others: readonly Route[],
  services: Services,
): ReferenceFault[] {
  const service = services(key(parent.namespace, parent.name));
  if (service === undefined) return [];
  const ports = attachedPorts(parent, service);
  const taken = ports.flatMap(port => {
    const winner = ownerOf(service, port, 'GRPCRoute', route.namespace, others);
    return winner === undefined
      ? []
      : [
          `spec.parentRefs names port ${port} of Service ${parent.namespace}/${parent.name}, to which GRPCRoute ${winner.namespace}/${winner.name} is attached; a port takes the routes of one kind, so delete one of them or set port`,
        ];
  });
  // With a port left to it the route is accepted there.
  const reason = taken.length === ports.length ? 'Conflicted' : 'NotApplied';
  return taken.map(message => ({ reason, message }));
}

export function ownerOf(
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
  const faults: RouteFault[] = [];
  route.parents.forEach((parent, index) => {
    const fault = parentFault(parent, services);
    if (fault !== null)
      faults.push({ ...fault, rule: null, parent: index, message: `spec.parentRefs ${fault.message}` });
  });
  if (route.kind === 'HTTPRoute')
    route.parents.forEach((parent, index) => {
      for (const fault of takenByGrpc(route, parent, others, services))
        faults.push({ ...fault, rule: null, parent: index });
    });
  const rules = route.rules.map((rule, index) => {
    const found: ReferenceFault[] = [];
    const action = resolveAction(rule.action, services, `spec.rules[${index}]`, found);
    for (const fault of found) faults.push({ ...fault, rule: index, parent: null });
    return { ...rule, action };
  });
  const rejections = affinityFaults(route, services);
  for (const fault of rejections) faults.push({ ...fault, rule: null, parent: null });
  // Rules without a valid match are kept until here for the numbers of those after them.
  const matching = rejections.length > 0 ? [] : rules.filter(rule => rule.matches.length > 0);
  const problems = faults.map(fault => fault.message);
  const linked = {
    ...route,
    rules: matching,
    problems: [...route.problems, ...problems],
    faults: [...route.faults, ...faults],
  };
  return { routes: new Map([[id, linked]]), problems };
}
