import type { BackendTls, Retry, RouteMatch, TrafficPolicy } from '../../model/model.ts';
import { type Judgement, judge, type Omission, omissions } from '../omission.ts';
import { expressionsOf, programSize } from '../regular-expression.ts';
import {
  type ConnectionRoutes,
  type Forward,
  type ResolvedRoute,
  type ResolvedSession,
  weighted,
} from '../resolved-route.ts';

/** What Envoy cannot be told, and what it does; held against docs/xds.md. */
export const notExpressed = {
  rules: 'a port with a TCPRoute or TLSRoute is not served: requests get 404',
  matches:
    'a match with a regular expression that is too large for Envoy is left out: its requests meet the next match, or get 404',
  'matches.queryParams': 'values are compared as they are written, without decoding percent-escapes',
  'filters.cors':
    'redirects have no CORS headers, and answers to an origin that is not allowed keep those of the application',
  'filters.requestMirror': 'copies have the header filters of the backend too',
  'timeouts.backendRequest': 'the limit of an attempt ends with the head of its answer',
  'retry.backoff': 'the first wait is random, up to the backoff instead of from it',
  sessionPersistence:
    'sessions are kept at the only backend with a weight, and not at all where there are several: the backend is chosen before the session is looked for',
  'sessionPersistence.absoluteTimeout': 'only a cookie of type Permanent ends by itself',
  'retryConstraint.minRetryRate': 'as many retries are allowed at once, however long they take',
  'validation.wellKnownCACertificates':
    'System stands for the roots of the control plane, not for those of the client',
} as const;

type Field = keyof typeof notExpressed;

const ofForward: Judgement<Forward, Field> = {
  kind: null,
  // What their policies ask for is said of the policies.
  backends: null,
  pathRewrite: null,
  hostRewrite: null,
  mirrors: ({ mirrors, backends }) =>
    mirrors.length > 0 && backends.some(({ requestFields }) => requestFields !== null)
      ? 'filters.requestMirror'
      : null,
};

const ofRetry: Judgement<Retry, Field> = {
  attempts: null,
  statuses: null,
  grpcStatuses: null,
  onReset: null,
  backoffMs: ({ backoffMs }) => (backoffMs > 0 ? 'retry.backoff' : null),
  anyMethod: null,
};

const ofRoute: Judgement<ResolvedRoute, Field> = {
  match: ({ match }) => [
    ...(isTooLarge(match) ? (['matches'] as const) : []),
    ...(match.query.length > 0 ? (['matches.queryParams'] as const) : []),
  ],
  action: ({ action }) => (action.kind === 'forward' ? judge(ofForward, action) : null),
  requestFields: null,
  responseFields: null,
  timeoutMs: null,
  attemptTimeoutMs: ({ attemptTimeoutMs }) => (attemptTimeoutMs > 0 ? 'timeouts.backendRequest' : null),
  retry: ({ retry }) => (retry === null ? null : judge(ofRetry, retry)),
  cors: ({ cors }) => (cors === null ? null : 'filters.cors'),
  session: ({ session, action }) => (session === null ? null : ofSession(session, action)),
  origin: null,
};

function ofSession({ permanent, timeoutMs }: ResolvedSession, action: ResolvedRoute['action']): Field[] {
  const fields: Field[] = [];
  if (action.kind === 'forward' && action.backends.length > 1) fields.push('sessionPersistence');
  const keepsAny = action.kind === 'forward' && weighted(action).length === 1;
  if (keepsAny && timeoutMs > 0 && !permanent) fields.push('sessionPersistence.absoluteTimeout');
  return fields;
}

/** Of a route, and of the policies of its backends. */
export function omittedOfRoute(route: ResolvedRoute): Omission[] {
  const { action, session } = route;
  const own = omissions(route.origin, judge(ofRoute, route), notExpressed);
  if (action.kind === 'redirect' || session !== null) return own;
  const ofPolicies = action.backends.flatMap(({ session }) =>
    session === null ? [] : omissions(session.origin, ofSession(session, action), notExpressed),
  );
  return [...own, ...ofPolicies];
}

/** Of the TCPRoute or the TLSRoutes of a port. */
export function omittedOfConnections({ connections }: ConnectionRoutes): Omission[] {
  return connections.flatMap(({ origin }) => omissions(origin, ['rules'], notExpressed));
}

/** Of the traffic policy of a Service. */
export function omittedOfPolicy(policy: TrafficPolicy | null): Omission[] {
  const field = 'retryConstraint.minRetryRate';
  return policy === null || policy.budget === null ? [] : omissions(policy.origin, [field], notExpressed);
}

/** Of the BackendTLSPolicy of a port. */
export function omittedOfTls(tls: BackendTls | null): Omission[] {
  if (tls?.kind !== 'verified' || tls.authorities !== null) return [];
  return omissions(tls.origin, ['validation.wellKnownCACertificates'], notExpressed);
}

/**
 * Envoy refuses expressions whose program is larger than 100 unless its bootstrap says otherwise, and with one of them the
 * routes of every Service. RE2JS and RE2 differ a little, most for classes of Unicode characters, hence the distance.
 */
export function isTooLarge(match: RouteMatch): boolean {
  return expressionsOf(match).some(expression => (programSize(expression) ?? Number.POSITIVE_INFINITY) > 60);
}
