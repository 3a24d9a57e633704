/**
 * What the control plane and the sidecar make of random routes and requests together (objects, model, xDS bytes,
 * decoding, decision), against a reference of the specification. `ROUTE_CASES` lengthens it, `ROUTE_SEED` repeats it.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Codec } from '../../api/xds/any.ts';
import { Listener } from '../../api/xds/gen/envoy/config/listener/v3/listener.ts';
import { RouteConfiguration } from '../../api/xds/gen/envoy/config/route/v3/route.ts';
import { outboundListener } from '../../api/xds/names.ts';
import type { Mesh } from '../../control-plane/model/model.ts';
import { meshOfManifests } from '../../control-plane/sources/mesh-of-manifests.ts';
import { clusterOf } from '../../proxy/cluster/cluster.fixture.ts';
import {
  type ConnectionTable,
  compileConnections,
  matchServerName,
} from '../../proxy/route/connection-table.ts';
import { matchRoute } from '../../proxy/route/match-route.ts';
import { pickBackend } from '../../proxy/route/pick-backend.ts';
import { prepareRequest } from '../../proxy/route/prepare-request.ts';
import { redirectLocation } from '../../proxy/route/redirect.ts';
import { request as requestHead } from '../../proxy/route/route.fixture.ts';
import { compileRoutes, type RouteTable } from '../../proxy/route/route-table.ts';
import { listenerType, type ResourceType, routesType } from '../../proxy/xds/resource-types.ts';
import { bytesOf, resourcesOf } from '../golden/xds/resources.ts';
import { type Decision, decideByReference, decideConnection, forwarded } from './reference.ts';
import {
  anyRoutes,
  type Request,
  type RouteObject,
  requests,
  routes,
  serverNames,
  services,
} from './route-objects.ts';

const cases = Number(process.env.ROUTE_CASES ?? 300);
const seed = Number(process.env.ROUTE_SEED ?? Math.floor(Math.random() * 2 ** 31));

function meshOf(objects: readonly RouteObject[]): Mesh {
  const text = [...services, ...objects].map(object => JSON.stringify(object)).join('\n---\n');
  return meshOfManifests({ 'objects.yaml': text }).mesh;
}

/** What a sidecar of `namespace` has for a port of Service shop/web: routes of requests, or of connections. */
function tablesOf(
  mesh: Mesh,
  namespace: string,
  port: number,
): { routes: RouteTable | null; connections: ConnectionTable | null } {
  const outbound = { address: '127.0.0.1', port: 1 };
  const client = { dialect: 'sidecar' as const, namespace, zone: '', tls: null, outbound };
  const resources = resourcesOf(mesh, client, [outboundListener('10.0.0.1', port)]);
  const live = (cluster: string) =>
    (resources.clusters.get(cluster) ?? null) === null ? null : clusterOf(0, { name: cluster });
  const decode = <T, M>(type: ResourceType<T>, codec: Codec<M>, found: ReadonlyMap<string, M | null>): T[] =>
    [...found].map(([name, message]) => {
      const decoded = type.decode(bytesOf(codec, message as M), name, '1');
      if (decoded.kind === 'rejected') throw new Error(decoded.reasons.join('; '));
      return decoded.value;
    });
  const [listener] = decode(listenerType, Listener, resources.listeners);
  const [routes] = decode(routesType, RouteConfiguration, resources.routes);
  const connections = listener.direction === 'outbound' ? listener.connections : null;
  return {
    routes: routes === undefined ? null : compileRoutes(routes, live),
    connections: connections && compileConnections(connections, live),
  };
}

function connect(table: ConnectionTable, serverName: string | null): Decision {
  // A table with names is one of TLSRoutes, which take nothing else.
  const byName = table.exact.size + table.suffixes.size > 0;
  const route = byName ? (serverName === null ? null : matchServerName(table, serverName)) : table.any;
  if (route === null) return { refused: 1 };
  const total = route.backends.reduce((sum, { weight }) => sum + weight, 0);
  const shares: Record<string, number> = {};
  for (let i = 0; i < total; i++) {
    const backend = pickBackend(route, (i + 0.5) / total);
    const outcome = backend === null ? 'refused' : backend.name.replace('service/shop/', '');
    shares[outcome] = (shares[outcome] ?? 0) + 1 / total;
  }
  return shares;
}

function decide(table: RouteTable, port: number, request: Request): Decision {
  const head = () =>
    requestHead(request.path, {
      method: request.method,
      authority: 'web',
      fields: request.headers.flatMap(([name, value]) => [name, value]),
    });
  const route = matchRoute(table, head());
  if (route === null) return { 404: 1 };
  if (route.kind === 'redirect')
    return { [`${route.redirect.status} ${redirectLocation(route.redirect, head(), port)}`]: 1 };
  if (route.kind === 'direct') throw new Error('no route of Gateway API is direct');
  const total = route.backends.reduce((sum, { weight }) => sum + weight, 0);
  const shares: Record<string, number> = {};
  for (let i = 0; i < total; i++) {
    const backend = pickBackend(route, (i + 0.5) / total);
    let outcome = '500';
    if (backend !== null) {
      const sent = head();
      prepareRequest(sent, route, backend);
      const fields = [];
      for (let f = 0; f < sent.fields.length; f += 2)
        fields.push([sent.fields[f], sent.fields[f + 1]] as const);
      const name = backend.name.replace('service/shop/', '');
      outcome = forwarded(request, name, sent.authority, sent.path, fields);
    }
    shares[outcome] = (shares[outcome] ?? 0) + 1 / total;
  }
  return shares;
}

/** Shares to a precision at which the order of additions does not show. */
function rounded(decision: Decision): Record<string, string> {
  return Object.fromEntries(Object.entries(decision).map(([outcome, share]) => [outcome, share.toFixed(6)]));
}

test(`a request meets what the specification says (ROUTE_SEED=${seed}, ${cases} cases)`, () => {
  fc.assert(
    fc.property(
      routes,
      fc.constantFrom('shop', 'client', 'other'),
      fc.constantFrom(80, 81),
      fc.array(requests, { minLength: 1, maxLength: 8 }),
      (objects, client, port, sent) => {
        const table = tablesOf(meshOf(objects), client, port).routes as RouteTable;
        for (const request of sent) {
          const specified = decideByReference(objects, client, port, request);
          if (specified !== null) expect(rounded(decide(table, port, request))).toEqual(rounded(specified));
        }
      },
    ),
    { numRuns: cases, seed },
  );
}, 600_000);

test(`a connection meets what the specification says (ROUTE_SEED=${seed}, ${cases} cases)`, () => {
  let looked = 0;
  fc.assert(
    fc.property(
      anyRoutes,
      fc.constantFrom('shop', 'client', 'other'),
      fc.constantFrom(80, 81),
      fc.array(serverNames, { minLength: 1, maxLength: 8 }),
      (objects, client, port, names) => {
        const { routes, connections } = tablesOf(meshOf(objects), client, port);
        for (const name of names) {
          const specified = decideConnection(objects, client, port, name);
          expect([routes === null, connections === null]).toEqual([specified !== null, specified === null]);
          if (specified === null || connections === null) continue;
          looked++;
          expect(rounded(connect(connections, name))).toEqual(rounded(specified));
        }
      },
    ),
    { numRuns: cases, seed },
  );
  // Most routes are for connections.
  if (cases >= 100) expect(looked).toBeGreaterThan(cases / 2);
}, 600_000);
