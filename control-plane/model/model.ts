/**
 * The mesh as values: validated, immutable, and ignorant of Kubernetes and of xDS. Sources make these records out of
 * objects, `translate` makes resources out of them. Records are small, as there is one for each pod.
 */
import type { PortProtocol } from '../../api/protocol.ts';

/** `namespace/name`. */
export type Key = string;

export function key(namespace: string, name: string): Key {
  return `${namespace}/${name}`;
}

export interface ServicePort {
  readonly port: number;
  readonly name: string;
  /** Number, or the name of a container port; endpoints carry the result. */
  readonly targetPort: number | string;
  readonly protocol: PortProtocol;
  /** Clients speak TLS with the application themselves (`https`, `tls`): their bytes are never wrapped. */
  readonly clientTls: boolean;
  /** The application serves TLS, and the mesh opens it; null: no policy says so. */
  readonly backendTls: BackendTls | null;
}

/** One of the names that the certificate of an application must have (SubjectAltName of Gateway API). */
export interface SubjectAltName {
  readonly kind: 'hostname' | 'uri';
  /** A hostname may begin with `*.`. */
  readonly value: string;
}

/** How TLS is opened to an application that serves it itself (BackendTLSPolicy, GEP-1897). */
export type BackendTls =
  | {
      readonly kind: 'verified';
      /** `BackendTLSPolicy/<namespace>/<name>`. */
      readonly origin: string;
      readonly hostname: string;
      /** One of these must be in the certificate; none: the hostname. */
      readonly subjectAltNames: readonly SubjectAltName[];
      /** Certificates, PEM; null: what the client's runtime trusts. */
      readonly authorities: string | null;
    }
  /** The policy is invalid: nothing may be sent, least of all in plaintext. */
  | { readonly kind: 'refused'; readonly origin: string };

/** How many retries a client of a Service may make (RetryConstraint, GEP-3388). */
export interface RetryBudget {
  /** Share of the requests of an interval that may be retries. */
  readonly percent: number;
  readonly intervalMs: number;
  /** Retries that are allowed in any case in a time. */
  readonly minCount: number;
  readonly minIntervalMs: number;
}

/** What a policy says of the traffic to a Service. */
export interface TrafficPolicy {
  /** `XBackendTrafficPolicy/<namespace>/<name>`. */
  readonly origin: string;
  readonly uid: string;
  /** null: the defaults of the mesh. */
  readonly budget: RetryBudget | null;
  /** For rules that have none of their own. */
  readonly session: Session | null;
}

export interface Service {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly kind: 'cluster-ip' | 'headless' | 'external-name';
  /** Addresses that clients dial: ClusterIPs and external IPs. */
  readonly addresses: readonly string[];
  readonly ports: readonly ServicePort[];
  /** Prefer endpoints of the client's zone. */
  readonly preferClose: boolean;
  /** Asks that the connections of a client go to one endpoint (`sessionAffinity: ClientIP`), which the mesh does not do. */
  readonly clientAffinity: boolean;
  /** ExternalName target, else ''. */
  readonly externalName: string;
  /** The policy that has won it, if any targets it. */
  readonly policy: TrafficPolicy | null;
}

export interface Endpoint {
  readonly address: string;
  readonly ready: boolean;
  /** `namespace/name` of the pod, or '' for an address without one. */
  readonly pod: Key;
  readonly zone: string;
}

/** What EndpointSlices say of one Service, joined: for each Service port (by name) its target port and endpoints. */
export interface ServiceEndpoints {
  readonly service: Key;
  readonly ports: readonly {
    /** Name of the Service port. */
    readonly name: string;
    readonly port: number;
    readonly endpoints: readonly Endpoint[];
  }[];
}

/** A pod. */
export interface Workload {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly addresses: readonly string[];
  readonly serviceAccount: string;
  /** Has a sidecar that is to be spoken to with mTLS. */
  readonly meshed: boolean;
  /** Owner's name: the Deployment rather than the ReplicaSet. */
  readonly owner: string;
  readonly app: string;
  readonly version: string;
  readonly canonicalService: string;
  readonly canonicalRevision: string;
  readonly node: string;
  readonly zone: string;
  /** Ports that are opaque by annotation (pod or namespace), besides the known ones. */
  readonly opaquePorts: readonly number[];
  /** From annotation of the pod or namespace; '' means the mesh's default. */
  readonly mtls: 'permissive' | 'strict' | '';
  /** Container ports by name, for target ports of inbound listeners. */
  readonly namedPorts: ReadonlyMap<string, number>;
  /** Services that select this pod. */
  readonly services: readonly Key[];
}

export type StringMatch =
  | { readonly kind: 'exact'; readonly value: string }
  | { readonly kind: 'regex'; readonly value: string };

export interface NamedMatch {
  readonly name: string;
  readonly match: StringMatch;
}

export interface RouteMatch {
  readonly path: { readonly kind: 'exact' | 'prefix' | 'regex'; readonly value: string };
  /** '' for any. */
  readonly method: string;
  readonly headers: readonly NamedMatch[];
  readonly query: readonly NamedMatch[];
}

export interface FieldEdits {
  readonly set: readonly { readonly name: string; readonly value: string }[];
  readonly add: readonly { readonly name: string; readonly value: string }[];
  readonly remove: readonly string[];
}

export type PathRewrite =
  | { readonly kind: 'full'; readonly value: string }
  | { readonly kind: 'prefix'; readonly value: string };

export interface Backend {
  /** null: the reference is invalid; its share is answered with 500. */
  readonly service: { readonly namespace: string; readonly name: string; readonly port: number } | null;
  /** Why it is invalid, '' otherwise. */
  readonly problem: string;
  readonly weight: number;
  readonly requestFields: FieldEdits | null;
  readonly responseFields: FieldEdits | null;
  /** Of the Service; null before it is linked. */
  readonly policy: TrafficPolicy | null;
}

export interface Retry {
  /** After the first. */
  readonly attempts: number;
  readonly statuses: readonly number[];
  /** As `tulle.dev/retry-grpc-statuses` has them. */
  readonly grpcStatuses: readonly string[];
  /** Attempts that end without an answer, by a reset or a timeout. */
  readonly onReset: boolean;
  /** The least wait before the first retry; 0: a short random one. */
  readonly backoffMs: number;
  /** Methods that are not idempotent as well. */
  readonly anyMethod: boolean;
}

export type RouteAction =
  | {
      readonly kind: 'forward';
      readonly backends: readonly Backend[];
      readonly pathRewrite: PathRewrite | null;
      readonly hostRewrite: string;
      readonly mirrors: readonly { readonly backend: Backend; readonly fraction: number }[];
    }
  | {
      readonly kind: 'redirect';
      readonly status: number;
      readonly scheme: string;
      readonly host: string;
      readonly port: number;
      readonly path: PathRewrite | null;
    };

/** Cross-origin requests that a rule allows (HTTPCORSFilter). */
export interface Cors {
  /** `*` alone, or `scheme://host[:port]` without a well-known port; the host may be `*`, or begin with `*.`. */
  readonly allowOrigins: readonly string[];
  /** `*` alone, or methods. */
  readonly allowMethods: readonly string[];
  /** `*` alone, or names in lower case. */
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly allowCredentials: boolean;
  /** How long a browser may remember the answer to a preflight request, in seconds. */
  readonly maxAgeS: number;
}

/** How the requests of a client are kept on one endpoint (SessionPersistence, GEP-1619). */
export interface Session {
  /** Where the client keeps the token that names its endpoint. */
  readonly kind: 'cookie' | 'header';
  /** Of the cookie or the header; '': one is made. */
  readonly name: string;
  /** Time from the first request after which a session is over; 0: never. */
  readonly timeoutMs: number;
  /** The cookie outlives the browser's session, until the timeout. */
  readonly permanent: boolean;
}

export interface RouteRule {
  readonly name: string;
  /** One or more; any of them. */
  readonly matches: readonly RouteMatch[];
  readonly action: RouteAction;
  readonly requestFields: FieldEdits | null;
  readonly responseFields: FieldEdits | null;
  /** Whole request with retries; 0: none. */
  readonly timeoutMs: number;
  readonly backendTimeoutMs: number;
  readonly retry: Retry | null;
  readonly cors: Cors | null;
  readonly session: Session | null;
}

/**
 * Why a part of a route is not in force, for its status. The words are Gateway API's (RouteConditionReason), but for two:
 * `ParentNotFound`, as a parent that does not exist has no status, and `NotApplied` for what is passed over though the
 * rest of its rule is in force.
 */
export type FaultReason =
  | 'UnsupportedValue'
  | 'BackendNotFound'
  | 'InvalidKind'
  | 'UnsupportedProtocol'
  | 'NoMatchingParent'
  | 'Conflicted'
  | 'ParentNotFound'
  | 'NotApplied';

export interface RouteFault {
  readonly reason: FaultReason;
  /** Index of the rule, as written; null: it is of no single rule, or none is left. */
  readonly rule: number | null;
  /** Index in `Route.parents`; null: all of them. */
  readonly parent: number | null;
  /** The sentence that is in `Route.problems`. */
  readonly message: string;
}

/** A rule that says only where traffic goes. */
export function forwardRule(
  name: string,
  matches: readonly RouteMatch[],
  backends: readonly Backend[],
): RouteRule {
  return {
    name,
    matches,
    action: { kind: 'forward', backends, pathRewrite: null, hostRewrite: '', mirrors: [] },
    requestFields: null,
    responseFields: null,
    timeoutMs: 0,
    backendTimeoutMs: 0,
    retry: null,
    cors: null,
    session: null,
  };
}

/** Every request, or whatever a connection carries. */
export const anything: RouteMatch = {
  path: { kind: 'prefix', value: '/' },
  method: '',
  headers: [],
  query: [],
};

/** Kinds of Gateway API that are attached to Services. Of two at one port the first here takes it (GEP-1294). */
export const gatewayRouteKinds = ['GRPCRoute', 'HTTPRoute', 'TLSRoute', 'TCPRoute'] as const;
export type GatewayRouteKind = (typeof gatewayRouteKinds)[number];

/**
 * A route of Gateway API or a TrafficSplit, attached to Services. A TLSRoute or TCPRoute has one rule, of which only the
 * backends mean something.
 */
export interface Route {
  readonly kind: GatewayRouteKind | 'TrafficSplit';
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  /** Unix seconds. */
  readonly created: number;
  /** Services it is attached to; port 0 means every port. */
  readonly parents: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly port: number;
    readonly sectionName: string;
  }[];
  readonly rules: readonly RouteRule[];
  /** Server names of a TLSRoute, in lower case: exact, or `*.` and a suffix; null: any, and for all other kinds. */
  readonly hostnames: readonly string[] | null;
  /** What is wrong with it, one sentence each with field, value and remedy; an invalid part never invalidates the rest. */
  readonly problems: readonly string[];
  /** The same with their reasons, of routes of Gateway API: what has a status of its own. */
  readonly faults: readonly RouteFault[];
}

/** A policy attached to Services, and what has become of it at each (GEP-713). */
export interface Policy {
  readonly kind: 'XBackendTrafficPolicy' | 'BackendTLSPolicy';
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  readonly targets: readonly {
    /** A Service of the policy's namespace. */
    readonly service: string;
    /** Name of its port, '' for all of it. */
    readonly sectionName: string;
    /** In the words of Gateway API (PolicyConditionReason). */
    readonly reason: 'Accepted' | 'Conflicted' | 'Invalid' | 'TargetNotFound' | 'NoValidCACertificate';
    readonly message: string;
  }[];
  /** What has become of what it refers to besides; null for kinds that refer to nothing. */
  readonly references: {
    readonly reason: 'ResolvedRefs' | 'InvalidCACertificateRef' | 'InvalidKind';
    readonly message: string;
  } | null;
}

/** Everything, at one moment. `version` grows with every change. */
export interface Mesh {
  readonly version: number;
  readonly trustDomain: string;
  readonly clusterDomain: string;
  readonly defaultMtls: 'permissive' | 'strict';
  /** Milliseconds until a connection attempt to an endpoint is given up. */
  readonly connectTimeoutMs: number;
  readonly services: ReadonlyMap<Key, Service>;
  readonly endpoints: ReadonlyMap<Key, ServiceEndpoints>;
  readonly workloads: ReadonlyMap<Key, Workload>;
  readonly routes: ReadonlyMap<string, Route>;
  readonly policies: ReadonlyMap<string, Policy>;
}

/** Records that changed between two states, by key; what depends on none of them need not be looked at again. */
export interface MeshChange {
  readonly services: ReadonlySet<Key>;
  readonly workloads: ReadonlySet<Key>;
  /** Services whose routes changed. */
  readonly routed: ReadonlySet<Key>;
}

/** Something a source delivers states through. */
export interface MeshStore {
  /** The newest complete state, or null before the first. */
  readonly current: Mesh | null;
  /** Called after every change, coalesced; returns what ends it. */
  subscribe(listener: (mesh: Mesh, change: MeshChange) => void): () => void;
}
