/** Everything that a client ends up with when it asks for some Listeners and follows their references. */
import { type Codec, resourceTypes, unpack } from '../../../api/xds/any.ts';
import { Cluster } from '../../../api/xds/gen/envoy/config/cluster/v3/cluster.ts';
import { ClusterLoadAssignment } from '../../../api/xds/gen/envoy/config/endpoint/v3/endpoint.ts';
import { Listener } from '../../../api/xds/gen/envoy/config/listener/v3/listener.ts';
import { RouteConfiguration } from '../../../api/xds/gen/envoy/config/route/v3/route.ts';
import { HttpConnectionManager } from '../../../api/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import { TcpProxy } from '../../../api/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.ts';
import type { Any } from '../../../api/xds/gen/google/protobuf/any.ts';
import type { Mesh } from '../../../control-plane/model/model.ts';
import type { Client } from '../../../control-plane/translate/client.ts';
import type { ResourceKind } from '../../../control-plane/translate/dialect.ts';
import { dialects } from '../../../control-plane/translate/dialects.ts';
import { EndpointFrames } from '../../../control-plane/translate/endpoint-frames.ts';
import { MeshIndex } from '../../../control-plane/translate/mesh-index.ts';
import { MeshReader } from '../../../control-plane/translate/mesh-reader.ts';

export interface Resources {
  readonly listeners: ReadonlyMap<string, Listener | null>;
  readonly routes: ReadonlyMap<string, RouteConfiguration | null>;
  readonly clusters: ReadonlyMap<string, Cluster | null>;
  readonly endpoints: ReadonlyMap<string, ClusterLoadAssignment | null>;
}

/** Encodes again what {@link resourcesOf} decoded. */
export function bytesOf<T>(codec: Codec<T>, message: T): Uint8Array {
  return codec.encode(message).finish();
}

/** `listeners`: names, or null for the wildcard. */
export function resourcesOf(mesh: Mesh, client: Client, listeners: readonly string[] | null): Resources {
  const index = new MeshIndex(mesh);
  const frames = new EndpointFrames(mesh.trustDomain);
  const writer = dialects[client.dialect];

  function read<T>(codec: Codec<T>, kind: ResourceKind, names: Iterable<string>): Map<string, T | null> {
    const found = new Map<string, T | null>();
    for (const name of new Set(names)) {
      const { bytes } = writer.write(new MeshReader(index), frames, kind, name, client);
      found.set(name, bytes === null ? null : codec.decode(bytes));
    }
    return found;
  }
  const wildcard = (kind: ResourceKind) => writer.names(new MeshReader(index), kind, client);

  const found = read(Listener, 'listener', listeners ?? wildcard('listener'));
  const references = [...found.values()].flatMap(listener =>
    listener === null ? [] : listenerReferences(listener),
  );
  const routes = read(RouteConfiguration, 'routes', namesOf(references, resourceTypes.routes));
  const clusters = read(Cluster, 'cluster', [
    ...namesOf(references, resourceTypes.cluster),
    ...[...routes.values()].flatMap(config => (config === null ? [] : clustersOf(config))),
    ...(listeners === null ? wildcard('cluster') : []),
  ]);
  return {
    listeners: found,
    routes,
    clusters,
    endpoints: read(ClusterLoadAssignment, 'endpoints', clusters.keys()),
  };
}

interface Reference {
  readonly type: string;
  readonly name: string;
}

function namesOf(references: readonly Reference[], type: string): string[] {
  return references.filter(reference => reference.type === type).map(({ name }) => name);
}

function listenerReferences(listener: Listener): Reference[] {
  const chains = [
    ...listener.filterChains,
    ...(listener.defaultFilterChain ? [listener.defaultFilterChain] : []),
  ];
  const filters = chains.flatMap(({ filters }) => filters.map(({ configType }) => configType?.value));
  return [listener.apiListener?.apiListener, ...filters].flatMap(any =>
    any === undefined ? [] : filterReferences(any),
  );
}

function filterReferences(any: Any): Reference[] {
  const unpacked = unpack(any);
  if (unpacked.kind !== 'message') throw new Error(unpacked.reason);
  if (unpacked.type === HttpConnectionManager.$type) {
    const { routeSpecifier } = unpacked.message;
    if (routeSpecifier?.$case !== 'rds') return [];
    return [{ type: resourceTypes.routes, name: routeSpecifier.value.routeConfigName }];
  }
  if (unpacked.type !== TcpProxy.$type) return [];
  const { clusterSpecifier } = unpacked.message;
  if (clusterSpecifier === undefined || clusterSpecifier.value === 'local') return [];
  const names =
    clusterSpecifier.$case === 'cluster'
      ? [clusterSpecifier.value]
      : clusterSpecifier.value.clusters.map(({ name }) => name).filter(name => name !== '');
  return names.map(name => ({ type: resourceTypes.cluster, name }));
}

/** Clusters that routes name; an invalid backend names none. */
export function clustersOf(config: RouteConfiguration): string[] {
  return config.virtualHosts.flatMap(({ routes }) =>
    routes.flatMap(({ action }) => {
      if (action?.$case !== 'route') return [];
      const { clusterSpecifier, requestMirrorPolicies } = action.value;
      const weighted = clusterSpecifier?.$case === 'weightedClusters' ? clusterSpecifier.value.clusters : [];
      return [
        ...weighted.map(({ name }) => name),
        ...requestMirrorPolicies.map(({ cluster }) => cluster),
      ].filter(name => name !== '');
    }),
  );
}
