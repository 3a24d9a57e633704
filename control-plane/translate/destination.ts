import { type PortProtocol, portProtocol } from '../../api/protocol.ts';
import {
  type BackendTls,
  type Key,
  key,
  type Service,
  type ServicePort,
  type Workload,
} from '../model/model.ts';
import type { MeshReader } from './mesh-reader.ts';

/** What a client can call: a port of a Service, or a port of one pod. */
export type Destination = ServiceDestination | PodDestination;

export interface ServiceDestination {
  readonly kind: 'service';
  readonly service: Service;
  readonly port: ServicePort;
}

export interface PodDestination {
  readonly kind: 'pod';
  readonly workload: Workload;
  readonly port: number;
  readonly protocol: PortProtocol;
  /** The Service that has the port as a target port, for metrics; null if there is none. */
  readonly service: Service | null;
  /** As of {@link ServicePort}. */
  readonly clientTls: boolean;
  readonly backendTls: BackendTls | null;
}

/** Finds what `host:port` stands for; null if it is nothing of the mesh. `host` is an address or a DNS name. */
export function destinationOf(reader: MeshReader, host: string, port: number): Destination | null {
  const owner = reader.ownerOf(host, port);
  if (owner === null) return destinationByName(reader, host, port);
  return owner.kind === 'service'
    ? serviceDestination(reader, owner.service, port)
    : podDestination(reader, owner.workload, port);
}

/**
 * Names are `<service>.<namespace>.svc.<cluster domain>`, and `<pod>.<service>.<namespace>.svc.<cluster domain>` for the
 * pods of a headless Service.
 */
function destinationByName(reader: MeshReader, host: string, port: number): Destination | null {
  const suffix = `.svc.${reader.settings.clusterDomain}`;
  if (!host.endsWith(suffix)) return null;
  const labels = host.slice(0, -suffix.length).split('.');
  if (labels.length === 2) return serviceDestination(reader, key(labels[1], labels[0]), port);
  if (labels.length !== 3) return null;
  const [pod, service, namespace] = labels;
  const headless = reader.service(key(namespace, service));
  const workload = reader.workload(key(namespace, pod));
  if (headless?.kind !== 'headless' || !workload?.services.includes(key(namespace, service))) return null;
  return podDestination(reader, key(namespace, pod), port);
}

/** A port of a Service; null if there is no such Service or port, or it is an alias that has no endpoints of its own. */
export function serviceDestination(reader: MeshReader, id: Key, port: number): ServiceDestination | null {
  const service = reader.service(id);
  if (service === undefined || service.kind === 'external-name') return null;
  const found = service.ports.find(other => other.port === port);
  return found === undefined ? null : { kind: 'service', service, port: found };
}

/**
 * A port of a pod. Ports that no Service declares are known for meshed pods only: what an unmeshed pod serves there is
 * better left alone.
 */
export function podDestination(reader: MeshReader, id: Key, port: number): PodDestination | null {
  const workload = reader.workload(id);
  if (workload === undefined) return null;
  const declared = declaredPorts(reader, workload).get(port);
  if (declared !== undefined) return { kind: 'pod', workload, port, ...declared };
  if (!workload.meshed) return null;
  const protocol = undeclaredProtocol(workload, port);
  return { kind: 'pod', workload, port, protocol, service: null, clientTls: false, backendTls: null };
}

export interface DeclaredPort {
  readonly protocol: PortProtocol;
  readonly service: Service;
  readonly clientTls: boolean;
  readonly backendTls: BackendTls | null;
}

/**
 * Target ports of a pod that Services declare. Where two Services declare one port, the declared protocol goes before
 * `detect`, then the first by name. That the application serves TLS is so if one of them says it.
 */
export function declaredPorts(reader: MeshReader, workload: Workload): Map<number, DeclaredPort> {
  const ports = new Map<number, DeclaredPort>();
  for (const id of [...workload.services].sort()) {
    const service = reader.service(id);
    if (service === undefined) continue;
    for (const port of service.ports) {
      const target = targetPort(workload, port);
      if (target === null) continue;
      const known = ports.get(target);
      const backendTls = known?.backendTls ?? port.backendTls;
      const stays = known !== undefined && (known.protocol !== 'detect' || port.protocol === 'detect');
      const { protocol, clientTls } = port;
      ports.set(target, stays ? { ...known, backendTls } : { protocol, service, clientTls, backendTls });
    }
  }
  for (const port of workload.opaquePorts) {
    const known = ports.get(port);
    if (known !== undefined) ports.set(port, { ...known, protocol: 'opaque' });
  }
  return ports;
}

function targetPort(workload: Workload, port: ServicePort): number | null {
  if (typeof port.targetPort === 'number') return port.targetPort;
  return workload.namedPorts.get(port.targetPort) ?? null;
}

/** Protocol of a pod's port that no Service declares. */
export function undeclaredProtocol(workload: Workload, port: number): PortProtocol {
  return workload.opaquePorts.includes(port) ? 'opaque' : portProtocol(undefined, undefined, port);
}

/** Full DNS name of a Service: `destination_service` in metrics. */
export function serviceHost(service: Service, clusterDomain: string): string {
  return `${service.name}.${service.namespace}.svc.${clusterDomain}`;
}
