import { durationOf } from '../../../api/xds/duration.ts';
import type { RouteConfiguration } from '../../../api/xds/gen/envoy/config/route/v3/route.ts';
import type {
  RetryPolicy,
  Route,
  RouteAction,
  RouteMatch,
} from '../../../api/xds/gen/envoy/config/route/v3/route_components.ts';
import type { DeepPartial } from '../../../api/xds/gen/google/protobuf/any.ts';
import { key } from '../../model/model.ts';
import type { MeshReader } from '../mesh-reader.ts';
import type { Expressed } from '../omission.ts';
import { type Forward, type ResolvedRoute, weighted } from '../resolved-route.ts';
import { parseRouteName } from '../resource-name.ts';
import { routesByName } from '../routes-by-name.ts';
import { authority, serviceNames } from '../service-names.ts';
import { headerMatcher, retryBackOff } from '../wire.ts';
import { invalidBackend } from './cluster.ts';
import { omittedOfRoute, takesCalls } from './not-expressed.ts';
import { retryConditions } from './retry-conditions.ts';

/** RouteConfiguration without what gRPC refuses or would read differently than it is meant. */
export function routes(reader: MeshReader, name: string): Expressed<RouteConfiguration> {
  const resolved = routesByName(reader, name);
  if (resolved === null) return { message: null, omitted: [] };
  const domains = domainsOf(reader, name);
  return {
    message: { name, virtualHosts: [{ name, domains, routes: resolved.flatMap(writeRoute) }] },
    omitted: resolved.flatMap(omittedOfRoute),
  };
}

/** gRPC looks for the target with its port. `*` is for bootstraps that make Listener names by a template. */
function domainsOf(reader: MeshReader, name: string): string[] {
  const subject = parseRouteName(name);
  if (subject?.kind !== 'service') return ['*'];
  const [namespace, service] = subject.service.split('/');
  const found = reader.service(key(namespace, service));
  if (found === undefined) return ['*'];
  const hosts = serviceNames(found, reader.settings.clusterDomain, '');
  return [...hosts.map(host => authority(host, subject.port)), '*'];
}

/** Clients would take a route on query parameters for a match of everything. */
function writeRoute(route: ResolvedRoute): DeepPartial<Route>[] {
  const { match, action } = route;
  if (!takesCalls(route)) return [];
  const headers = match.headers.map(headerMatcher);
  const value = action.kind === 'forward' ? writeForward(route, action) : nowhere;
  return writePaths(match.path).map(pathSpecifier => ({
    match: { pathSpecifier, headers },
    action: { $case: 'route', value },
  }));
}

/** In place of a redirect, which clients refuse or pass over: no other route may get its calls. */
const nowhere: DeepPartial<RouteAction> = {
  clusterSpecifier: {
    $case: 'weightedClusters',
    value: { clusters: [{ name: invalidBackend, weight: 1 }] },
  },
};

type PathSpecifier = NonNullable<DeepPartial<RouteMatch>['pathSpecifier']>;

/** `path_separated_prefix` is refused: a prefix by elements is the path itself, and what begins with it and a slash. */
function writePaths({ kind, value }: ResolvedRoute['match']['path']): PathSpecifier[] {
  if (kind === 'exact') return [{ $case: 'path', value }];
  if (kind === 'regex') return [{ $case: 'safeRegex', value: { regex: value } }];
  if (value === '/') return [{ $case: 'prefix', value: '/' }];
  return [
    { $case: 'path', value },
    { $case: 'prefix', value: `${value}/` },
  ];
}

/** Header edits, rewrites and mirrors are ignored by gRPC and left out. */
function writeForward(route: ResolvedRoute, action: Forward): DeepPartial<RouteAction> {
  const retry = writeRetry(route);
  return {
    clusterSpecifier: {
      $case: 'weightedClusters',
      value: {
        clusters: weighted(action).map(({ cluster, weight }) => ({
          name: cluster === '' ? invalidBackend : cluster,
          weight,
        })),
      },
    },
    ...(route.timeoutMs === 0
      ? {}
      : { maxStreamDuration: { maxStreamDuration: durationOf(route.timeoutMs) } }),
    ...(retry === null ? {} : { retryPolicy: retry }),
  };
}

/** Without a status that gRPC can retry, or without attempts, there is no policy: an empty one is refused. */
function writeRetry({ retry }: ResolvedRoute): DeepPartial<RetryPolicy> | null {
  if (retry === null || retry.attempts < 1) return null;
  const conditions = retryConditions(retry);
  if (conditions.size === 0) return null;
  return {
    retryOn: [...conditions].join(','),
    numRetries: retry.attempts,
    retryBackOff: retryBackOff(retry.backoffMs),
  };
}
