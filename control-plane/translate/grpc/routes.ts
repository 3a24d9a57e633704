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
import { type Forward, type ResolvedRoute, weighted } from '../resolved-route.ts';
import { parseRouteName } from '../resource-name.ts';
import { routesByName } from '../routes-by-name.ts';
import { authority, serviceNames } from '../service-names.ts';
import { headerMatcher, retryBackOff } from '../wire.ts';
import { invalidBackend } from './cluster.ts';

/** HTTP statuses that a gRPC client reports as UNAVAILABLE (gRPC, "HTTP to gRPC Status Code Mapping"). */
const unavailable: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** RouteConfiguration without what gRPC refuses or would read differently than it is meant. */
export function routes(reader: MeshReader, name: string): DeepPartial<RouteConfiguration> | null {
  const resolved = routesByName(reader, name);
  if (resolved === null) return null;
  return {
    name,
    virtualHosts: [{ name, domains: domainsOf(reader, name), routes: resolved.flatMap(writeRoute) }],
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

/**
 * Routes on query parameters and redirects have no meaning for gRPC (and clients would take the first for a match of
 * everything). Every call is a POST, so a method either always matches or never.
 */
function writeRoute(route: ResolvedRoute): DeepPartial<Route>[] {
  const { match, action } = route;
  if (action.kind !== 'forward' || match.query.length > 0) return [];
  if (match.method !== '' && match.method !== 'POST') return [];
  const headers = match.headers.map(headerMatcher);
  return writePaths(match.path).map(pathSpecifier => ({
    match: { pathSpecifier, headers },
    action: { $case: 'route', value: writeForward(route, action) },
  }));
}

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
  const conditions = new Set(retry.grpcStatuses);
  if (retry.anyMethod && retry.statuses.some(status => unavailable.has(status)))
    conditions.add('unavailable');
  if (conditions.size === 0) return null;
  return {
    retryOn: [...conditions].join(','),
    numRetries: retry.attempts,
    retryBackOff: retryBackOff(retry.backoffMs),
  };
}
