import { annotations } from '../../../api/annotations.ts';
import { sidecarContainer } from '../../../api/installation.ts';
import type { PodRecord } from '../../model/records.ts';
import { readMeshAnnotations } from './annotations.ts';
import { type Fields, fields, listOfFields, Problems } from './fields.ts';
import type { Converted, KubernetesObject, Metadata } from './object.ts';

/**
 * A pod. Null without a problem: it has come to its end and its addresses may belong to another by now. Pods in the
 * network of their node have no address of their own.
 */
export function convertPod({ metadata, fields: object }: KubernetesObject): Converted<PodRecord> {
  const problems = new Problems();
  const spec = fields(object.spec, 'spec', problems) ?? {};
  const status = fields(object.status, 'status', problems) ?? {};
  if (status.phase === 'Succeeded' || status.phase === 'Failed') return { record: null, problems: [] };

  const containers = [
    ...listOfFields(spec.containers, 'spec.containers', problems),
    ...listOfFields(spec.initContainers, 'spec.initContainers', problems),
  ].map(({ item }) => item);
  const owner = readOwner(metadata, object, problems);
  const { labels } = metadata;
  const said = readMeshAnnotations('pod', metadata);
  const app = labels.app ?? labels['app.kubernetes.io/name'] ?? '';
  const version = labels.version ?? labels['app.kubernetes.io/version'] ?? '';
  return {
    record: {
      namespace: metadata.namespace,
      name: metadata.name,
      uid: metadata.uid,
      addresses: spec.hostNetwork === true ? [] : readAddresses(status, problems),
      serviceAccount: typeof spec.serviceAccountName === 'string' ? spec.serviceAccountName : 'default',
      meshed: isMeshed(metadata, containers),
      owner,
      app,
      version,
      // Istio's canonical service: its own labels, then the recommended ones, then `app` and `version`.
      canonicalService:
        labels['service.istio.io/canonical-name'] ?? labels['app.kubernetes.io/name'] ?? labels.app ?? owner,
      canonicalRevision:
        labels['service.istio.io/canonical-revision'] ??
        labels['app.kubernetes.io/version'] ??
        labels.version ??
        'latest',
      node: typeof spec.nodeName === 'string' ? spec.nodeName : '',
      zone: labels['topology.kubernetes.io/zone'] ?? '',
      opaquePorts: said.opaquePorts,
      mtls: said.mtls,
      namedPorts: readNamedPorts(containers, problems),
    },
    problems: [...problems.list, ...said.problems],
  };
}

/** The injector's mark, or its container for pods that were injected by other means (`tulle inject`). */
function isMeshed({ labels, annotations: given }: Metadata, containers: readonly Fields[]): boolean {
  const { injected, status } = annotations;
  return (
    labels[injected.name] === 'true' ||
    given[injected.name] === 'true' ||
    given[status.name] !== undefined ||
    containers.some(container => container.name === sidecarContainer)
  );
}

function readAddresses(status: Fields, problems: Problems): string[] {
  const all = [
    status.podIP,
    ...listOfFields(status.podIPs, 'status.podIPs', problems).map(({ item }) => item.ip),
  ];
  return [...new Set(all.filter((ip): ip is string => typeof ip === 'string' && ip !== ''))];
}

/** Deployment rather than ReplicaSet, CronJob rather than Job, both found by the suffix that they give their children. */
function readOwner(metadata: Metadata, object: Fields, problems: Problems): string {
  const raw = fields(object.metadata, 'metadata', problems) ?? {};
  const owner = listOfFields(raw.ownerReferences, 'metadata.ownerReferences', problems).find(
    ({ item }) => item.controller === true,
  )?.item;
  if (typeof owner?.name !== 'string') return metadata.name;
  const hash = metadata.labels['pod-template-hash'];
  if (owner.kind === 'ReplicaSet' && hash !== undefined && owner.name.endsWith(`-${hash}`))
    return owner.name.slice(0, -hash.length - 1);
  if (owner.kind === 'Job') return owner.name.replace(/-\d{8,10}$/, '');
  return owner.name;
}

function readNamedPorts(containers: readonly Fields[], problems: Problems): ReadonlyMap<string, number> {
  const named = new Map<string, number>();
  for (const container of containers)
    for (const { item } of listOfFields(container.ports, 'spec.containers.ports', problems))
      if (typeof item.name === 'string' && typeof item.containerPort === 'number' && !named.has(item.name))
        named.set(item.name, item.containerPort);
  return named;
}
