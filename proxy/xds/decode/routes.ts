import { RouteConfiguration } from '../../../api/xds/gen/envoy/config/route/v3/route.ts';
import type {
  RedirectAction,
  Route,
  RouteAction,
  VirtualHost,
} from '../../../api/xds/gen/envoy/config/route/v3/route_components.ts';
import type {
  BackendConfig,
  DirectConfig,
  ForwardConfig,
  PathRewrite,
  RedirectConfig,
  RouteConfig,
  RoutesConfig,
} from '../../route/route-config.ts';
import { routeProblems } from '../../route/route-problems.ts';
import { readCors } from './cors.ts';
import { type Decoded, decodeMessage, Problems } from './decoded.ts';
import { readDuration } from './duration.ts';
import { readEdits } from './field-edits.ts';
import { MetadataReader } from './metadata.ts';
import { readRetry } from './retry.ts';
import { readMatch } from './route-match.ts';
import { readSession } from './session.ts';

/** Requests wait no longer than this where the route says nothing (Envoy's default). */
const DEFAULT_TIMEOUT_MS = 15_000;

const REDIRECT_STATUS: Readonly<Record<RedirectAction['responseCode'], number>> = {
  MOVED_PERMANENTLY: 301,
  FOUND: 302,
  SEE_OTHER: 303,
  TEMPORARY_REDIRECT: 307,
  PERMANENT_REDIRECT: 308,
  UNRECOGNIZED: 0,
};

export function decodeRoutes(bytes: Uint8Array, name: string, version: string): Decoded<RoutesConfig> {
  const message = decodeMessage(RouteConfiguration, bytes, name, ({ name }) => name);
  if (message.kind === 'rejected') return message;
  const problems = new Problems();
  const [host, ...others] = message.value.virtualHosts;
  if (host === undefined || others.length > 0 || host.domains.length !== 1 || host.domains[0] !== '*') {
    const domains = message.value.virtualHosts.map(({ domains }) => domains);
    problems.add('virtual_hosts', domains, 'use exactly one, with domains ["*"]');
    return problems.result({ name, version, routes: [] });
  }
  const routes = readVirtualHost(host, problems);
  const result = problems.result<RoutesConfig>({ name, version, routes });
  if (result.kind === 'rejected') return result;
  const reasons = routeProblems(result.value);
  return reasons.length === 0 ? result : { kind: 'rejected', reasons };
}

function readVirtualHost(host: VirtualHost, problems: Problems): RouteConfig[] {
  if (host.retryPolicy !== undefined) unsupported('virtual_hosts[0].retry_policy', problems);
  if (host.requestMirrorPolicies.length > 0)
    unsupported('virtual_hosts[0].request_mirror_policies', problems);
  if (Object.keys(host.typedPerFilterConfig).length > 0)
    unsupported('virtual_hosts[0].typed_per_filter_config', problems);
  return host.routes.map((route, index) => readRoute(route, `routes[${index}]`, problems));
}

/** What the sidecar does not do must not be left out silently: the rule may be there to protect something. */
function unsupported(field: string, problems: Problems): void {
  problems.add(field, 'set', 'this sidecar does not support it; leave it out');
}

function readRoute(route: Route, at: string, problems: Problems): RouteConfig {
  const metadata = new MetadataReader(route.metadata, at, problems);
  const anyMethod = metadata.choice('retry_any_method', ['true', 'false'], 'false') === 'true';
  return {
    match: readMatch(route.match, `${at}.match`, problems),
    action: readAction(route, anyMethod, at, problems),
    requestFields: readEdits(
      route.requestHeadersToAdd,
      route.requestHeadersToRemove,
      `${at}.request`,
      problems,
    ),
    responseFields: readEdits(
      route.responseHeadersToAdd,
      route.responseHeadersToRemove,
      `${at}.response`,
      problems,
    ),
    cors: readCors(route.typedPerFilterConfig, `${at}.typed_per_filter_config`, problems),
    session: readSession(metadata),
    origin: metadata.text('origin'),
  };
}

function readAction(
  route: Route,
  anyMethod: boolean,
  at: string,
  problems: Problems,
): ForwardConfig | RedirectConfig | DirectConfig {
  const { action } = route;
  switch (action?.$case) {
    case 'route':
      return readForward(route, action.value, anyMethod, `${at}.route`, problems);
    case 'redirect':
      return readRedirect(route, action.value, `${at}.redirect`, problems);
    case 'directResponse': {
      const body = action.value.body?.specifier;
      if (body !== undefined && body.$case !== 'inlineString') {
        problems.add(`${at}.direct_response.body`, body.$case, 'use inline_string');
      }
      const text = body?.$case === 'inlineString' ? body.value : '';
      return { kind: 'direct', status: action.value.status, body: text };
    }
    case 'nonForwardingAction':
    case undefined:
      problems.add(`${at}.action`, action?.$case, 'use route, redirect or direct_response');
      return { kind: 'direct', status: 500, body: '' };
  }
}

function readForward(
  route: Route,
  action: RouteAction,
  anyMethod: boolean,
  at: string,
  problems: Problems,
): ForwardConfig {
  if (action.hashPolicy.length > 0) unsupported(`${at}.hash_policy`, problems);
  if (action.internalRedirectPolicy !== undefined) unsupported(`${at}.internal_redirect_policy`, problems);
  const host = action.hostRewriteSpecifier;
  if (host !== undefined && host.$case !== 'hostRewriteLiteral') unsupported(`${at}.${host.$case}`, problems);
  return {
    kind: 'forward',
    backends: readBackends(action, at, problems),
    pathRewrite: readRewrite(route, action, at, problems),
    hostRewrite: host?.$case === 'hostRewriteLiteral' ? host.value : '',
    timeoutMs: readDuration(action.timeout, DEFAULT_TIMEOUT_MS, `${at}.timeout`, problems),
    retry: readRetry(action.retryPolicy, anyMethod, `${at}.retry_policy`, problems),
    mirrors: action.requestMirrorPolicies.map((mirror, index) => {
      const share = mirror.runtimeFraction?.defaultValue;
      const whole =
        share === undefined
          ? 1
          : { HUNDRED: 100, TEN_THOUSAND: 1e4, MILLION: 1e6, UNRECOGNIZED: 0 }[share.denominator];
      const fraction = share === undefined ? 1 : share.numerator / whole;
      if (!(fraction >= 0 && fraction <= 1)) {
        problems.add(
          `${at}.request_mirror_policies[${index}].runtime_fraction`,
          share,
          'use a share from 0 to 1',
        );
      }
      return { cluster: mirror.cluster, fraction };
    }),
  };
}

function readBackends(action: RouteAction, at: string, problems: Problems): BackendConfig[] {
  const specifier = action.clusterSpecifier;
  if (specifier?.$case === 'cluster') {
    return [{ cluster: specifier.value, weight: 1, requestFields: null, responseFields: null }];
  }
  if (specifier?.$case !== 'weightedClusters') {
    problems.add(`${at}.cluster_specifier`, specifier?.$case, 'use cluster or weighted_clusters');
    return [];
  }
  return specifier.value.clusters.map((cluster, index) => {
    const where = `${at}.weighted_clusters.clusters[${index}]`;
    if (Object.keys(cluster.typedPerFilterConfig).length > 0) {
      unsupported(`${where}.typed_per_filter_config`, problems);
    }
    if (cluster.hostRewriteSpecifier !== undefined) unsupported(`${where}.host_rewrite_literal`, problems);
    const { requestHeadersToAdd, requestHeadersToRemove } = cluster;
    const { responseHeadersToAdd, responseHeadersToRemove } = cluster;
    return {
      cluster: cluster.name,
      weight: cluster.weight ?? 1,
      requestFields: readEdits(requestHeadersToAdd, requestHeadersToRemove, `${where}.request`, problems),
      responseFields: readEdits(responseHeadersToAdd, responseHeadersToRemove, `${where}.response`, problems),
    };
  });
}

function readRewrite(route: Route, action: RouteAction, at: string, problems: Problems): PathRewrite | null {
  if (action.prefixRewrite !== '') {
    return prefixRewrite(route, action.prefixRewrite, `${at}.prefix_rewrite`, problems);
  }
  const regex = action.regexRewrite;
  if (regex === undefined) return null;
  if (regex.pattern?.regex !== '^.*$' || regex.substitution.replaceAll('\\\\', '').includes('\\')) {
    const remedy =
      'only a new path as a whole is known: the pattern "^.*$" and no groups in the substitution';
    problems.add(`${at}.regex_rewrite`, regex, remedy);
  }
  return { kind: 'full', value: regex.substitution.replaceAll('\\\\', '\\') };
}

/** A new prefix for the one that the route has matched, which must be one of path elements. */
function prefixRewrite(route: Route, value: string, field: string, problems: Problems): PathRewrite {
  const path = route.match?.pathSpecifier;
  if (path?.$case === 'pathSeparatedPrefix') return { kind: 'prefix', matched: path.value, value };
  if (path?.$case === 'prefix' && path.value === '/') return { kind: 'prefix', matched: '/', value };
  problems.add(field, value, 'it needs a match by path_separated_prefix, or by prefix "/"');
  return { kind: 'prefix', matched: '/', value };
}

function readRedirect(route: Route, action: RedirectAction, at: string, problems: Problems): RedirectConfig {
  if (action.stripQuery) unsupported(`${at}.strip_query`, problems);
  const scheme = action.schemeRewriteSpecifier;
  return {
    kind: 'redirect',
    status: REDIRECT_STATUS[action.responseCode],
    scheme: scheme?.$case === 'schemeRedirect' ? scheme.value : scheme?.value === true ? 'https' : '',
    host: action.hostRedirect,
    port: action.portRedirect,
    path: readRedirectPath(route, action, at, problems),
  };
}

function readRedirectPath(
  route: Route,
  action: RedirectAction,
  at: string,
  problems: Problems,
): PathRewrite | null {
  const path = action.pathRewriteSpecifier;
  switch (path?.$case) {
    case undefined:
      return null;
    case 'pathRedirect':
      return { kind: 'full', value: path.value };
    case 'prefixRewrite':
      return prefixRewrite(route, path.value, `${at}.prefix_rewrite`, problems);
    case 'regexRewrite':
      unsupported(`${at}.regex_rewrite`, problems);
      return null;
  }
}
