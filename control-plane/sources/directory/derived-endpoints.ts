/**
 * Endpoints of Services without EndpointSlices, from their selectors and the pods, as the endpoint slice controller of
 * Kubernetes makes them: a user of a directory writes Services and Pods, no more.
 */
import { isIPv6 } from 'node:net';
import { key } from '../../model/model.ts';
import { type Fields, strings } from '../convert/fields.ts';
import type { KubernetesObject } from '../convert/object.ts';

type Port = { name: string; port: number; protocol: string };

function asFields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function asList(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.map(asFields) : [];
}

function selects(selector: Readonly<Record<string, string>>, pod: KubernetesObject): boolean {
  const entries = Object.entries(selector);
  return entries.length > 0 && entries.every(([name, value]) => pod.metadata.labels[name] === value);
}

/** Pods are ready unless they say otherwise: a manifest written by hand has no status but the address. */
function isReady({ metadata, fields }: KubernetesObject): boolean {
  const status = asFields(fields.status);
  const condition = asList(status.conditions).find(({ type }) => type === 'Ready');
  return !metadata.deleted && (status.phase ?? 'Running') === 'Running' && condition?.status !== 'False';
}

function isOver({ fields }: KubernetesObject): boolean {
  const { phase } = asFields(fields.status);
  return phase === 'Succeeded' || phase === 'Failed';
}

/** A Service port at this pod; none if the pod does not have the port that is named. */
function targetPort(port: Fields, pod: KubernetesObject): number | null {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target;
  const spec = asFields(pod.fields.spec);
  for (const container of [...asList(spec.containers), ...asList(spec.initContainers)])
    for (const { name, containerPort } of asList(container.ports))
      if (name === target && typeof containerPort === 'number') return containerPort;
  return null;
}

function targetPorts(service: KubernetesObject, pod: KubernetesObject): Port[] {
  return asList(asFields(service.fields.spec).ports).flatMap(port => {
    const number = targetPort(port, pod);
    const name = typeof port.name === 'string' ? port.name : '';
    const protocol = typeof port.protocol === 'string' ? port.protocol : 'TCP';
    return number === null ? [] : [{ name, port: number, protocol }];
  });
}

function slice(
  service: KubernetesObject,
  ports: readonly Port[],
  endpoints: readonly unknown[],
  family: string,
  index: number,
): KubernetesObject {
  const { namespace, name } = service.metadata;
  const metadata = {
    ...service.metadata,
    name: `${name}-derived-${index}`,
    labels: { 'kubernetes.io/service-name': name },
    annotations: {},
  };
  return {
    kind: 'EndpointSlice',
    metadata: { ...metadata, namespace },
    fields: { addressType: family, ports, endpoints },
  };
}

function derive(service: KubernetesObject, pods: readonly KubernetesObject[]): KubernetesObject[] {
  const publishesUnready = asFields(service.fields.spec).publishNotReadyAddresses === true;
  const groups = new Map<string, { ports: Port[]; family: string; endpoints: unknown[] }>();
  for (const pod of pods) {
    const address = asFields(pod.fields.status).podIP;
    if (typeof address !== 'string' || address === '' || isOver(pod)) continue;
    const ports = targetPorts(service, pod);
    const family = isIPv6(address) ? 'IPv6' : 'IPv4';
    // A slice has one set of ports; pods whose named ports differ are in different slices.
    const id = `${family} ${JSON.stringify(ports)}`;
    const group = groups.get(id) ?? { ports, family, endpoints: [] };
    groups.set(id, group);
    group.endpoints.push({
      addresses: [address],
      conditions: { ready: publishesUnready || isReady(pod), terminating: pod.metadata.deleted },
      targetRef: { kind: 'Pod', namespace: pod.metadata.namespace, name: pod.metadata.name },
      zone: pod.metadata.labels['topology.kubernetes.io/zone'],
    });
  }
  return [...groups.values()].map(({ ports, family, endpoints }, index) =>
    slice(service, ports, endpoints, family, index),
  );
}

/** EndpointSlices for those Services that have a selector and no slice of their own. */
export function deriveEndpointSlices(
  services: Iterable<KubernetesObject>,
  pods: Iterable<KubernetesObject>,
  slices: Iterable<KubernetesObject>,
): KubernetesObject[] {
  const given = new Set<string>();
  for (const { metadata } of slices)
    given.add(key(metadata.namespace, metadata.labels['kubernetes.io/service-name'] ?? ''));
  const podsOf = new Map<string, KubernetesObject[]>();
  for (const pod of pods) {
    const list = podsOf.get(pod.metadata.namespace);
    if (list === undefined) podsOf.set(pod.metadata.namespace, [pod]);
    else list.push(pod);
  }
  const derived: KubernetesObject[] = [];
  for (const service of services) {
    const { namespace, name } = service.metadata;
    const selector = strings(asFields(service.fields.spec).selector);
    if (given.has(key(namespace, name)) || Object.keys(selector).length === 0) continue;
    const selected = (podsOf.get(namespace) ?? []).filter(pod => selects(selector, pod));
    derived.push(...derive(service, selected));
  }
  return derived;
}
