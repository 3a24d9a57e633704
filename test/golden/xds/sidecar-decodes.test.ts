/** The border between the planes: whatever the control plane writes for a sidecar, the sidecar's decoders take. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Codec } from '../../../api/xds/any.ts';
import { Cluster } from '../../../api/xds/gen/envoy/config/cluster/v3/cluster.ts';
import { ClusterLoadAssignment } from '../../../api/xds/gen/envoy/config/endpoint/v3/endpoint.ts';
import { Listener } from '../../../api/xds/gen/envoy/config/listener/v3/listener.ts';
import { RouteConfiguration } from '../../../api/xds/gen/envoy/config/route/v3/route.ts';
import { meshOfManifests } from '../../../control-plane/sources/mesh-of-manifests.ts';
import type { Decoded } from '../../../proxy/xds/decode/decoded.ts';
import {
  clusterType,
  endpointsType,
  listenerType,
  type ResourceType,
  routesType,
} from '../../../proxy/xds/resource-types.ts';
import { bytesOf, type Resources, resourcesOf } from './resources.ts';

const folder = join(import.meta.dirname, 'cases');

function resourcesFor(name: string): Resources {
  const read = (file: string): string => readFileSync(join(folder, name, file), 'utf8');
  const ask = parse(read('ask.yaml')) as { namespace?: string; zone?: string; sidecar?: string[] };
  const { mesh } = meshOfManifests({ 'manifests.yaml': read('manifests.yaml') });
  const { namespace = 'default', zone = '' } = ask;
  const outbound = { address: '127.0.0.1', port: 1 };
  return resourcesOf(mesh, { dialect: 'sidecar', namespace, zone, tls: null, outbound }, ask.sidecar ?? []);
}

function decodeAll<T, M>(
  type: ResourceType<T>,
  codec: Codec<M>,
  resources: ReadonlyMap<string, M | null>,
): T[] {
  return [...resources].flatMap(([name, message]) => {
    if (message === null) return [];
    const decoded: Decoded<T> = type.decode(bytesOf(codec, message), name, 'v1');
    if (decoded.kind === 'rejected') throw new Error(`${name}: ${decoded.reasons.join('; ')}`);
    return [decoded.value];
  });
}

describe.each(readdirSync(folder))('a sidecar takes all of %s', name => {
  const { listeners, routes, clusters, endpoints } = resourcesFor(name);

  it('and every reference of what it decoded is there', () => {
    const decoded = decodeAll(listenerType, Listener, listeners);
    const tables = decodeAll(routesType, RouteConfiguration, routes);
    const upstreams = new Set(decodeAll(clusterType, Cluster, clusters).map(({ name }) => name));
    const assigned = decodeAll(endpointsType, ClusterLoadAssignment, endpoints).map(({ name }) => name);
    expect(new Set(assigned)).toEqual(upstreams);
    for (const listener of decoded) {
      if (listener.direction === 'inbound') continue;
      if (listener.cluster !== '') expect(upstreams).toContain(listener.cluster);
      for (const { cluster } of (listener.connections ?? []).flatMap(({ backends }) => backends))
        if (cluster !== '') expect(upstreams).toContain(cluster);
      if (listener.routes !== '') expect(tables.map(({ name }) => name)).toContain(listener.routes);
    }
    for (const { action } of tables.flatMap(({ routes }) => routes)) {
      if (action.kind !== 'forward') continue;
      for (const { cluster } of [...action.backends, ...action.mirrors]) {
        if (cluster !== '') expect(upstreams).toContain(cluster);
      }
    }
  });
});

describe('what a sidecar decodes', () => {
  it('is what the manifests of http-route say', () => {
    const [table] = decodeAll(routesType, RouteConfiguration, resourcesFor('http-route').routes);
    const byOrigin = (origin: string) => table.routes.filter(route => route.origin.endsWith(origin));
    expect(table.routes[0].origin).toBe('HTTPRoute/default/older/0');
    expect(byOrigin('everything/10')[0].action).toMatchObject({
      timeoutMs: 10_000,
      retry: {
        attempts: 3,
        statuses: [500, 503],
        perTryTimeoutMs: 2500,
        backoff: { baseMs: 100, maxMs: 1000 },
        anyMethod: false,
      },
    });
    expect(byOrigin('everything/11')[0].action).toMatchObject({
      retry: { attempts: 0, perTryTimeoutMs: 1000 },
    });
    expect(byOrigin('everything/9')[0].action).toMatchObject({ backends: [{ cluster: '', weight: 1 }] });
    expect(byOrigin('everything/5')[0].action).toMatchObject({
      pathRewrite: { kind: 'full', value: '/one' },
      mirrors: [{ cluster: 'service/default/echo-v2:8080', fraction: 0.25 }],
    });
    expect(byOrigin('everything/6')[0].action).toMatchObject({
      kind: 'redirect',
      status: 301,
      host: 'example.org',
      path: { kind: 'prefix', matched: '/redirect', value: '/moved' },
    });
    expect(table.routes.at(-1)?.action).toMatchObject({ backends: [{ weight: 90 }, { weight: 10 }] });
  });

  it('has the zones, priorities and identities of endpoints', () => {
    const [close] = decodeAll(endpointsType, ClusterLoadAssignment, resourcesFor('prefer-close').endpoints);
    expect(close.endpoints.map(({ zone, priority }) => `${zone} ${priority}`)).toEqual([
      'zone-b 0',
      'zone-b 0',
      'zone-a 1',
      'zone-a 1',
    ]);
    const [meshed] = decodeAll(endpointsType, ClusterLoadAssignment, resourcesFor('no-routes').endpoints);
    expect(meshed.endpoints.map(({ identity }) => identity)).toEqual([
      'spiffe://cluster.local/ns/default/sa/echo',
      'spiffe://cluster.local/ns/default/sa/echo',
      '',
    ]);
  });
});
