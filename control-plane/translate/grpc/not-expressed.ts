import type { BackendTls, Retry, RouteMatch, TrafficPolicy } from '../../model/model.ts';
import { type Judgement, judge, type Omission, omissions } from '../omission.ts';
import type { ConnectionRoutes, Forward, ResolvedBackend, ResolvedRoute } from '../resolved-route.ts';
import { retryConditions, unavailable } from './retry-conditions.ts';

/** What gRPC clients cannot be told, and what they do; held against docs/xds.md. */
export const notExpressed = {
  rules: 'the names of a port with a TCPRoute or TLSRoute are not resolved',
  'matches.headers': 'a match on Host, TE, User-Agent, grpc-... or ...-bin takes no call',
  'filters.requestRedirect': 'calls fail with UNAVAILABLE',
  'filters.requestHeaderModifier': 'metadata of calls stays as it is',
  'filters.responseHeaderModifier': 'metadata of answers stays as it is',
  'filters.urlRewrite': 'path and host stay as they are',
  'filters.requestMirror': 'no copies are sent',
  'timeouts.backendRequest': 'attempts have no limit of their own',
  retry: 'connections that end before an answer are retried only if UNAVAILABLE is',
  'retry.attempts': 'there are at most 4 retries',
  'retry.codes':
    'only codes that become UNAVAILABLE (429, 502, 503, 504) are retried, and those only where any method may be',
  'retry.backoff': 'waits are random about the backoff or up to it, instead of from it',
  sessionPersistence: 'no sessions are kept',
  retryConstraint: 'retries have no budget',
  validation: 'calls fail with UNAVAILABLE: authorities come from the bootstrap of the client',
} as const;

type Field = keyof typeof notExpressed;

/** Retries of gRPC (gRFC A6: at most 5 attempts). */
const MOST_RETRIES = 4;

const ofBackend: Judgement<ResolvedBackend, Field> = {
  cluster: null,
  weight: null,
  requestFields: ({ requestFields }) => (requestFields === null ? null : 'filters.requestHeaderModifier'),
  responseFields: ({ responseFields }) => (responseFields === null ? null : 'filters.responseHeaderModifier'),
  // What a policy asks for is said of the policy.
  session: null,
};

const ofForward: Judgement<Forward, Field> = {
  kind: null,
  backends: ({ backends }) => backends.flatMap(backend => judge(ofBackend, backend)),
  pathRewrite: ({ pathRewrite }) => (pathRewrite === null ? null : 'filters.urlRewrite'),
  hostRewrite: ({ hostRewrite }) => (hostRewrite === '' ? null : 'filters.urlRewrite'),
  mirrors: ({ mirrors }) => (mirrors.length === 0 ? null : 'filters.requestMirror'),
};

const ofRetry: Judgement<Retry, Field> = {
  attempts: ({ attempts }) => (attempts > MOST_RETRIES ? 'retry.attempts' : null),
  statuses: ({ statuses, anyMethod }) =>
    statuses.every(status => anyMethod && unavailable.has(status)) ? null : 'retry.codes',
  grpcStatuses: null,
  onReset: retry => (retry.onReset && !retryConditions(retry).has('unavailable') ? 'retry' : null),
  backoffMs: ({ backoffMs }) => (backoffMs > 0 ? 'retry.backoff' : null),
  anyMethod: null,
};

/** Fields that are not there yet, or only as bytes, when a client chooses the route (gRFC A28). */
const hidden = /^(host|te|user-agent|grpc-.*|.*-bin)$/;

const ofMatch: Judgement<RouteMatch, Field> = {
  path: null,
  method: null,
  headers: ({ headers }) => (headers.some(({ name }) => hidden.test(name)) ? 'matches.headers' : null),
  query: null,
};

const ofRoute: Judgement<ResolvedRoute, Field> = {
  match: ({ match }) => judge(ofMatch, match),
  action: ({ action }) => (action.kind === 'redirect' ? 'filters.requestRedirect' : judge(ofForward, action)),
  requestFields: ({ requestFields }) => (requestFields === null ? null : 'filters.requestHeaderModifier'),
  responseFields: ({ responseFields }) => (responseFields === null ? null : 'filters.responseHeaderModifier'),
  timeoutMs: null,
  attemptTimeoutMs: ({ attemptTimeoutMs }) => (attemptTimeoutMs > 0 ? 'timeouts.backendRequest' : null),
  retry: ({ retry }) => (retry === null ? null : judge(ofRetry, retry)),
  // Without an Origin, which calls of these clients have not, it has no effect on a request.
  cors: null,
  session: ({ session }) => (session === null ? null : 'sessionPersistence'),
  origin: null,
};

/** Whether calls can match at all: they have no query, and POST is their method. */
export function takesCalls({ match }: ResolvedRoute): boolean {
  return match.query.length === 0 && (match.method === '' || match.method === 'POST');
}

/** Of a route that takes calls. */
export function omittedOfRoute(route: ResolvedRoute): Omission[] {
  return takesCalls(route) ? omissions(route.origin, judge(ofRoute, route), notExpressed) : [];
}

/** Of the TCPRoute or the TLSRoutes of a port. */
export function omittedOfConnections({ connections }: ConnectionRoutes): Omission[] {
  return connections.flatMap(({ origin }) => omissions(origin, ['rules'], notExpressed));
}

/** Of the traffic policy of a Service. */
export function omittedOfPolicy(policy: TrafficPolicy | null): Omission[] {
  if (policy === null) return [];
  const fields: Field[] = [];
  if (policy.budget !== null) fields.push('retryConstraint');
  if (policy.session !== null) fields.push('sessionPersistence');
  return omissions(policy.origin, fields, notExpressed);
}

/** Of the BackendTLSPolicy of a port. */
export function omittedOfTls(tls: BackendTls | null): Omission[] {
  return tls === null ? [] : omissions(tls.origin, ['validation'], notExpressed);
}
