import { podCluster, podRoutes, serviceCluster, serviceRoutes } from '../../api/xds/names.ts';
import { key } from '../model/model.ts';
import type { Destination } from './destination.ts';
import type { MeshReader } from './mesh-reader.ts';
import { consumerOf } from './route-set.ts';

/** Name of the RouteConfiguration for calls of the destination from a namespace. */
export function routesFor(reader: MeshReader, destination: Destination, namespace: string): string {
  if (destination.kind === 'pod') {
    return podRoutes(destination.workload.namespace, destination.workload.name, destination.port);
  }
  const { service, port } = destination;
  const routes = reader.routesOf(key(service.namespace, service.name));
  const consumer = consumerOf(destination, routes, namespace);
  return serviceRoutes(service.namespace, service.name, port.port, consumer);
}

/** Name of the Cluster of a destination. */
export function clusterFor(destination: Destination): string {
  return destination.kind === 'pod'
    ? podCluster(destination.workload.namespace, destination.workload.name, destination.port)
    : serviceCluster(destination.service.namespace, destination.service.name, destination.port.port);
}
