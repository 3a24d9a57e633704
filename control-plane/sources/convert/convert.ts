/** Which objects are read, from which API groups, and how each becomes a record. Both sources go through here. */
import { key } from '../../model/model.ts';
import type { RecordKind, Records, RecordWriter } from '../../model/records.ts';
import { convertBackendTlsPolicy } from './backend-tls-policy.ts';
import { convertConfigMap } from './config-map.ts';
import { convertTcpRoute, convertTlsRoute } from './connection-route.ts';
import { convertEndpointSlice } from './endpoint-slice.ts';
import { convertGrpcRoute } from './grpc-route.ts';
import { convertHttpRoute } from './http-route.ts';
import { convertHttpRouteGroup } from './http-route-group.ts';
import { convertNamespace, convertNode } from './namespace.ts';
import type { Converted, KubernetesObject, Metadata } from './object.ts';
import { convertPod } from './pod.ts';
import { convertService } from './service.ts';
import { convertTrafficPolicy } from './traffic-policy.ts';
import { convertTrafficSplit } from './traffic-split.ts';

export interface KindDefinition {
  /** '' for the core group. */
  readonly group: string;
  /** The ones that are understood, best first. */
  readonly versions: readonly string[];
  /** Lower-case plural, as in the path of the API. */
  readonly plural: string;
  readonly namespaced: boolean;
  /** Not part of every cluster: defined by a CRD that the user may install later or never. */
  readonly optional: boolean;
}

const gateway = { group: 'gateway.networking.k8s.io', namespaced: true, optional: true } as const;
const core = { group: '', versions: ['v1'], optional: false } as const;

export const kindDefinitions: { readonly [K in RecordKind]: KindDefinition } = {
  Service: { ...core, plural: 'services', namespaced: true },
  EndpointSlice: {
    group: 'discovery.k8s.io',
    versions: ['v1'],
    plural: 'endpointslices',
    namespaced: true,
    optional: false,
  },
  Pod: { ...core, plural: 'pods', namespaced: true },
  Namespace: { ...core, plural: 'namespaces', namespaced: false },
  Node: { ...core, plural: 'nodes', namespaced: false },
  HTTPRoute: { ...gateway, versions: ['v1', 'v1beta1'], plural: 'httproutes' },
  GRPCRoute: { ...gateway, versions: ['v1'], plural: 'grpcroutes' },
  TLSRoute: { ...gateway, versions: ['v1', 'v1alpha3', 'v1alpha2'], plural: 'tlsroutes' },
  TCPRoute: { ...gateway, versions: ['v1', 'v1alpha2'], plural: 'tcproutes' },
  TrafficSplit: {
    group: 'split.smi-spec.io',
    versions: ['v1alpha4', 'v1alpha3', 'v1alpha2', 'v1alpha1'],
    plural: 'trafficsplits',
    namespaced: true,
    optional: true,
  },
  HTTPRouteGroup: {
    group: 'specs.smi-spec.io',
    versions: ['v1alpha4', 'v1alpha3', 'v1alpha2', 'v1alpha1'],
    plural: 'httproutegroups',
    namespaced: true,
    optional: true,
  },
  XBackendTrafficPolicy: {
    group: 'gateway.networking.x-k8s.io',
    versions: ['v1alpha1'],
    plural: 'xbackendtrafficpolicies',
    namespaced: true,
    optional: true,
  },
  BackendTLSPolicy: { ...gateway, versions: ['v1', 'v1alpha3'], plural: 'backendtlspolicies' },
  // Of these a cluster has many: only those that policies refer to are read.
  ConfigMap: { ...core, plural: 'configmaps', namespaced: true },
};

const converters: { readonly [K in RecordKind]: (object: KubernetesObject) => Converted<Records[K]> } = {
  Service: convertService,
  EndpointSlice: convertEndpointSlice,
  Pod: convertPod,
  Namespace: convertNamespace,
  Node: convertNode,
  HTTPRoute: convertHttpRoute,
  GRPCRoute: convertGrpcRoute,
  TLSRoute: convertTlsRoute,
  TCPRoute: convertTcpRoute,
  TrafficSplit: convertTrafficSplit,
  HTTPRouteGroup: convertHttpRouteGroup,
  XBackendTrafficPolicy: convertTrafficPolicy,
  BackendTLSPolicy: convertBackendTlsPolicy,
  ConfigMap: convertConfigMap,
};

/** The kind that an object's `apiVersion` and `kind` stand for; null if it is not read. */
export function recordKind(apiVersion: string, kind: string): RecordKind | null {
  if (!Object.hasOwn(kindDefinitions, kind)) return null;
  const { group, versions } = kindDefinitions[kind as RecordKind];
  const known = versions.some(version => apiVersion === (group === '' ? version : `${group}/${version}`));
  return known ? (kind as RecordKind) : null;
}

export function recordKey(kind: RecordKind, { namespace, name }: Metadata): string {
  return kindDefinitions[kind].namespaced ? key(namespace, name) : name;
}

/** Converts an object and writes what comes of it. */
export function writeObject(
  writer: RecordWriter,
  kind: RecordKind,
  object: KubernetesObject,
  location: string,
): void {
  const id = recordKey(kind, object.metadata);
  const { record, problems } = convertSafely(kind, object);
  if (record !== null) writer.put(kind, id, record, problems, location);
  else if (problems.length > 0) writer.reject(kind, id, problems, location);
  else writer.remove(kind, id);
}

/** An object that a converter was not prepared for must not keep the others from being read. */
function convertSafely<K extends RecordKind>(kind: K, object: KubernetesObject): Converted<Records[K]> {
  try {
    return converters[kind](object);
  } catch (error) {
    const { message } = error as Error;
    return {
      record: null,
      problems: [`the object cannot be read (${message}); compare it with the reference of its kind`],
    };
  }
}
