import {
  anything,
  type Backend,
  type Route,
  type RouteAction,
  type RouteMatch,
  type RouteRule,
} from '../../model/model.ts';
import { brokenBackend } from './backend-service.ts';
import { duration } from './duration.ts';
import { type Fields, fields, list, listOfFields, Problems, text } from './fields.ts';
import type { Converted, KubernetesObject } from './object.ts';
import { readBackends } from './route-backend.ts';
import { type Filters, readFilters } from './route-filter.ts';
import { readParents } from './route-parent.ts';
import { routeRecord } from './route-record.ts';
import { type RouteRetry, readRetry, readRouteRetry } from './route-retry.ts';
import { readSession } from './session-persistence.ts';

/** Every gRPC call is a POST. */
const CALLS = { anyMethod: true };

export interface RouteDialect {
  readonly kind: 'HTTPRoute' | 'GRPCRoute';
  readonly readMatch: (item: Fields, path: string, problems: Problems) => RouteMatch | null;
}

/** An HTTPRoute or a GRPCRoute; null without a problem if it is attached to no Service. */
export function convertRoute(
  { metadata, fields: object }: KubernetesObject,
  dialect: RouteDialect,
): Converted<Route> {
  const problems = new Problems();
  const { namespace } = metadata;
  const spec = fields(object.spec, 'spec', problems) ?? {};
  if (spec.rules !== undefined && !Array.isArray(spec.rules)) {
    problems.add('spec.rules', spec.rules, 'use a list');
    return { record: null, problems: problems.list };
  }
  const parents = readParents(spec.parentRefs, namespace, problems);
  if (parents.length === 0) return { record: null, problems: problems.list };
  if (list(spec.hostnames, 'spec.hostnames', problems).length > 0)
    problems.add(
      'spec.hostnames',
      spec.hostnames,
      'match the Host header instead: routes of a Service apply to every host',
      'NotApplied',
    );
  const retry = { ...readRouteRetry(metadata, problems), ...(dialect.kind === 'GRPCRoute' ? CALLS : {}) };
  // The schema's default, which only the API server fills in: everything, and no backend for it.
  const given = spec.rules ?? (dialect.kind === 'HTTPRoute' ? [{}] : []);
  const rules = listOfFields(given, 'spec.rules', problems).map(({ item, path }) => {
    const own = new Problems();
    return { rule: readRule(item, path, namespace, dialect, retry, own), problems: own };
  });
  return routeRecord(metadata, { kind: dialect.kind, parents, hostnames: null, problems, rules });
}

function readRule(
  item: Fields,
  path: string,
  namespace: string,
  dialect: RouteDialect,
  ofRoute: RouteRetry,
  problems: Problems,
): RouteRule {
  const known = dialect.kind === 'HTTPRoute' ? item : withoutHttpFields(item, path, problems);
  const matches = readMatches(item, path, dialect, problems);
  const filters = readFilters(item.filters, `${path}.filters`, dialect.kind, namespace, matches, problems);
  const backends = readBackends(item.backendRefs, `${path}.backendRefs`, namespace, matches, problems);
  const timeouts = fields(known.timeouts, `${path}.timeouts`, problems) ?? {};
  const timeoutMs = duration(timeouts.request, `${path}.timeouts.request`, problems) ?? 0;
  const backendTimeoutMs =
    duration(timeouts.backendRequest, `${path}.timeouts.backendRequest`, problems) ?? 0;
  if (timeoutMs > 0 && backendTimeoutMs > timeoutMs)
    problems.add(
      `${path}.timeouts.backendRequest`,
      timeouts.backendRequest,
      `use at most timeouts.request, ${String(timeouts.request)}`,
    );
  return {
    name: text(item.name, `${path}.name`, problems) ?? '',
    matches,
    action: readAction(filters, backends, `${path}.backendRefs`, problems),
    requestFields: filters.requestFields,
    responseFields: filters.responseFields,
    timeoutMs,
    backendTimeoutMs,
    retry: readRetry(known.retry, `${path}.retry`, ofRoute, problems),
    cors: filters.cors,
    session: readSession(item.sessionPersistence, `${path}.sessionPersistence`, problems),
  };
}

/** The schema of GRPCRoute has no timeouts and no retry: an API server would have dropped them. */
function withoutHttpFields(item: Fields, path: string, problems: Problems): Fields {
  for (const name of ['timeouts', 'retry']) {
    if (item[name] !== undefined)
      problems.addFault('NotApplied', `${path}.${name} is no field of a GRPCRoute; use an HTTPRoute for it`);
  }
  return { ...item, timeouts: undefined, retry: undefined };
}

/** None if none of those that are given can be used: the rule then takes no request. Given none, it takes all. */
function readMatches(item: Fields, path: string, dialect: RouteDialect, problems: Problems): RouteMatch[] {
  const given = listOfFields(item.matches, `${path}.matches`, problems);
  if (list(item.matches, `${path}.matches`, new Problems()).length === 0) return [anything];
  const matches = given.flatMap(({ item: match, path: at }) => {
    const read = dialect.readMatch(match, at, problems);
    return read === null ? [] : [read];
  });
  if (matches.length === 0)
    problems.list.push(`${path} takes no request, as none of its matches is valid; correct them`);
  return matches;
}

function readAction(
  filters: Filters,
  backends: readonly Backend[],
  path: string,
  problems: Problems,
): RouteAction {
  const { problem, redirect, pathRewrite, hostRewrite, mirrors } = filters;
  const forward = { kind: 'forward' as const, pathRewrite, hostRewrite, mirrors };
  if (problem !== '') return { ...forward, backends: [brokenBackend(problem)] };
  if (redirect === null) return { ...forward, backends };
  if (backends.length > 0)
    problems.addFault(
      'NotApplied',
      `${path} is not used beside a RequestRedirect filter; remove one of them`,
    );
  return redirect;
}
