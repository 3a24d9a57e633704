import type { Cluster } from '../cluster/cluster.ts';
import type { SessionConfig } from '../cluster/cluster-config.ts';
import { type CorsPolicy, compileCors } from './cors.ts';
import { insertPath, PathNode } from './path-tree.ts';
import { boundsOf } from './pick-backend.ts';
import { compileConditions, type RequestConditions } from './request-conditions.ts';
import type {
  FieldEdits,
  ForwardConfig,
  PathMatch,
  PathRewrite,
  RedirectConfig,
  RetryConfig,
  RouteConfig,
  RoutesConfig,
} from './route-config.ts';
import { SessionTokens } from './session-tokens.ts';
import { toWire } from './wire-text.ts';

/** A share of the traffic of a route. */
export interface Backend {
  /** Name of the cluster, '' if the backend is invalid. */
  readonly name: string;
  /** null if the backend is invalid: its share is answered with INVALID_BACKEND. */
  readonly cluster: Cluster | null;
  readonly weight: number;
  readonly requestFields: FieldEdits | null;
  readonly responseFields: FieldEdits | null;
  /** null if the backend is invalid. */
  readonly tokens: SessionTokens | null;
}

export interface Mirror {
  readonly cluster: Cluster;
  /** Share of requests that are copied, 0..1. */
  readonly fraction: number;
}

interface RouteBase {
  /** Position in the table, from 0. */
  readonly index: number;
  /** `HTTPRoute/<namespace>/<name>/<rule>` for logs and metrics, '' for the implicit route. */
  readonly origin: string;
  readonly conditions: RequestConditions;
  readonly requestFields: FieldEdits | null;
  readonly responseFields: FieldEdits | null;
  readonly cors: CorsPolicy | null;
}

export interface ForwardRoute extends RouteBase {
  readonly kind: 'forward';
  readonly backends: readonly Backend[];
  /** Upper bound of each backend's share in [0, 1), cumulative; backends of weight 0 have an empty share. */
  readonly bounds: readonly number[];
  readonly mirrors: readonly Mirror[];
  readonly pathRewrite: PathRewrite | null;
  readonly hostRewrite: string;
  /** 0 for none. */
  readonly timeoutMs: number;
  readonly retry: RetryConfig | null;
  /** Goes before that of a cluster. */
  readonly session: SessionConfig | null;
}

export interface RedirectRoute extends RouteBase {
  readonly kind: 'redirect';
  readonly redirect: RedirectConfig;
}

export interface DirectRoute extends RouteBase {
  readonly kind: 'direct';
  readonly status: number;
  readonly body: string;
}

export type Route = ForwardRoute | RedirectRoute | DirectRoute;

/** The compiled form of one RouteConfiguration; immutable, swapped as a whole. */
export interface RouteTable {
  readonly name: string;
  readonly version: string;
  /** In order of precedence. */
  readonly routes: readonly Route[];
  readonly paths: PathNode;
}

/**
 * Compiles routes that `routeProblems` found to be valid; throws on a regular expression that is not RE2. `cluster`
 * gives the live cluster of a name; a backend whose cluster it does not know is invalid.
 */
export function compileRoutes(config: RoutesConfig, cluster: (name: string) => Cluster | null): RouteTable {
  const routes = config.routes.map((route, index) => compileRoute(route, index, cluster));
  const paths = new PathNode('');
  config.routes.forEach((route, index) => indexPath(paths, route.match.path, index));
  return Object.freeze({ name: config.name, version: config.version, routes: Object.freeze(routes), paths });
}

function indexPath(paths: PathNode, match: PathMatch, index: number): void {
  switch (match.kind) {
    case 'any':
      return insertPath(paths, '', 'prefix', index);
    case 'exact':
      return insertPath(paths, toWire(match.value), 'exact', index);
    case 'path-prefix':
    case 'prefix': {
      // `/` is every request, also `OPTIONS *` and CONNECT, which have no path of that form.
      if (match.value === '/') return insertPath(paths, '', 'prefix', index);
      const value = toWire(match.value);
      if (match.kind === 'prefix') return insertPath(paths, value, 'prefix', index);
      return insertPath(paths, value.endsWith('/') ? value.slice(0, -1) : value, 'elements', index);
    }
    case 'regex':
      return insertPath(paths, literalPrefix(match.value), 'prefix', index);
  }
}

/** What every match of a regular expression begins with, as far as it is plain to see. */
export function literalPrefix(pattern: string): string {
  if (pattern.includes('|')) return '';
  const start = pattern.startsWith('^') ? 1 : 0;
  let end = start;
  while (end < pattern.length && /[\w/~!@#%&=:;,'"<> -]/.test(pattern[end])) end++;
  // A quantifier makes the character before it optional.
  if (end < pattern.length && '*?{'.includes(pattern[end])) end--;
  return pattern.slice(start, Math.max(start, end));
}

function compileRoute(route: RouteConfig, index: number, cluster: (name: string) => Cluster | null): Route {
  const { action } = route;
  const base: RouteBase = {
    index,
    origin: route.origin,
    conditions: compileConditions(route.match),
    requestFields: compileEdits(route.requestFields),
    responseFields: compileEdits(route.responseFields),
    cors: route.cors === null ? null : compileCors(route.cors),
  };
  switch (action.kind) {
    case 'forward':
      return { kind: 'forward', ...base, ...compileForward(route, action, cluster) };
    case 'redirect':
      return { kind: 'redirect', ...base, redirect: action };
    case 'direct':
      return { kind: 'direct', ...base, status: action.status, body: toWire(action.body) };
  }
}

function compileForward(
  { origin, session }: RouteConfig,
  action: ForwardConfig,
  cluster: (name: string) => Cluster | null,
): Omit<ForwardRoute, keyof RouteBase | 'kind'> {
  const backends = action.backends.map(backend => {
    const live = backend.cluster === '' ? null : cluster(backend.cluster);
    return {
      name: backend.cluster,
      cluster: live,
      weight: backend.weight,
      requestFields: compileEdits(backend.requestFields),
      responseFields: compileEdits(backend.responseFields),
      tokens: live === null ? null : new SessionTokens(live, origin),
    };
  });
  const mirrors: Mirror[] = [];
  for (const mirror of action.mirrors) {
    // A mirror that is invalid must not fail the request (GEP-3171).
    const live = mirror.cluster === '' ? null : cluster(mirror.cluster);
    if (live !== null) mirrors.push({ cluster: live, fraction: mirror.fraction });
  }
  return {
    backends,
    bounds: boundsOf(backends),
    mirrors,
    pathRewrite: action.pathRewrite,
    hostRewrite: toWire(action.hostRewrite).toLowerCase(),
    timeoutMs: action.timeoutMs,
    retry: action.retry,
    session,
  };
}

/** null if there is nothing to edit. */
function compileEdits(edits: FieldEdits | null): FieldEdits | null {
  if (edits === null || edits.set.length + edits.add.length + edits.remove.length === 0) return null;
  return {
    set: edits.set.map(([name, value]) => [name, toWire(value)] as const),
    add: edits.add.map(([name, value]) => [name, toWire(value)] as const),
    remove: edits.remove,
  };
}
