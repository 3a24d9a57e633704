import { serviceCluster } from '../../api/xds/names.ts';
import { isFor } from '../model/attachment.ts';
import {
  anything,
  gatewayRouteKinds,
  key,
  type Retry,
  type Route,
  type RouteAction,
  type RouteMatch,
  type RouteRule,
  type TrafficPolicy,
} from '../model/model.ts';
import type { ServiceDestination } from './destination.ts';
import { compareGrpc, compareHttp, compareRoutes, type RankedMatch } from './precedence.ts';
import { expressionsOf, programSize } from './regular-expression.ts';
import type {
  ConnectionRoute,
  Forward,
  Redirect,
  ResolvedBackend,
  ResolvedRoute,
  ResolvedSession,
  RouteSet,
} from './resolved-route.ts';
import { resolveSession, sessionOfPolicy } from './session.ts';

/** Kinds in order: the first that is attached to a port takes it, and the others do not apply (GEP-1294). */
const kinds: readonly Route['kind'][] = [...gatewayRouteKinds, 'TrafficSplit'];

/**
 * Namespace whose consumer routes apply to a call of the Service port from `client`; null if the producer's do
 * (GEP-1294: a namespace with routes of its own uses these alone, the two sets never merge).
 */
export function consumerOf(
  destination: ServiceDestination,
  routes: readonly Route[],
  client: string,
): string | null {
  if (client === destination.service.namespace) return null;
  return attached(destination, routes, client).length > 0 ? client : null;
}

/** The routes of a Service port for clients in `consumer`, or for everyone else (null). */
export function routeSetOf(
  destination: ServiceDestination,
  routes: readonly Route[],
  consumer: string | null,
): RouteSet {
  const candidates = attached(destination, routes, consumer ?? destination.service.namespace);
  const kind = kinds.find(kind => candidates.some(route => route.kind === kind));
  if (kind === undefined) return { kind: 'implicit', consumer, routes: [implicitRoute(destination)] };
  const winners = candidates.filter(route => route.kind === kind);
  if (kind === 'TCPRoute' || kind === 'TLSRoute')
    return { kind, consumer, connections: resolveConnections(winners) };
  const ranked = winners.flatMap(splitMatches).sort(kind === 'GRPCRoute' ? compareGrpc : compareHttp);
  return { kind, consumer, routes: ranked.map(resolve) };
}

/** Of several routes for the same connections the oldest takes them, then the first by name. */
function resolveConnections(routes: readonly Route[]): ConnectionRoute[] {
  const taken = new Set<string>();
  return [...routes].sort(compareRoutes).flatMap(route => {
    const [rule] = route.rules;
    // '' stands for any name.
    const names = (route.hostnames ?? ['']).filter(name => !taken.has(name));
    if (names.length === 0) return [];
    for (const name of names) taken.add(name);
    // Without a rule there is no backend, and every connection is refused.
    const given = rule?.action.kind === 'forward' ? rule.action.backends : [];
    const backends = resolveBackends(given).filter(({ weight }) => weight > 0);
    const origin = originOf(route, rule?.name ?? '', 0);
    return [{ hostnames: route.hostnames === null ? null : names, backends, origin }];
  });
}

/** Where no route is attached, the Service itself takes everything. */
export function implicitRoute(destination: ServiceDestination): ResolvedRoute {
  const { service, port } = destination;
  return implicitRouteTo(
    serviceCluster(service.namespace, service.name, port.port),
    sessionBehind(service.policy),
  );
}

/** Everything to one cluster, without timeout or retries. */
export function implicitRouteTo(cluster: string, session: ResolvedSession | null = null): ResolvedRoute {
  const backend = { cluster, weight: 1, requestFields: null, responseFields: null, session };
  return {
    match: anything,
    action: { kind: 'forward', backends: [backend], pathRewrite: null, hostRewrite: '', mirrors: [] },
    requestFields: null,
    responseFields: null,
    timeoutMs: 0,
    attemptTimeoutMs: 0,
    retry: null,
    cors: null,
    session: null,
    origin: '',
  };
}

/** Routes of `namespace` that are attached to the port; `port` and `sectionName` of the reference must both agree. */
function attached(
  { service, port }: ServiceDestination,
  routes: readonly Route[],
  namespace: string,
): Route[] {
  // No route can be attached to another Service, nor to a port that is not for it; its status says so (link-route.ts).
  if (service.kind !== 'cluster-ip') return [];
  return routes.filter(
    route =>
      route.namespace === namespace &&
      isFor(route.kind, port) &&
      route.parents.some(
        parent =>
          parent.namespace === service.namespace &&
          parent.name === service.name &&
          (parent.port === 0 || parent.port === port.port) &&
          (parent.sectionName === '' || parent.sectionName === port.name),
      ),
  );
}

/** A rule without matches is one whose matches are all invalid: it takes nothing. */
function splitMatches(route: Route): RankedMatch[] {
  return route.rules.flatMap((rule, ruleIndex) =>
    rule.matches
      .map(normalize)
      .filter(isUsable)
      .map(match => ({ route, rule, ruleIndex, match })),
  );
}

/** A trailing slash of a prefix means nothing, and of several matches on one field the first counts. */
function normalize(match: RouteMatch): RouteMatch {
  const { path } = match;
  const trimmed = path.kind === 'prefix' ? path.value.replace(/\/+$/, '') || '/' : path.value;
  return {
    path: { kind: path.kind, value: trimmed },
    method: match.method,
    headers: firstOfEach(match.headers.map(header => ({ ...header, name: header.name.toLowerCase() }))),
    query: firstOfEach(match.query),
  };
}

function firstOfEach<T extends { readonly name: string }>(list: readonly T[]): T[] {
  return list.filter((item, index) => list.findIndex(other => other.name === item.name) === index);
}

/**
 * A match whose regular expression is not RE2 syntax can match nothing. The source reports it in the route's status;
 * a client that was sent it would refuse all routes of the port.
 */
function isUsable(match: RouteMatch): boolean {
  return expressionsOf(match).every(expression => programSize(expression) !== null);
}

function resolve({ route, rule, ruleIndex, match }: RankedMatch): ResolvedRoute {
  const origin = originOf(route, rule.name, ruleIndex);
  return {
    match,
    action: resolveAction(rule),
    requestFields: rule.requestFields,
    responseFields: rule.responseFields,
    timeoutMs: rule.timeoutMs,
    attemptTimeoutMs: rule.backendTimeoutMs,
    retry: resolveRetry(rule.retry, match),
    cors: rule.cors,
    session: resolveSession(route, rule, match, origin),
    origin,
  };
}

/** Who writes a retry for a method by its name means that method, idempotent or not. */
function resolveRetry(retry: Retry | null, match: RouteMatch): Retry | null {
  return retry === null || match.method === '' ? retry : { ...retry, anyMethod: true };
}

function originOf(route: Route, rule: string, index: number): string {
  return `${route.kind}/${key(route.namespace, route.name)}/${rule === '' ? index : rule}`;
}

function resolveAction({ action }: RouteRule): Forward | Redirect {
  if (action.kind === 'redirect') return action;
  return {
    kind: 'forward',
    backends: resolveBackends(action.backends),
    pathRewrite: action.pathRewrite,
    hostRewrite: action.hostRewrite,
    mirrors: action.mirrors.flatMap(({ backend, fraction }) => {
      // An invalid mirror must not disturb the request (GEP-3171).
      const cluster = clusterOf(backend);
      return cluster === '' || fraction <= 0 ? [] : [{ cluster, fraction: Math.min(1, fraction) }];
    }),
  };
}

type Backends = Extract<RouteAction, { kind: 'forward' }>['backends'];

/**
 * Weight 0 takes no traffic, but for sessions that are there; who is told of it knows its endpoints before the weight grows.
 * If nothing is left, every other request is answered with 500.
 */
function resolveBackends(backends: Backends): ResolvedBackend[] {
  const resolved = backends
    .filter(({ weight, service }) => weight > 0 || service !== null)
    .map(backend => ({
      cluster: clusterOf(backend),
      weight: backend.weight,
      requestFields: backend.requestFields,
      responseFields: backend.responseFields,
      session: sessionBehind(backend.policy),
    }));
  if (resolved.some(({ weight }) => weight > 0)) return resolved;
  return [...resolved, { cluster: '', weight: 1, requestFields: null, responseFields: null, session: null }];
}

function sessionBehind(policy: TrafficPolicy | null): ResolvedSession | null {
  return policy === null ? null : sessionOfPolicy(policy);
}

function clusterOf({ service }: Backends[number]): string {
  return service === null ? '' : serviceCluster(service.namespace, service.name, service.port);
}
