/**
 * One case of routing: the objects, what is said of them in status, and requests with what has to come of each. Every
 * case has a Service of its own in front, so that all of them are in force at once, in a folder as on a cluster.
 */
import type { FailureCode } from '../../api/failure.ts';
import type { GatewayRouteKind } from '../../control-plane/model/model.ts';
import type { KubernetesObject } from '../cluster/harness/kubectl.ts';

/** Where everything is, but for what consumers have of their own. */
export const NS = 'tulle-routes';
export const CONSUMER = 'tulle-routes-consumer';

export interface ServicePortSpec {
  readonly name: string;
  readonly port: number;
  readonly targetPort: number | string;
  readonly appProtocol?: string;
}

export interface RouteCase {
  /** DNS label; name of the Service in front. */
  readonly name: string;
  /** Of the Service in front; default: HTTP on 80. */
  readonly ports?: readonly ServicePortSpec[];
  /** Members of the Service's spec besides ports; default: it selects both versions. */
  readonly service?: object;
  readonly objects?: readonly KubernetesObject[];
  /** Objects that need the address of a pod. */
  readonly late?: (addressOf: (version: Version) => string) => readonly KubernetesObject[];
  /**
   * Conditions of routes that differ from Accepted and ResolvedRefs, by kind and name, for each parent reference:
   * `Accepted=False/Conflicted`.
   */
  readonly status?: Readonly<Record<string, readonly (readonly string[])[]>>;
  readonly requests: readonly Step[];
}

export type Version = 'v1' | 'v2';

/** A request to the Service in front, unless it says otherwise; GET /, HTTP/1.1. */
export interface Step {
  /** `tls`: HTTP/1.1 in TLS that the application ends. */
  readonly protocol?: 'http1' | 'http2' | 'grpc' | 'tls';
  /** Of the ClientHello; default: none. */
  readonly serverName?: string;
  /** Each on a connection of its own. */
  readonly fresh?: boolean;
  readonly method?: string;
  readonly path?: string;
  /** Another Service, or a pod of the version. */
  readonly to?: string | { readonly pod: Version };
  readonly port?: number;
  /** Default: the Service's name. */
  readonly host?: string;
  readonly fields?: readonly (readonly [string, string])[];
  /** Default: the client in the namespace of the Service. */
  readonly from?: 'consumer';
  readonly count?: number;
  /** What a folder has not: DNS, and pods with names of their own. */
  readonly on?: 'cluster';
  readonly expect: Expected;
}

export interface Expected {
  /** Default 200. */
  readonly status?: number;
  /** The sidecar's own answer: status and `tulle-error`, for gRPC its status. */
  readonly failure?: FailureCode;
  /** Who answers; default: anyone. */
  readonly version?: string;
  /** What the application saw. Fields: all values of a name, joined by a comma without a space; null: none. */
  readonly seen?: {
    readonly method?: string;
    readonly path?: string;
    readonly host?: string;
    readonly serverName?: string;
    /** Identity that the client's sidecar has proved. */
    readonly caller?: string;
    /** `HTTP/1.1` or `HTTP/2`, after `TLS, ` if it came over the application's own. */
    readonly protocol?: string;
    readonly fields?: Readonly<Record<string, string | null>>;
  };
  /** Fields of the answer, in the same way. */
  readonly answer?: Readonly<Record<string, string | null>>;
  /** Of `count` requests, outcomes that all occur, and no other. */
  readonly each?: readonly string[];
  /** Of `count` requests, the share of each outcome: `200 v1`, `500`, `reset`. 0 and 1 are exact. */
  readonly shares?: Readonly<Record<string, number>>;
}

export type RouteKind = GatewayRouteKind;

/** A route of a Service; `spec` may have parentRefs of its own. */
export function routeOf(
  kind: RouteKind,
  name: string,
  rules: readonly object[],
  options: { service?: string; namespace?: string; spec?: object } = {},
): KubernetesObject {
  const { service = name, namespace = NS, spec = {} } = options;
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind,
    metadata: { name, namespace },
    spec: { parentRefs: [parentOf(service)], rules, ...spec },
  };
}

export const httpRoute = (
  name: string,
  rules: readonly object[],
  options: Parameters<typeof routeOf>[3] = {},
): KubernetesObject => routeOf('HTTPRoute', name, rules, options);

/** A reference to a Service, with the port or section that it is for. */
export const parentOf = (name: string, more: object = {}): object => ({
  group: '',
  kind: 'Service',
  name,
  ...more,
});

/** A reference to port 80 of a Service; of the versions by their name. */
export const backend = (name: string, more: object = {}): object => ({ name, port: 80, ...more });

export const v1 = [backend('v1')];
export const v2 = [backend('v2')];

export const prefix = (value: string, more: object = {}): object => ({
  path: { type: 'PathPrefix', value },
  ...more,
});
export const exact = (value: string, more: object = {}): object => ({
  path: { type: 'Exact', value },
  ...more,
});
export const header = (name: string, value: string): object => ({ headers: [{ name, value }] });
export const query = (name: string, value: string): object => ({ queryParams: [{ name, value }] });

/** A step that one version answers. */
export const answeredBy = (
  version: Version,
  path: string,
  more: Omit<Step, 'expect' | 'path'> = {},
): Step => ({
  path,
  ...more,
  expect: { version },
});
export const notFound = (path: string, more: Omit<Step, 'expect' | 'path'> = {}): Step => ({
  path,
  ...more,
  expect: { failure: 'NO_ROUTE' },
});
