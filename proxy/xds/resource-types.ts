import { Cluster } from '../../api/xds/gen/envoy/config/cluster/v3/cluster.ts';
import { ClusterLoadAssignment } from '../../api/xds/gen/envoy/config/endpoint/v3/endpoint.ts';
import { Listener } from '../../api/xds/gen/envoy/config/listener/v3/listener.ts';
import { RouteConfiguration } from '../../api/xds/gen/envoy/config/route/v3/route.ts';
import type { ClusterConfig, EndpointsConfig } from '../cluster/cluster-config.ts';
import type { RoutesConfig } from '../route/route-config.ts';
import { decodeCluster, decodeEndpoints } from './decode/clusters.ts';
import type { Decoder } from './decode/decoded.ts';
import { decodeListener, type ListenerConfig } from './decode/listeners.ts';
import { decodeRoutes } from './decode/routes.ts';

/** A type that the sidecar asks for. */
export interface ResourceType<T> {
  /** For metrics and logs. */
  readonly kind: string;
  readonly typeUrl: string;
  readonly decode: Decoder<T>;
}

const type = <T>(kind: string, name: string, decode: Decoder<T>): ResourceType<T> => ({
  kind,
  typeUrl: `type.googleapis.com/${name}`,
  decode,
});

export const listenerType = type<ListenerConfig>('listener', Listener.$type, decodeListener);
export const routesType = type<RoutesConfig>('routes', RouteConfiguration.$type, decodeRoutes);
export const clusterType = type<ClusterConfig>('cluster', Cluster.$type, decodeCluster);
export const endpointsType = type<EndpointsConfig>('endpoints', ClusterLoadAssignment.$type, decodeEndpoints);
