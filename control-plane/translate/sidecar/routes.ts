import { durationOf } from '../../../api/xds/duration.ts';
import type { RouteConfiguration } from '../../../api/xds/gen/envoy/config/route/v3/route.ts';
import type {
  RedirectAction,
  RetryPolicy,
  Route,
  RouteAction,
  RouteMatch,
  WeightedCluster_ClusterWeight,
} from '../../../api/xds/gen/envoy/config/route/v3/route_components.ts';
import type { DeepPartial } from '../../../api/xds/gen/google/protobuf/any.ts';
import type { PathRewrite } from '../../model/model.ts';
import { typedCors } from '../cors-wire.ts';
import type { MeshReader } from '../mesh-reader.ts';
import type { Forward, Redirect, ResolvedBackend, ResolvedRoute } from '../resolved-route.ts';
import { redirectCode, wholePathRewrite } from '../route-wire.ts';
import { routesByName } from '../routes-by-name.ts';
import { sessionMetadata } from '../session.ts';
import {
  fractionOf,
  headerMatcher,
  headersToAdd,
  headersToRemove,
  queryMatcher,
  retryBackOff,
  tulleMetadata,
} from '../wire.ts';

/** RouteConfiguration of a Service port (of the producer, or of one consumer namespace) or of a pod's port. */
export function routes(reader: MeshReader, name: string): DeepPartial<RouteConfiguration> | null {
  const resolved = routesByName(reader, name);

  if (resolved === null) return null;
  return {
    name,
    virtualHosts: [{ name: 'all', domains: ['*'], routes: resolved.map(writeRoute) }],
  };
}

function writeRoute(route: ResolvedRoute): DeepPartial<Route> {
  const anyMethod = route.retry?.anyMethod === true ? { retry_any_method: 'true' } : {};
  const metadata = { origin: route.origin, ...sessionMetadata(route.session) };
  return {
    match: writeMatch(route),
    action:
      route.action.kind === 'forward'
        ? { $case: 'route', value: writeForward(route, route.action) }
        : { $case: 'redirect', value: writeRedirect(route.action) },
    metadata: tulleMetadata({ ...metadata, ...anyMethod }),
    typedPerFilterConfig: typedCors(route.cors),
    requestHeadersToAdd: headersToAdd(route.requestFields),
    requestHeadersToRemove: headersToRemove(route.requestFields),
    responseHeadersToAdd: headersToAdd(route.responseFields),
    responseHeadersToRemove: headersToRemove(route.responseFields),
  };
}

function writeMatch({ match }: ResolvedRoute): DeepPartial<RouteMatch> {
  const method = { name: ':method', match: { kind: 'exact' as const, value: match.method } };
  return {
    pathSpecifier: writePath(match.path),
    headers: [...(match.method === '' ? [] : [method]), ...match.headers].map(headerMatcher),
    queryParameters: match.query.map(queryMatcher),
  };
}

function writePath(
  path: ResolvedRoute['match']['path'],
): NonNullable<DeepPartial<RouteMatch>['pathSpecifier']> {
  switch (path.kind) {
    case 'exact':
      return { $case: 'path', value: path.value };
    case 'regex':
      return { $case: 'safeRegex', value: { regex: path.value } };
    case 'prefix':
      return path.value === '/'
        ? { $case: 'prefix', value: '/' }
        : { $case: 'pathSeparatedPrefix', value: path.value };
  }
}

function writeForward(route: ResolvedRoute, action: Forward): DeepPartial<RouteAction> {
  const retry = writeRetry(route);
  return {
    clusterSpecifier: {
      $case: 'weightedClusters',
      value: { clusters: action.backends.map(writeBackend) },
    },
    ...writeRewrite(action.pathRewrite),
    ...(action.hostRewrite === ''
      ? {}
      : { hostRewriteSpecifier: { $case: 'hostRewriteLiteral' as const, value: action.hostRewrite } }),
    timeout: durationOf(route.timeoutMs),
    ...(retry === null ? {} : { retryPolicy: retry }),
    requestMirrorPolicies: action.mirrors.map(({ cluster, fraction }) => ({
      cluster,
      runtimeFraction: fractionOf(fraction),
    })),
  };
}

function writeRewrite(rewrite: PathRewrite | null): DeepPartial<RouteAction> {
  if (rewrite === null) return {};
  return rewrite.kind === 'prefix'
    ? { prefixRewrite: rewrite.value === '' ? '/' : rewrite.value }
    : { regexRewrite: wholePathRewrite(rewrite.value) };
}

function writeBackend(backend: ResolvedBackend): DeepPartial<WeightedCluster_ClusterWeight> {
  return {
    name: backend.cluster,
    weight: backend.weight,
    requestHeadersToAdd: headersToAdd(backend.requestFields),
    requestHeadersToRemove: headersToRemove(backend.requestFields),
    responseHeadersToAdd: headersToAdd(backend.responseFields),
    responseHeadersToRemove: headersToRemove(backend.responseFields),
  };
}

/** An attempt's timeout stands in the retry policy, even where nothing is retried. */
function writeRetry({ retry, attemptTimeoutMs }: ResolvedRoute): DeepPartial<RetryPolicy> | null {
  if (retry === null && attemptTimeoutMs === 0) return null;
  const policy: DeepPartial<RetryPolicy> = { numRetries: retry?.attempts ?? 0 };
  if (attemptTimeoutMs > 0) policy.perTryTimeout = durationOf(attemptTimeoutMs);
  if (retry === null) return policy;
  const conditions = ['connect-failure', ...retry.grpcStatuses];
  if (retry.onReset) conditions.push('reset');
  if (retry.statuses.length > 0) conditions.push('retriable-status-codes');
  return {
    ...policy,
    retryOn: conditions.join(','),
    retriableStatusCodes: [...retry.statuses],
    ...(retry.backoffMs > 0 ? { retryBackOff: retryBackOff(retry.backoffMs) } : {}),
  };
}

function writeRedirect(action: Redirect): DeepPartial<RedirectAction> {
  return {
    hostRedirect: action.host,
    portRedirect: action.port,
    responseCode: redirectCode(action.status),
    ...(action.scheme === ''
      ? {}
      : { schemeRewriteSpecifier: { $case: 'schemeRedirect' as const, value: action.scheme } }),
    ...writeRedirectPath(action.path),
  };
}

function writeRedirectPath(path: PathRewrite | null): DeepPartial<RedirectAction> {
  if (path === null) return {};
  return {
    pathRewriteSpecifier:
      path.kind === 'full'
        ? { $case: 'pathRedirect', value: path.value }
        : { $case: 'prefixRewrite', value: path.value === '' ? '/' : path.value },
  };
}
