import { type Key, key, type Service, type ServiceEndpoints, type Workload } from './model.ts';
import type { NamespaceRecord, NodeRecord, PodRecord } from './records.ts';

/** A pod with what it has from its namespace, its node and the Services that select it. */
export function linkWorkload(
  pod: PodRecord,
  namespace: NamespaceRecord | undefined,
  node: NodeRecord | undefined,
  services: Iterable<Key>,
): Workload {
  return {
    ...pod,
    zone: pod.zone === '' ? (node?.zone ?? '') : pod.zone,
    mtls: pod.mtls === '' ? (namespace?.mtls ?? '') : pod.mtls,
    opaquePorts: pod.opaquePorts ?? namespace?.opaquePorts ?? [],
    services: [...services].sort(),
  };
}

/**
 * A Service whose undeclared ports are opaque if its endpoints say so: its clients must not wait for the first bytes
 * either. A declared protocol stands.
 */
export function linkService(
  service: Service,
  endpoints: ServiceEndpoints | undefined,
  workload: (key: Key) => Workload | undefined,
): Service {
  if (endpoints === undefined || !service.ports.some(port => port.protocol === 'detect')) return service;
  const opaque = (name: string): boolean =>
    endpoints.ports.some(
      target =>
        target.name === name &&
        target.endpoints.some(
          endpoint =>
            endpoint.pod !== '' && workload(endpoint.pod)?.opaquePorts.includes(target.port) === true,
        ),
    );
  const ports = service.ports.map(port =>
    port.protocol === 'detect' && opaque(port.name) ? { ...port, protocol: 'opaque' as const } : port,
  );
  return { ...service, ports };
}

/** Keys of the pods behind a Service. */
export function podsOf(endpoints: ServiceEndpoints | undefined): Set<Key> {
  const pods = new Set<Key>();
  for (const port of endpoints?.ports ?? [])
    for (const endpoint of port.endpoints) if (endpoint.pod !== '') pods.add(endpoint.pod);
  return pods;
}

export function serviceKey(service: { readonly namespace: string; readonly name: string }): Key {
  return key(service.namespace, service.name);
}
