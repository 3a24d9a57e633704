import type { NamespaceRecord, NodeRecord } from '../../model/records.ts';
import { readMeshAnnotations } from './annotations.ts';
import type { Converted, KubernetesObject } from './object.ts';

export function convertNamespace({ metadata }: KubernetesObject): Converted<NamespaceRecord> {
  const { mtls, opaquePorts, inject, problems } = readMeshAnnotations('namespace', metadata);
  return { record: { mtls, opaquePorts, inject }, problems };
}

export function convertNode({ metadata }: KubernetesObject): Converted<NodeRecord> {
  return { record: { zone: metadata.labels['topology.kubernetes.io/zone'] ?? '' }, problems: [] };
}
