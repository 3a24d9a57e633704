/** What a route becomes when it meets the Services it names and the other routes on them. */
import { conflicts, parentFault, type ReferenceFault, type Services } from './attachment.ts';
import { type Backend, key, type Route, type RouteAction, type RouteFault } from './model.ts';
import { opaqueBackend, opaqueParent } from './opaque-ports.ts';
import { affinityFaults } from './session-affinity.ts';

export interface LinkedRoute {
  /** Under which keys of `Mesh.routes`; a TrafficSplit has one route for each port of its Service. */
  readonly routes: ReadonlyMap<string, Route>;
  /** Found while linking, besides what the object's own problems are. */
  readonly problems: readonly string[];
}

/** Why a Service cannot take traffic at this port; null if it can. */
function backendFault(
  services: Services,
  namespace: string,
  name: string,
  port: number,
  isHttp: boolean,
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
  const found = service.ports.find(other => other.port === port);
  if (found !== undefined) return isHttp ? opaqueBackend(service, found) : null;
  const declared = service.ports.map(other => other.port).join(', ');
  return {
    reason: 'BackendNotFound',
    message: `refers to port ${port}, which Service ${namespace}/${name} does not have; use one of ${declared || 'none: declare a TCP port'}`,
  };
}

/** Resolves a backend; an unusable one keeps its weight and is answered with 500. `isHttp`: it is sent HTTP. */
export function resolve(
  backend: Backend,
  services: Services,
  path: string,
  isHttp: boolean,
  faults: ReferenceFault[],
): Backend {
  if (backend.service === null) return backend;
  const { namespace, name, port } = backend.service;
  const fault = backendFault(services, namespace, name, port, isHttp);
  if (fault === null) return { ...backend, policy: services(key(namespace, name))?.policy ?? null };
  faults.push({ reason: fault.reason, message: `${path} ${fault.message}` });
  return { ...backend, service: null, problem: fault.message };
}

function resolveAction(
  action: RouteAction,
  services: Services,
  path: string,
  isHttp: boolean,
  faults: ReferenceFault[],
): RouteAction {
  if (action.kind === 'redirect') return action;
  return {
    ...action,
    backends: action.backends.map((backend, index) =>
      resolve(backend, services, `${path}.backendRefs[${index}]`, isHttp, faults),
    ),
    mirrors: action.mirrors.map(mirror => ({
      ...mirror,
      backend: resolve(mirror.backend, services, `${path}.filters RequestMirror backendRef`, isHttp, faults),
    })),
  };
}

/** Links a route of Gateway API. `others`: the routes that are attached to the same Services, this one among them. */
export function linkRoute(
  id: string,
  route: Route,
  others: readonly Route[],
  services: Services,
): LinkedRoute {
  const faults: RouteFault[] = [];
  const isHttp = route.kind === 'HTTPRoute' || route.kind === 'GRPCRoute';
  route.parents.forEach((parent, index) => {
    const fault = parentFault(parent, services) ?? (isHttp ? opaqueParent(parent, services) : null);
    if (fault !== null)
      faults.push({ ...fault, rule: null, parent: index, message: `spec.parentRefs ${fault.message}` });
  });
  route.parents.forEach((parent, index) => {
    for (const fault of conflicts(route, parent, others, services))
      faults.push({ ...fault, rule: null, parent: index });
  });
  const rules = route.rules.map((rule, index) => {
    const found: ReferenceFault[] = [];
    const action = resolveAction(rule.action, services, `spec.rules[${index}]`, isHttp, found);
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
