/**
 * What sources write: one small record for each object, made from that object alone. Whatever needs two objects (a
 * backend that names a Service, a pod that inherits from its namespace) is joined by the linker, so that neither the
 * order in which objects arrive nor the source matters.
 */
import type {
  Endpoint,
  Key,
  RetryBudget,
  Route,
  RouteMatch,
  Service,
  Session,
  SubjectAltName,
  Workload,
} from './model.ts';

export type MtlsMode = 'permissive' | 'strict' | '';

/** A Service as its own object says it; `opaquePorts` of pods and namespaces may still change `detect` to `opaque`. */
export type ServiceRecord = Service;

export interface EndpointSliceRecord {
  readonly service: Key;
  readonly family: 'IPv4' | 'IPv6';
  /** TCP ports: name of the Service port and the number that endpoints listen on. */
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  readonly endpoints: readonly Endpoint[];
}

/** A pod without what it inherits: `mtls` '' and `opaquePorts` null mean that it says nothing itself. */
export interface PodRecord extends Omit<Workload, 'services' | 'opaquePorts'> {
  readonly opaquePorts: readonly number[] | null;
}

export interface NamespaceRecord {
  readonly mtls: MtlsMode;
  readonly opaquePorts: readonly number[] | null;
  /** Pods of this namespace get a sidecar unless they refuse it. */
  readonly inject: boolean;
}

export interface NodeRecord {
  readonly zone: string;
}

/** A TrafficSplit: its ports are those of the Service it splits, which the linker knows. */
export interface SplitRecord {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  readonly created: number;
  /** The Service that is split, in the same namespace. */
  readonly service: string;
  /** HTTPRouteGroups of the same namespace whose requests are split; none: all requests. */
  readonly groups: readonly string[];
  readonly backends: readonly { readonly service: string; readonly weight: number }[];
}

/** An HTTPRouteGroup: requests that match any of these. */
export interface RouteGroupRecord {
  readonly namespace: string;
  readonly name: string;
  readonly matches: readonly RouteMatch[];
}

/** An XBackendTrafficPolicy, of Services in its own namespace. */
export interface PolicyRecord {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  readonly created: number;
  /** Names of the Services. */
  readonly targets: readonly string[];
  readonly budget: RetryBudget | null;
  readonly session: Session | null;
  /** Why it is not in force, '' if nothing is wrong. */
  readonly invalid: string;
}

/** A BackendTLSPolicy, of Services in its own namespace. */
export interface TlsPolicyRecord {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  readonly created: number;
  readonly targets: readonly TlsPolicyTarget[];
  readonly hostname: string;
  readonly subjectAltNames: readonly SubjectAltName[];
  /** The roots that the runtime of the client knows, in place of `authorities`. */
  readonly wellKnown: boolean;
  /** ConfigMaps of its namespace that hold the authorities. */
  readonly authorities: readonly string[];
  /** What is wrong with references to authorities that are no ConfigMaps; one sentence each. */
  readonly invalidKinds: readonly string[];
  /** Why no connection may be opened by it, '' if nothing is wrong. */
  readonly invalid: string;
}

export interface TlsPolicyTarget {
  /** Name of a Service. */
  readonly service: string;
  /** Name of one of its ports; '': all that no other policy names. */
  readonly sectionName: string;
}

/** What a ConfigMap holds for BackendTLSPolicies. */
export interface ConfigMapRecord {
  /** Certificates, PEM and nothing else; '' if there are none that can be used. */
  readonly authorities: string;
  /** Why there are none: completes `ConfigMap x/y ...`. */
  readonly problem: string;
}

export interface Records {
  readonly Service: ServiceRecord;
  readonly EndpointSlice: EndpointSliceRecord;
  readonly Pod: PodRecord;
  readonly Namespace: NamespaceRecord;
  readonly Node: NodeRecord;
  readonly HTTPRoute: Route;
  readonly GRPCRoute: Route;
  readonly TLSRoute: Route;
  readonly TCPRoute: Route;
  readonly TrafficSplit: SplitRecord;
  readonly HTTPRouteGroup: RouteGroupRecord;
  readonly XBackendTrafficPolicy: PolicyRecord;
  readonly BackendTLSPolicy: TlsPolicyRecord;
  readonly ConfigMap: ConfigMapRecord;
}

export type RecordKind = keyof Records;

export const recordKinds = [
  'Service',
  'EndpointSlice',
  'Pod',
  'Namespace',
  'Node',
  'HTTPRoute',
  'GRPCRoute',
  'TLSRoute',
  'TCPRoute',
  'TrafficSplit',
  'HTTPRouteGroup',
  'XBackendTrafficPolicy',
  'BackendTLSPolicy',
  'ConfigMap',
] as const satisfies readonly RecordKind[];

/** Where sources write. Keys are `namespace/name`, or the name of an object without a namespace. */
export interface RecordWriter {
  /** The object as it is now, with what is wrong with parts of it. `location` says where the user finds it, or ''. */
  put<K extends RecordKind>(
    kind: K,
    key: Key,
    record: Records[K],
    problems: readonly string[],
    location: string,
  ): void;
  /** The object cannot be used; its last good record stays in force. */
  reject(kind: RecordKind, key: Key, problems: readonly string[], location: string): void;
  remove(kind: RecordKind, key: Key): void;
  /** Reports something that is no object, a file for instance; no problems: it is in order again. */
  report(subject: string, problems: readonly string[]): void;
  /** The kind's first list is complete; states are delivered once all kinds are. */
  synced(kind: RecordKind): void;
}
