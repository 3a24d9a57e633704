import { isIP } from 'node:net';
import { formatSpiffe } from '../../api/spiffe.ts';
import { type Key, key, type Service, type ServicePort, type Workload } from '../model/model.ts';
import type { MeshReader } from './mesh-reader.ts';

export interface ResolvedEndpoint {
  /** IP literal. */
  readonly address: string;
  readonly port: number;
  /** null: an address without a pod. */
  readonly workload: Workload | null;
}

export interface EndpointLocality {
  readonly zone: string;
  /** 0 is used first; without gaps. */
  readonly priority: number;
  /** At least one. */
  readonly endpoints: readonly ResolvedEndpoint[];
}

/**
 * Ready endpoints of a Service port by zone. No address is there twice, as gRPC refuses the whole assignment then. If the
 * Service prefers close endpoints, those of the client's zone come first; where that zone has none, all are equal.
 */
export function endpointSet(
  reader: MeshReader,
  service: Service,
  port: ServicePort,
  clientZone: string,
): EndpointLocality[] {
  const zones = new Map<string, ResolvedEndpoint[]>();
  for (const { zone, endpoint } of readyEndpoints(reader, service, port)) {
    const endpoints = zones.get(zone);
    if (endpoints === undefined) zones.set(zone, [endpoint]);
    else endpoints.push(endpoint);
  }
  const close = service.preferClose && clientZone !== '' && zones.has(clientZone);
  return [...zones]
    .map(([zone, endpoints]) => ({ zone, priority: close && zone !== clientZone ? 1 : 0, endpoints }))
    .sort((a, b) => a.priority - b.priority || (a.zone < b.zone ? -1 : 1));
}

function readyEndpoints(
  reader: MeshReader,
  service: Service,
  port: ServicePort,
): { zone: string; endpoint: ResolvedEndpoint }[] {
  const id = key(service.namespace, service.name);
  const seen = new Set<string>();
  const ready: { zone: string; endpoint: ResolvedEndpoint }[] = [];
  for (const target of reader.endpoints(id)?.ports ?? []) {
    if (target.name !== port.name) continue;
    for (const { address, ready: isReady, pod, zone } of target.endpoints) {
      const socket = `${address}:${target.port}`;
      if (!isReady || seen.has(socket) || isIP(address) === 0) continue;
      seen.add(socket);
      const workload = pod === '' ? null : (reader.workloadBehind(id, pod) ?? null);
      const at = zone === '' ? (workload?.zone ?? '') : zone;
      ready.push({ zone: at, endpoint: { address, port: target.port, workload } });
    }
  }
  return ready;
}

/** The one endpoint of a pod's port. */
export function podEndpoint(workload: Workload, port: number): EndpointLocality[] {
  const address = workload.addresses.find(candidate => isIP(candidate) !== 0);
  if (address === undefined) return [];
  return [{ zone: workload.zone, priority: 0, endpoints: [{ address, port, workload }] }];
}

/** SPIFFE ID that a meshed workload proves; '' for others. */
export function identityOf(workload: Workload | null, trustDomain: string): string {
  if (workload === null || !workload.meshed) return '';
  return formatSpiffe({
    trustDomain,
    namespace: workload.namespace,
    serviceAccount: workload.serviceAccount,
  });
}

/** Key of a workload in the mesh. */
export function workloadKey(workload: Workload): Key {
  return key(workload.namespace, workload.name);
}
