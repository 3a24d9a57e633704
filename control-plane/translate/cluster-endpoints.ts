import type { BackendTls } from '../model/model.ts';
import { podDestination, serviceDestination } from './destination.ts';
import { type EndpointLocality, endpointSet, podEndpoint } from './endpoint-set.ts';
import type { MeshReader } from './mesh-reader.ts';
import { parseClusterName } from './resource-name.ts';

/** Endpoints of the cluster with this name, or null if there is no such cluster. Without endpoints it is empty. */
export function clusterEndpoints(reader: MeshReader, name: string, zone: string): EndpointLocality[] | null {
  const subject = parseClusterName(name);
  if (subject === null) return null;
  if (subject.kind === 'pod') {
    const pod = podDestination(reader, subject.workload, subject.port);
    return pod === null ? null : podEndpoint(pod.workload, pod.port);
  }
  const destination = serviceDestination(reader, subject.service, subject.port);
  return destination === null ? null : endpointSet(reader, destination.service, destination.port, zone);
}

/** What a policy says of TLS to the application behind the cluster; null if nothing. */
export function clusterTls(reader: MeshReader, name: string): BackendTls | null {
  const subject = parseClusterName(name);
  if (subject === null) return null;
  if (subject.kind === 'pod')
    return podDestination(reader, subject.workload, subject.port)?.backendTls ?? null;
  return serviceDestination(reader, subject.service, subject.port)?.port.backendTls ?? null;
}
