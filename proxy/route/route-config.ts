/**
 * Routes as values, decoded from xDS and validated. Nothing here knows the wire format, and nothing is compiled yet:
 * `route-table.ts` turns it into what the data path uses.
 */

import type { SessionConfig } from '../cluster/cluster-config.ts';

/** Edits of field lines; names are lower-case. Order of application: remove, set, add (GEP: acts on distinct names). */
export interface FieldEdits {
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly add: readonly (readonly [name: string, value: string])[];
  readonly remove: readonly string[];
}

export type StringMatch =
  | { readonly kind: 'exact'; readonly value: string }
  | { readonly kind: 'prefix'; readonly value: string }
  | { readonly kind: 'suffix'; readonly value: string }
  | { readonly kind: 'contains'; readonly value: string }
  /** RE2 syntax, matched as a whole string in linear time. */
  | { readonly kind: 'regex'; readonly value: string }
  | { readonly kind: 'present' };

/** `path-prefix` matches whole path elements: /abc matches /abc and /abc/d, not /abcd. `prefix` is a plain prefix. */
export type PathMatch =
  | { readonly kind: 'exact' | 'path-prefix' | 'prefix' | 'regex'; readonly value: string }
  | { readonly kind: 'any' };

export interface NamedMatch {
  readonly name: string;
  readonly match: StringMatch;
  readonly invert: boolean;
}

export interface RouteMatchConfig {
  readonly path: PathMatch;
  /** Exact method, or '' for any. */
  readonly method: string;
  /** Lower-case names; repeated fields are compared joined with ','. */
  readonly headers: readonly NamedMatch[];
  /** The first value of a repeated parameter counts. */
  readonly query: readonly NamedMatch[];
}

export interface RetryConfig {
  /** Attempts after the first. */
  readonly attempts: number;
  /** HTTP statuses that are retried. */
  readonly statuses: readonly number[];
  /** gRPC statuses that are retried. */
  readonly grpcStatuses: readonly number[];
  /** Retry connections that were reset before an answer. */
  readonly onReset: boolean;
  /** 0: no limit but that of the request. */
  readonly perTryTimeoutMs: number;
  /** Retry methods that are not idempotent as well. */
  readonly anyMethod: boolean;
  /** The least wait before the first retry, and the longest that it grows to; null: a short random one. */
  readonly backoff: { readonly baseMs: number; readonly maxMs: number } | null;
}

export type PathRewrite =
  | { readonly kind: 'full'; readonly value: string }
  /** Replaces the matched path prefix, by path elements. */
  | { readonly kind: 'prefix'; readonly matched: string; readonly value: string };

export interface BackendConfig {
  /** Name of the cluster; '' for a backend that is invalid and answers 500 for its share. */
  readonly cluster: string;
  readonly weight: number;
  readonly requestFields: FieldEdits | null;
  readonly responseFields: FieldEdits | null;
}

export interface ForwardConfig {
  readonly kind: 'forward';
  readonly backends: readonly BackendConfig[];
  readonly pathRewrite: PathRewrite | null;
  /** New authority, or ''. */
  readonly hostRewrite: string;
  /** Whole request with retries; 0 for none. */
  readonly timeoutMs: number;
  readonly retry: RetryConfig | null;
  readonly mirrors: readonly {
    readonly cluster: string /** Share of requests, 0..1. */;
    readonly fraction: number;
  }[];
}

export interface RedirectConfig {
  readonly kind: 'redirect';
  readonly status: number;
  /** '' or 0: as in the request. */
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly path: PathRewrite | null;
}

export interface DirectConfig {
  readonly kind: 'direct';
  readonly status: number;
  readonly body: string;
}

/** Cross-origin requests that a route allows. Lists are as they stand in the answer, joined with ', '; `*` means any. */
export interface CorsConfig {
  /** Any of them; an exact `*` is any origin. */
  readonly origins: readonly StringMatch[];
  readonly methods: string;
  readonly headers: string;
  readonly exposeHeaders: string;
  readonly credentials: boolean;
  /** Seconds for which a browser may remember the answer to a preflight request; '' for its own choice. */
  readonly maxAge: string;
}

export interface RouteConfig {
  readonly match: RouteMatchConfig;
  readonly action: ForwardConfig | RedirectConfig | DirectConfig;
  readonly requestFields: FieldEdits | null;
  readonly responseFields: FieldEdits | null;
  readonly cors: CorsConfig | null;
  readonly session: SessionConfig | null;
  /** `HTTPRoute/<namespace>/<name>/<rule>` for logs and metrics, '' for the implicit route. */
  readonly origin: string;
}

/** One RouteConfiguration. Routes are in order of precedence; the first match wins. */
export interface RoutesConfig {
  readonly name: string;
  readonly version: string;
  readonly routes: readonly RouteConfig[];
}
