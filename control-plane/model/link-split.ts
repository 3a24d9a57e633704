/** What a TrafficSplit becomes when it meets the Services and HTTPRouteGroups it names and the routes on its Service. */
import { ownerOf, type Parent, parentFault, type ReferenceFault, type Services } from './attachment.ts';
import { type LinkedRoute, resolve } from './link-route.ts';
import {
  anything,
  type Backend,
  forwardRule,
  type Key,
  key,
  type Route,
  type RouteRule,
  type Service,
} from './model.ts';
import { precedes } from './precedes.ts';
import type { RouteGroupRecord, SplitRecord } from './records.ts';

export type RouteGroups = (key: Key) => RouteGroupRecord | undefined;

/**
 * Links a TrafficSplit as one route for each port of its Service, as its backends have no port of their own: they are
 * called at the port that the client has called. `splits` and `routes`: those on the same Service, this one among them.
 * Requests that none of its HTTPRouteGroups matches go on to its Service.
 */
export function linkSplit(
  id: string,
  split: SplitRecord,
  splits: readonly SplitRecord[],
  routes: readonly Route[],
  services: Services,
  groups: RouteGroups,
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
  const missing = parentFault(parent, services);
  if (missing !== null) return unattached(`spec.service ${missing.message}`);
  const service = services(key(namespace, split.service)) as Service;

  const linked = new Map<string, Route>();
  const problems = new Set<string>();
  const matches = split.groups.flatMap((name, index) => {
    const group = groups(key(namespace, name));
    if (group === undefined)
      problems.add(
        `spec.matches[${index}] refers to HTTPRouteGroup ${namespace}/${name}, which does not exist; create it or correct the name`,
      );
    return group?.matches ?? [];
  });
  for (const { port } of service.ports) {
    const owner = ownerOf(service, port, namespace, routes);
    if (owner !== undefined) {
      problems.add(
        `spec.service is ${JSON.stringify(split.service)}, to whose port ${port} ${owner.kind} ${owner.namespace}/${owner.name} is attached; it takes precedence, so delete one of them`,
      );
      continue;
    }
    const backends = split.backends.map((backend, index) => {
      const service = { namespace, name: backend.service, port };
      const unresolved = backendOf(service, backend.weight);
      const found: ReferenceFault[] = [];
      const resolved = resolve(unresolved, services, `spec.backends[${index}].service`, false, found);
      for (const { message } of found) problems.add(message);
      return resolved;
    });
    const apex = { ...backendOf({ namespace, name: split.service, port }, 1), policy: service.policy };
    const rules =
      split.groups.length === 0
        ? [forwardRule('', [anything], backends)]
        : [forwardRule('', matches, backends), forwardRule('', [anything], [apex])];
    linked.set(`${id}:${port}`, splitRoute(split, [{ ...parent, port }], rules, []));
  }
  if (linked.size === 0) linked.set(id, splitRoute(split, [], [], []));
  const found = [...problems];
  return {
    routes: new Map([...linked].map(([id, route]) => [id, { ...route, problems: found }])),
    problems: found,
  };
}

function backendOf(service: NonNullable<Backend['service']>, weight: number): Backend {
  return { service, problem: '', weight, requestFields: null, responseFields: null, policy: null };
}

function splitRoute(
  split: SplitRecord,
  parents: readonly Parent[],
  rules: readonly RouteRule[],
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
    faults: [],
    hostnames: null,
    rules: rules.filter(rule => rule.matches.length > 0),
  };
}
