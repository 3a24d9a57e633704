import { answerLost, type FailureCode, failureHeader, notProcessed } from '../../../api/failure.ts';
import { pack } from '../../../api/xds/any.ts';
import { durationOf } from '../../../api/xds/duration.ts';
import type {
  HeaderMatcher,
  RetryPolicy,
  RetryPolicy_RateLimitedRetryBackOff,
  Route,
  RouteAction,
  RouteMatch,
  WeightedCluster_ClusterWeight,
} from '../../../api/xds/gen/envoy/config/route/v3/route_components.ts';
import { PreviousHostsPredicate } from '../../../api/xds/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.ts';
import type { DeepPartial } from '../../../api/xds/gen/google/protobuf/any.ts';
import type { FieldEdits } from '../../model/model.ts';
import { typedCors } from '../cors-wire.ts';
import { defaults } from '../defaults.ts';
import { type Forward, type ResolvedBackend, type ResolvedRoute, weighted } from '../resolved-route.ts';
import { fractionOf, headerMatcher, queryMatcher, retryBackOff } from '../wire.ts';
import { hostSet, joinEdits, requestEdits, responseEdits } from './field-edits.ts';
import { isTooLarge } from './not-expressed.ts';
import { redirect, rewriteAction } from './rewrite.ts';
import { typedSession } from './session.ts';

/** Cluster that never exists: Envoy answers with `cluster_not_found_response_code`. */
const invalidBackend = 'invalid-backend';

/** Methods that may be repeated (RFC 9110 §9.2.2). */
const idempotent = 'GET|HEAD|OPTIONS|TRACE|PUT|DELETE';

/**
 * Routes that do what one resolved route says. Envoy's retry policy knows no methods: if only some may be retried, they get
 * a route of their own before that of the others.
 */
export function writeRoutes(route: ResolvedRoute, servicePort: number): DeepPartial<Route>[] {
  const { action, retry, match } = route;
  if (isTooLarge(match)) return [];
  if (action.kind === 'redirect') {
    return [
      { ...common(route), action: { $case: 'redirect', value: redirect(action, match.path, servicePort) } },
    ];
  }
  if (weighted(action).every(({ cluster }) => cluster === '')) {
    const status = isForCalls(route) ? 503 : 500;
    return [{ ...common(route), action: { $case: 'directResponse', value: { status } } }];
  }
  const forward = (withRetry: boolean): DeepPartial<Route> => ({
    ...common(route),
    action: { $case: 'route', value: writeForward(route, action, withRetry) },
  });
  if (match.method !== '' && route.cors !== null) {
    const only = forward(true);
    return [preflight(only, match), only];
  }
  if (retry === null || retry.anyMethod) return [forward(true)];
  const repeatable = forward(true);
  const method = { name: ':method', match: { kind: 'regex' as const, value: idempotent } };
  const headers = [headerMatcher(method), ...(repeatable.match?.headers ?? [])];
  return [{ ...repeatable, match: { ...repeatable.match, headers } }, forward(false)];
}

/**
 * Preflight requests for the method of a rule, which the CORS filter answers by the policy of their route; they would
 * otherwise match another rule.
 */
function preflight(route: DeepPartial<Route>, match: ResolvedRoute['match']): DeepPartial<Route> {
  const asked = { kind: 'exact' as const, value: match.method };
  const headers = [...match.headers, { name: 'access-control-request-method', match: asked }];
  const written = writeMatch({ ...match, method: 'OPTIONS', headers });
  written.headers?.push({ name: 'origin', headerMatchSpecifier: { $case: 'presentMatch', value: true } });
  return { ...route, match: written };
}

/** Envoy makes UNAVAILABLE of 503, which an invalid backend of a GRPCRoute is answered with, and UNKNOWN of 500. */
function isForCalls({ origin }: ResolvedRoute): boolean {
  return origin.startsWith('GRPCRoute/');
}

function common(route: ResolvedRoute): DeepPartial<Route> {
  return {
    name: route.origin,
    match: writeMatch(route.match),
    typedPerFilterConfig: { ...typedCors(route.cors), ...typedSession(route) },
    ...requestEdits(editsOfBackends(route, 'requestFields') ? null : route.requestFields),
    ...responseEdits(editsOfBackends(route, 'responseFields') ? null : route.responseFields),
  };
}

function writeMatch(match: ResolvedRoute['match']): DeepPartial<RouteMatch> {
  const method = { name: ':method', match: { kind: 'exact' as const, value: match.method } };
  return {
    pathSpecifier: writePath(match.path),
    headers: [...(match.method === '' ? [] : [method]), ...match.headers].map(headerMatcher),
    queryParameters: match.query.map(queryMatcher),
  };
}

function writePath({
  kind,
  value,
}: ResolvedRoute['match']['path']): NonNullable<DeepPartial<RouteMatch>['pathSpecifier']> {
  if (kind === 'exact') return { $case: 'path', value };
  if (kind === 'regex') return { $case: 'safeRegex', value: { regex: value } };
  return value === '/' ? { $case: 'prefix', value } : { $case: 'pathSeparatedPrefix', value };
}

function writeForward(route: ResolvedRoute, action: Forward, withRetry: boolean): DeepPartial<RouteAction> {
  const host = action.hostRewrite === '' ? hostSet(route.requestFields) : action.hostRewrite;
  return {
    clusterSpecifier: {
      $case: 'weightedClusters',
      value: { clusters: weighted(action).map(backend => writeBackend(route, backend)) },
    },
    clusterNotFoundResponseCode: isForCalls(route) ? 'SERVICE_UNAVAILABLE' : 'INTERNAL_SERVER_ERROR',
    ...rewriteAction(action.pathRewrite, route.match.path),
    ...(host === '' ? {} : { hostRewriteSpecifier: { $case: 'hostRewriteLiteral' as const, value: host } }),
    // Unset would be 15 s.
    timeout: durationOf(route.timeoutMs),
    retryPolicy: writeRetry(route, withRetry),
    requestMirrorPolicies: action.mirrors.map(({ cluster, fraction }) => ({
      cluster,
      runtimeFraction: fractionOf(fraction),
      // The copy is as the request: Envoy would call the host `<host>-shadow`.
      disableShadowHostSuffixAppend: true,
    })),
  };
}

/** Envoy applies the edits of a backend before those of its route: where there are some, it gets both, in their order. */
function editsOfBackends({ action }: ResolvedRoute, side: 'requestFields' | 'responseFields'): boolean {
  return action.kind === 'forward' && weighted(action).some(backend => backend[side] !== null);
}

function writeBackend(
  route: ResolvedRoute,
  backend: ResolvedBackend,
): DeepPartial<WeightedCluster_ClusterWeight> {
  const edits = (side: 'requestFields' | 'responseFields'): FieldEdits | null =>
    editsOfBackends(route, side) ? joinEdits(route[side], backend[side]) : null;
  const host = hostSet(backend.requestFields);
  return {
    ...(host === '' ? {} : { hostRewriteSpecifier: { $case: 'hostRewriteLiteral' as const, value: host } }),
    name: backend.cluster === '' ? invalidBackend : backend.cluster,
    weight: backend.weight,
    ...requestEdits(edits('requestFields')),
    ...responseEdits(edits('responseFields')),
  };
}

/** `Retry-After` in seconds, as far as the sidecar would wait too; else the usual wait. */
const retryAfterBackOff: DeepPartial<RetryPolicy_RateLimitedRetryBackOff> = {
  resetHeaders: [{ name: 'retry-after', format: 'SECONDS' }],
  maxInterval: durationOf(defaults.maxRetryAfterMs),
};

/** A failure that the sidecar of an endpoint reports for its application. */
function failureField(code: FailureCode): DeepPartial<HeaderMatcher> {
  const value = { matchPattern: { $case: 'prefix' as const, value: `${code};` } };
  return { name: failureHeader, headerMatchSpecifier: { $case: 'stringMatch', value } };
}

/**
 * Failed connections and refused streams are retried in any case, as the sidecar does. gRPC statuses need no method: all
 * calls are POST.
 */
function writeRetry(
  { retry, attemptTimeoutMs }: ResolvedRoute,
  withRetry: boolean,
): DeepPartial<RetryPolicy> {
  const conditions = ['connect-failure', 'refused-stream', 'retriable-headers'];
  const policy: DeepPartial<RetryPolicy> = {
    numRetries: defaults.connectRetries,
    retryHostPredicate: [
      {
        name: 'envoy.retry_host_predicates.previous_hosts',
        configType: { $case: 'typedConfig', value: pack(PreviousHostsPredicate, {}) },
      },
    ],
    hostSelectionRetryMaxAttempts: 3,
    retryBackOff: retryBackOff(retry?.backoffMs ?? 0),
  };
  if (attemptTimeoutMs > 0) policy.perTryTimeout = durationOf(attemptTimeoutMs);
  const failures: FailureCode[] = [...notProcessed];
  if (retry !== null && (withRetry || retry.grpcStatuses.length > 0)) {
    policy.numRetries = retry.attempts;
    conditions.push(...retry.grpcStatuses);
  }
  if (retry !== null && withRetry) {
    policy.retriableStatusCodes = [...retry.statuses];
    if (retry.onReset) {
      conditions.push('reset');
      failures.push(...answerLost);
    }
    policy.rateLimitedRetryBackOff = retryAfterBackOff;
    if (retry.statuses.length > 0) conditions.push('retriable-status-codes');
  }
  return { ...policy, retryOn: conditions.join(','), retriableHeaders: failures.map(failureField) };
}
