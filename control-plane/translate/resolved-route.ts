/**
 * Routes as the writers of all dialects take them: split into single matches, in order of precedence, with backends that
 * are cluster names. Everything in it is valid: no dialect has to check again.
 */
import type { Cors, FieldEdits, PathRewrite, Retry, RouteMatch, Session } from '../model/model.ts';

export interface ResolvedBackend {
  /** '': invalid, its share is answered with 500. */
  readonly cluster: string;
  /** 0 for those that take no requests but of sessions they have. */
  readonly weight: number;
  readonly requestFields: FieldEdits | null;
  readonly responseFields: FieldEdits | null;
  /** Of the policy of its Service; a rule's own goes before it. */
  readonly session: ResolvedSession | null;
}

export interface Forward {
  readonly kind: 'forward';
  /** At least one with a weight. */
  readonly backends: readonly ResolvedBackend[];
  readonly pathRewrite: PathRewrite | null;
  /** New authority, or ''. */
  readonly hostRewrite: string;
  readonly mirrors: readonly { readonly cluster: string; readonly fraction: number }[];
}

export interface Redirect {
  readonly kind: 'redirect';
  readonly status: number;
  /** '' and 0: derived from the request and the Service port. */
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly path: PathRewrite | null;
}

export interface ResolvedRoute {
  readonly match: RouteMatch;
  readonly action: Forward | Redirect;
  readonly requestFields: FieldEdits | null;
  readonly responseFields: FieldEdits | null;
  /** Whole request with retries; 0: none. */
  readonly timeoutMs: number;
  /** One attempt; 0: none. */
  readonly attemptTimeoutMs: number;
  readonly retry: Retry | null;
  readonly cors: Cors | null;
  readonly session: ResolvedSession | null;
  /** `HTTPRoute/<namespace>/<name>/<rule>`, '' for the implicit route. */
  readonly origin: string;
}

/** A session as clients are told of it. */
export interface ResolvedSession extends Session {
  /** What asks for it: that of the route, or `XBackendTrafficPolicy/<namespace>/<name>`. */
  readonly origin: string;
  /** Path of the cookie, '' for none. */
  readonly path: string;
  /** What tokens are made with: clients of the mesh that have it make the same tokens. */
  readonly key: string;
}

/** Connections that go to the same backends. */
export interface ConnectionRoute {
  /** Server names that the ClientHello must have one of, exact or `*.` and a suffix; null: any, or none. */
  readonly hostnames: readonly string[] | null;
  /** At least one with a weight. */
  readonly backends: readonly ResolvedBackend[];
  /** `TCPRoute/<namespace>/<name>/<rule>`. */
  readonly origin: string;
}

/** Requests of a Service port. One that no route matches gets 404. */
export interface RequestRoutes {
  readonly kind: 'GRPCRoute' | 'HTTPRoute' | 'TrafficSplit' | 'implicit';
  /** Namespace whose consumer routes these are; null: the producer's, or none. */
  readonly consumer: string | null;
  readonly routes: readonly ResolvedRoute[];
}

/**
 * Connections of a Service port, which are not looked into: of a TCPRoute one for all, of TLSRoutes those that begin with a
 * ClientHello, of which each name is in one route at most. A connection that no route takes is refused.
 */
export interface ConnectionRoutes {
  readonly kind: 'TLSRoute' | 'TCPRoute';
  readonly consumer: string | null;
  readonly connections: readonly ConnectionRoute[];
}

/** The routes of one Service port, for clients of one namespace. */
export type RouteSet = RequestRoutes | ConnectionRoutes;

/** Backends that take new requests. */
export function weighted({ backends }: Forward): readonly ResolvedBackend[] {
  return backends.filter(({ weight }) => weight > 0);
}
