import { podCluster } from '../../api/xds/names.ts';
import { key } from '../model/model.ts';
import { podDestination, serviceDestination } from './destination.ts';
import type { MeshReader } from './mesh-reader.ts';
import type { ResolvedRoute } from './resolved-route.ts';
import { parseRouteName } from './resource-name.ts';
import { implicitRouteTo, routeSetOf } from './route-set.ts';

/**
 * Routes behind the name of a RouteConfiguration (docs/xds.md), or null if there are none: a port whose connections are not
 * looked into has none, and a namespace without routes of its own uses the producer's, under the producer's name.
 */
export function routesByName(reader: MeshReader, name: string): readonly ResolvedRoute[] | null {
  const subject = parseRouteName(name);
  if (subject === null) return null;
  if (subject.kind === 'pod') {
    const pod = podDestination(reader, subject.workload, subject.port);
    if (pod === null || pod.protocol === 'opaque') return null;
    return [implicitRouteTo(podCluster(pod.workload.namespace, pod.workload.name, pod.port))];
  }
  const destination = serviceDestination(reader, subject.service, subject.port);
  if (destination === null || destination.port.protocol === 'opaque') return null;
  const attached = reader.routesOf(key(destination.service.namespace, destination.service.name));
  const set = routeSetOf(destination, attached, subject.consumer);
  if ('connections' in set) return null;
  return subject.consumer !== null && set.kind === 'implicit' ? null : set.routes;
}
