/** Which ports of a Service a route is attached to, and which of them it loses to other routes (GEP-1294). */
import {
  type FaultReason,
  type GatewayRouteKind,
  gatewayRouteKinds,
  type Key,
  key,
  type Route,
  type Service,
  type ServicePort,
} from './model.ts';
import { precedes } from './precedes.ts';

export type Parent = Route['parents'][number];

export type Services = (key: Key) => Service | undefined;

/** What is wrong with a reference: a sentence without the path in front. */
export interface ReferenceFault {
  readonly reason: FaultReason;
  readonly message: string;
}

/** Ports of a Service that a parent reference stands for. */
export function attachedPorts(parent: Parent, service: Service): ServicePort[] {
  return service.ports.filter(
    port =>
      (parent.port === 0 || parent.port === port.port) &&
      (parent.sectionName === '' || parent.sectionName === port.name),
  );
}

/** Whether routes of a kind can be in force at a port: one that is declared to carry something else has no requests. */
export function isFor(kind: Route['kind'], { protocol }: ServicePort): boolean {
  return protocol !== 'opaque' || (kind !== 'HTTPRoute' && kind !== 'GRPCRoute');
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

/** Routes of a kind and namespace at a port, the oldest first. */
function attachedTo(
  service: Service,
  port: number,
  kind: GatewayRouteKind,
  namespace: string,
  routes: readonly Route[],
): Route[] {
  return routes
    .filter(
      route =>
        route.kind === kind &&
        route.namespace === namespace &&
        route.parents.some(
          parent =>
            parent.namespace === service.namespace &&
            parent.name === service.name &&
            attachedPorts(parent, service).some(attached => attached.port === port && isFor(kind, attached)),
        ),
    )
    .sort((a, b) => (precedes(a, b) ? -1 : 1));
}

/** The oldest route of the kind that a port goes to; undefined if no route of Gateway API is attached to it. */
export function ownerOf(
  service: Service,
  port: number,
  namespace: string,
  routes: readonly Route[],
): Route | undefined {
  for (const kind of gatewayRouteKinds) {
    const [oldest] = attachedTo(service, port, kind, namespace, routes);
    if (oldest !== undefined) return oldest;
  }
  return undefined;
}

/** What of a parent goes to other routes of the same namespace. */
export function conflicts(
  route: Route,
  parent: Parent,
  others: readonly Route[],
  services: Services,
): ReferenceFault[] {
  const service = services(key(parent.namespace, parent.name));
  if (service === undefined) return [];
  const ports = attachedPorts(parent, service).filter(port => isFor(route.kind, port));
  const taken: string[] = [];
  const notes: string[] = [];
  for (const { port } of ports) {
    const at = `spec.parentRefs names port ${port} of Service ${parent.namespace}/${parent.name}, to which`;
    const owner = ownerOf(service, port, route.namespace, others);
    if (owner === undefined || owner === route) continue;
    const winner = `${owner.kind} ${owner.namespace}/${owner.name}`;
    if (owner.kind !== route.kind)
      taken.push(
        `${at} ${winner} is attached; a port takes the routes of one kind, so delete one of them or set port`,
      );
    else if (route.kind === 'TCPRoute')
      taken.push(
        `${at} the older ${winner} is attached; a port takes one TCPRoute, so delete one of them or set port`,
      );
    else if (route.kind === 'TLSRoute') {
      const rivals = attachedTo(service, port, 'TLSRoute', route.namespace, others);
      const { lost, left } = lostNames(route, rivals.slice(0, rivals.indexOf(route)));
      if (lost !== '')
        (left ? notes : taken).push(
          `${at} ${lost}; a name goes to one TLSRoute, so delete it from one of them`,
        );
    }
  }
  // With a port left to it the route is accepted there.
  const reason = taken.length === ports.length ? 'Conflicted' : 'NotApplied';
  return [
    ...taken.map(message => ({ reason, message }) as const),
    ...notes.map(message => ({ reason: 'NotApplied', message }) as const),
  ];
}

/** Server names of a TLSRoute that older ones have, in words, and whether it has others left. */
function lostNames(route: Route, older: readonly Route[]): { lost: string; left: boolean } {
  const names = namesOf(route);
  const lost = names.flatMap(name => {
    const winner = older.find(other => namesOf(other).includes(name));
    const what = name === '' ? 'any hostname' : `hostname "${name}"`;
    return winner === undefined
      ? []
      : [`the older TLSRoute ${winner.namespace}/${winner.name} is attached with ${what}`];
  });
  return { lost: lost.join(' and '), left: lost.length < names.length };
}

/** '' stands for any. */
const namesOf = ({ hostnames }: Route): readonly string[] => hostnames ?? [''];
