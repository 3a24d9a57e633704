import { anything, forwardRule, type Route, type RouteRule } from '../../model/model.ts';
import { type Fields, fields, list, listOfFields, Problems, text } from './fields.ts';
import type { Converted, KubernetesObject } from './object.ts';
import { readBackends } from './route-backend.ts';
import { readParents } from './route-parent.ts';
import { routeRecord } from './route-record.ts';

type ConnectionRouteKind = 'TCPRoute' | 'TLSRoute';

/** A TCPRoute (gateway.networking.k8s.io v1 and v1alpha2). */
export function convertTcpRoute(object: KubernetesObject): Converted<Route> {
  return convertConnectionRoute(object, 'TCPRoute');
}

/** A TLSRoute (gateway.networking.k8s.io v1, v1alpha3, and v1alpha2, which may leave `hostnames` out: any name). */
export function convertTlsRoute(object: KubernetesObject): Converted<Route> {
  return convertConnectionRoute(object, 'TLSRoute');
}

/** A route that splits connections; null without a problem if it is attached to no Service. */
function convertConnectionRoute(
  { metadata, fields: object }: KubernetesObject,
  kind: ConnectionRouteKind,
): Converted<Route> {
  const problems = new Problems();
  const spec = fields(object.spec, 'spec', problems) ?? {};
  if (spec.rules !== undefined && !Array.isArray(spec.rules)) {
    problems.add('spec.rules', spec.rules, 'use a list');
    return { record: null, problems: problems.list };
  }
  const parents = readParents(spec.parentRefs, metadata.namespace, problems);
  if (parents.length === 0) return { record: null, problems: problems.list };
  const hostnames = kind === 'TLSRoute' ? readHostnames(spec.hostnames, problems) : null;
  const given = listOfFields(spec.rules, 'spec.rules', problems);
  if (given.length === 0) problems.add('spec.rules', spec.rules, 'give one rule with backendRefs');
  // v1alpha2 allows several, but there is nothing by which to tell their connections apart.
  if (given.length > 1)
    problems.addFault(
      'NotApplied',
      `spec.rules has ${given.length} rules, of which the first takes every connection; put all backends into it`,
    );
  const rules = given.slice(0, 1).map(({ item, path }) => {
    const own = new Problems();
    return { rule: readRule(item, path, metadata.namespace, kind, own), problems: own };
  });
  return routeRecord(metadata, { kind, parents, hostnames, problems, rules });
}

function readRule(
  item: Fields,
  path: string,
  namespace: string,
  kind: ConnectionRouteKind,
  problems: Problems,
): RouteRule {
  const at = `${path}.backendRefs`;
  const given = list(item.backendRefs, at, problems).map((ref, index) =>
    withoutFilters(ref, `${at}[${index}]`, kind, problems),
  );
  const backends = readBackends(given, at, namespace, [], problems);
  return forwardRule(text(item.name, `${path}.name`, problems) ?? '', [anything], backends);
}

/** The schema has no filters: an API server would have dropped them. */
function withoutFilters(ref: unknown, path: string, kind: ConnectionRouteKind, problems: Problems): unknown {
  if (typeof ref !== 'object' || ref === null || !('filters' in ref)) return ref;
  problems.addFault('NotApplied', `${path}.filters is no field of a ${kind}; use an HTTPRoute for it`);
  return { ...ref, filters: undefined };
}

const LABEL = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?';
const HOSTNAME = new RegExp(`^(?:\\*\\.)?${LABEL}(?:\\.${LABEL})*$`);
const IPV4 = /^[0-9]+(?:\.[0-9]+){3}$/;

/** Server names as a ClientHello has them; null if none are given: any. */
function readHostnames(value: unknown, problems: Problems): readonly string[] | null {
  const given = list(value, 'spec.hostnames', problems);
  if (given.length === 0) return null;
  const isName = (name: unknown): name is string =>
    typeof name === 'string' && name.length <= 253 && HOSTNAME.test(name) && !IPV4.test(name);
  const names = given.filter(isName);
  given.forEach((name, index) => {
    if (isName(name)) return;
    problems.add(
      `spec.hostnames[${index}]`,
      name,
      'use a DNS name in lower case, of which the first label may be *',
      // The names that are left are in force.
      names.length > 0 ? 'NotApplied' : 'UnsupportedValue',
    );
  });
  return [...new Set(names)];
}
