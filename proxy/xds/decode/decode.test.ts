import { expect, test } from 'vitest';
import { pack } from '../../../api/xds/any.ts';
import { durationOf } from '../../../api/xds/duration.ts';
import { Cluster } from '../../../api/xds/gen/envoy/config/cluster/v3/cluster.ts';
import { ClusterLoadAssignment } from '../../../api/xds/gen/envoy/config/endpoint/v3/endpoint.ts';
import { Listener } from '../../../api/xds/gen/envoy/config/listener/v3/listener.ts';
import type { FilterChain } from '../../../api/xds/gen/envoy/config/listener/v3/listener_components.ts';
import { RouteConfiguration } from '../../../api/xds/gen/envoy/config/route/v3/route.ts';
import type { Route } from '../../../api/xds/gen/envoy/config/route/v3/route_components.ts';
import { CorsPolicy } from '../../../api/xds/gen/envoy/extensions/filters/http/cors/v3/cors.ts';
import { TcpProxy } from '../../../api/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.ts';
import type { DeepPartial } from '../../../api/xds/gen/google/protobuf/any.ts';
import { corsFilterName } from '../../../api/xds/names.ts';
import { decodeCluster, decodeEndpoints } from './clusters.ts';
import type { Decoded } from './decoded.ts';
import { decodeListener } from './listeners.ts';
import { decodeRoutes } from './routes.ts';

const tulle = (fields: Record<string, unknown>) => ({ filterMetadata: { 'tulle.dev': fields } });

function value<T>(decoded: Decoded<T>): T {
  if (decoded.kind === 'rejected') throw new Error(decoded.reasons.join('\n'));
  return decoded.value;
}

function reasons(decoded: Decoded<unknown>): readonly string[] {
  return decoded.kind === 'rejected' ? decoded.reasons : [];
}

const routes = (...list: DeepPartial<Route>[]) => {
  const message: DeepPartial<RouteConfiguration> = {
    name: 'r',
    virtualHosts: [{ name: 'all', domains: ['*'], routes: list }],
  };
  return decodeRoutes(RouteConfiguration.encode(RouteConfiguration.fromPartial(message)).finish(), 'r', '1');
};

const to = (cluster: string): NonNullable<DeepPartial<Route>['action']> => ({
  $case: 'route',
  value: { clusterSpecifier: { $case: 'cluster', value: cluster } },
});
const anyPath: DeepPartial<Route>['match'] = { pathSpecifier: { $case: 'prefix', value: '/' } };

const corsPolicy = (policy: DeepPartial<CorsPolicy>) => ({ [corsFilterName]: pack(CorsPolicy, policy) });

test('a session is in the metadata of a route or of a cluster', () => {
  const session = {
    session_kind: 'cookie',
    session_name: 's',
    session_path: '/a',
    session_timeout_ms: '1500',
    session_permanent: 'true',
    session_key: 'k',
  };
  const metadata = tulle(session);
  const expected = { kind: 'cookie', name: 's', path: '/a', timeoutMs: 1500, permanent: true, key: 'k' };
  expect(value(routes({ match: anyPath, action: to('c'), metadata })).routes[0].session).toEqual(expected);
  const wrong = tulle({ ...session, session_kind: 'query', session_timeout_ms: '-1' });
  expect(reasons(routes({ match: anyPath, action: to('c'), metadata: wrong }))).toEqual([
    'routes[0].metadata["tulle.dev"].session_kind is "query"; use one of cookie, header',
    'routes[0].metadata["tulle.dev"].session_timeout_ms is "-1"; use digits',
  ]);
});

test('a route has the CORS policy of its filter', () => {
  const typedPerFilterConfig = corsPolicy({
    allowOriginStringMatch: [
      { matchPattern: { $case: 'exact', value: 'https://a.com' } },
      { matchPattern: { $case: 'safeRegex', value: { regex: 'https://[^/:]+' } } },
    ],
    allowMethods: 'GET, PUT',
    allowHeaders: '*',
    exposeHeaders: 'x-a',
    maxAge: '7',
    allowCredentials: true,
  });
  const { routes: decoded } = value(routes({ match: anyPath, action: to('c'), typedPerFilterConfig }));
  expect(decoded[0].cors).toEqual({
    origins: [
      { kind: 'exact', value: 'https://a.com' },
      { kind: 'regex', value: 'https://[^/:]+' },
    ],
    methods: 'GET, PUT',
    headers: '*',
    exposeHeaders: 'x-a',
    credentials: true,
    maxAge: '7',
  });
});

test('a route has all that the data path needs of it', () => {
  const { routes: decoded } = value(
    routes({
      match: {
        pathSpecifier: { $case: 'pathSeparatedPrefix', value: '/a' },
        headers: [
          {
            name: ':method',
            headerMatchSpecifier: {
              $case: 'stringMatch',
              value: { matchPattern: { $case: 'exact', value: 'GET' } },
            },
          },
          {
            name: 'X-Canary',
            headerMatchSpecifier: {
              $case: 'stringMatch',
              value: { matchPattern: { $case: 'safeRegex', value: { regex: 'a+' } } },
            },
          },
          { name: 'x-gone', headerMatchSpecifier: { $case: 'presentMatch', value: false } },
          { name: 'x-not', headerMatchSpecifier: { $case: 'presentMatch', value: true }, invertMatch: true },
        ],
        queryParameters: [
          {
            name: 'q',
            queryParameterMatchSpecifier: {
              $case: 'stringMatch',
              value: { matchPattern: { $case: 'exact', value: '1' } },
            },
          },
        ],
      },
      action: {
        $case: 'route',
        value: {
          clusterSpecifier: {
            $case: 'weightedClusters',
            value: {
              clusters: [
                { name: 'one', weight: 90, requestHeadersToRemove: ['X-Secret'] },
                { name: '', weight: 10 },
              ],
            },
          },
          prefixRewrite: '/b',
          hostRewriteSpecifier: { $case: 'hostRewriteLiteral', value: 'h' },
          timeout: durationOf(1500),
          retryPolicy: {
            retryOn: 'connect-failure,reset,unavailable,retriable-status-codes',
            numRetries: 2,
            retriableStatusCodes: [503],
            perTryTimeout: durationOf(500),
            retryBackOff: { baseInterval: durationOf(10), maxInterval: durationOf(100) },
          },
          requestMirrorPolicies: [
            {
              cluster: 'm',
              runtimeFraction: { defaultValue: { numerator: 250_000, denominator: 'MILLION' } },
            },
          ],
        },
      },
      metadata: tulle({ origin: 'HTTPRoute/shop/r/0', retry_any_method: 'true' }),
      requestHeadersToAdd: [
        { header: { key: 'X-Add', value: 'a' }, appendAction: 'APPEND_IF_EXISTS_OR_ADD' },
        { header: { key: 'X-Set', value: 's' }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' },
      ],
    }),
  );
  expect(decoded).toEqual([
    {
      match: {
        path: { kind: 'path-prefix', value: '/a' },
        method: 'GET',
        headers: [
          { name: 'x-canary', match: { kind: 'regex', value: 'a+' }, invert: false },
          { name: 'x-gone', match: { kind: 'present' }, invert: true },
          { name: 'x-not', match: { kind: 'present' }, invert: true },
        ],
        query: [{ name: 'q', match: { kind: 'exact', value: '1' }, invert: false }],
      },
      action: {
        kind: 'forward',
        backends: [
          {
            cluster: 'one',
            weight: 90,
            requestFields: { set: [], add: [], remove: ['x-secret'] },
            responseFields: null,
          },
          { cluster: '', weight: 10, requestFields: null, responseFields: null },
        ],
        pathRewrite: { kind: 'prefix', matched: '/a', value: '/b' },
        hostRewrite: 'h',
        timeoutMs: 1500,
        retry: {
          attempts: 2,
          statuses: [503],
          grpcStatuses: [14],
          onReset: true,
          perTryTimeoutMs: 500,
          anyMethod: true,
          backoff: { baseMs: 10, maxMs: 100 },
        },
        mirrors: [{ cluster: 'm', fraction: 0.25 }],
      },
      requestFields: { set: [['x-set', 's']], add: [['x-add', 'a']], remove: [] },
      responseFields: null,
      cors: null,
      session: null,
      origin: 'HTTPRoute/shop/r/0',
    },
  ]);
});

test('redirects, direct answers and whole-path rewrites', () => {
  const { routes: decoded } = value(
    routes(
      {
        match: { pathSpecifier: { $case: 'path', value: '/old' } },
        action: {
          $case: 'redirect',
          value: {
            hostRedirect: 'h.example',
            portRedirect: 8443,
            responseCode: 'PERMANENT_REDIRECT',
            schemeRewriteSpecifier: { $case: 'schemeRedirect', value: 'https' },
            pathRewriteSpecifier: { $case: 'pathRedirect', value: '/new' },
          },
        },
      },
      {
        match: { pathSpecifier: { $case: 'prefix', value: '/raw' } },
        action: {
          $case: 'directResponse',
          value: { status: 403, body: { specifier: { $case: 'inlineString', value: 'no' } } },
        },
      },
      {
        match: anyPath,
        action: {
          $case: 'route',
          value: {
            clusterSpecifier: { $case: 'cluster', value: 'c' },
            regexRewrite: { pattern: { regex: '^.*$' }, substitution: '/a\\\\1' },
          },
        },
      },
    ),
  );
  expect(decoded.map(({ action }) => action)).toMatchObject([
    {
      kind: 'redirect',
      status: 308,
      scheme: 'https',
      host: 'h.example',
      port: 8443,
      path: { kind: 'full', value: '/new' },
    },
    { kind: 'direct', status: 403, body: 'no' },
    { kind: 'forward', pathRewrite: { kind: 'full', value: '/a\\1' }, timeoutMs: 15_000, retry: null },
  ]);
  expect(decoded.map(({ match }) => match.path.kind)).toEqual(['exact', 'prefix', 'any']);
});

test.each<[string, DeepPartial<Route>, RegExp]>([
  ['no path', { match: {}, action: to('c') }, /routes\[0\]\.match\.path_specifier is missing; use path/],
  ['no action', { match: anyPath }, /routes\[0\]\.action is missing; use route, redirect or direct_response/],
  [
    'a cluster from a header',
    {
      match: anyPath,
      action: { $case: 'route', value: { clusterSpecifier: { $case: 'clusterHeader', value: 'x' } } },
    },
    /cluster_specifier is "clusterHeader"/,
  ],
  [
    'cookies',
    { match: { ...anyPath, cookies: [{ name: 'a' }] }, action: to('c') },
    /match\.cookies is "set"; this sidecar does not support it/,
  ],
  [
    'two methods',
    { match: { ...anyPath, headers: [{ name: ':method' }, { name: ':method' }] }, action: to('c') },
    /headers\[":method"\].*use one exact method/,
  ],
  [
    'a bad regular expression',
    { match: { pathSpecifier: { $case: 'safeRegex', value: { regex: '(?<=a)b' } } }, action: to('c') },
    /use RE2 syntax/,
  ],
  [
    'a header without a match',
    { match: { ...anyPath, headers: [{ name: 'a' }] }, action: to('c') },
    /header_match_specifier is missing/,
  ],
  [
    'an unknown retry condition',
    {
      match: anyPath,
      action: {
        $case: 'route',
        value: { clusterSpecifier: { $case: 'cluster', value: 'c' }, retryPolicy: { retryOn: '5xx' } },
      },
    },
    /retry_on is "5xx"; use cancelled/,
  ],
  [
    'a negative timeout',
    {
      match: anyPath,
      action: {
        $case: 'route',
        value: { clusterSpecifier: { $case: 'cluster', value: 'c' }, timeout: { seconds: -1, nanos: 0 } },
      },
    },
    /timeout is "-1s"; use 0s to/,
  ],
  [
    'a hash policy',
    {
      match: anyPath,
      action: {
        $case: 'route',
        value: { clusterSpecifier: { $case: 'cluster', value: 'c' }, hashPolicy: [{ terminal: true }] },
      },
    },
    /hash_policy is "set"/,
  ],
  [
    'a prefix rewrite without a prefix',
    {
      match: { pathSpecifier: { $case: 'path', value: '/x' } },
      action: {
        $case: 'route',
        value: { clusterSpecifier: { $case: 'cluster', value: 'c' }, prefixRewrite: '/y' },
      },
    },
    /prefix_rewrite is "\/y"; it needs a match by/,
  ],
  [
    'a filter',
    { match: anyPath, action: to('c'), typedPerFilterConfig: { f: { typeUrl: 'x' } } },
    /typed_per_filter_config\["f"\] is "set"; this sidecar knows envoy.filters.http.cors only/,
  ],
  [
    'a CORS policy of another type',
    { match: anyPath, action: to('c'), typedPerFilterConfig: { [corsFilterName]: { typeUrl: 'x' } } },
    /cors"\]\.type_url is "x"; use type\.googleapis\.com\/envoy\.extensions\.filters\.http\.cors\.v3\.CorsPolicy/,
  ],
  [
    'an origin that is no regular expression',
    {
      match: anyPath,
      action: to('c'),
      typedPerFilterConfig: corsPolicy({
        allowOriginStringMatch: [{ matchPattern: { $case: 'safeRegex', value: { regex: '(' } } }],
      }),
    },
    /allowed origin has the regular expression "\("/,
  ],
  [
    'an odd field name',
    { match: anyPath, action: to('c'), requestHeadersToRemove: ['a b'] },
    /"a b" is not a lower-case field name/,
  ],
  [
    'metadata that is no text',
    { match: anyPath, action: to('c'), metadata: tulle({ origin: 5 }) },
    /metadata\["tulle\.dev"\]\.origin is 5; use a string/,
  ],
])('a route with %s is rejected', (_what, route, reason) => {
  expect(reasons(routes(route)).join('\n')).toMatch(reason);
});

test('several virtual hosts are rejected', () => {
  const bytes = RouteConfiguration.encode(
    RouteConfiguration.fromPartial({ name: 'r', virtualHosts: [{ domains: ['a'] }] }),
  ).finish();
  expect(reasons(decodeRoutes(bytes, 'r', '1'))).toEqual([
    'virtual_hosts is [["a"]]; use exactly one, with domains ["*"]',
  ]);
});

test('an opaque destination names its cluster', () => {
  const proxy = pack(TcpProxy, { clusterSpecifier: { $case: 'cluster', value: 'service/shop/db:5432' } });
  const message: DeepPartial<Listener> = {
    name: 'outbound/10.0.0.1:5432',
    defaultFilterChain: { filters: [{ configType: { $case: 'typedConfig', value: proxy } }] },
    metadata: tulle({ protocol: 'opaque', service_name: 'db' }),
  };
  const bytes = Listener.encode(Listener.fromPartial(message)).finish();
  expect(value(decodeListener(bytes, 'outbound/10.0.0.1:5432', '4'))).toMatchObject({
    direction: 'outbound',
    version: '4',
    protocol: 'opaque',
    routes: '',
    cluster: 'service/shop/db:5432',
    service: { name: 'db', host: '' },
  });
});

const split = (weights: readonly (readonly [string, number])[]): DeepPartial<FilterChain> => {
  const clusters = weights.map(([name, weight]) => ({ name, weight }));
  const proxy = pack(TcpProxy, { clusterSpecifier: { $case: 'weightedClusters', value: { clusters } } });
  return {
    filters: [{ configType: { $case: 'typedConfig', value: proxy } }],
    metadata: tulle({ origin: 'r' }),
  };
};

const outbound = (fields: DeepPartial<Listener>): Decoded<unknown> => {
  const name = 'outbound/10.0.0.1:443';
  const bytes = Listener.encode(Listener.fromPartial({ name, ...fields })).finish();
  return decodeListener(bytes, name, '1');
};

test('connections are divided by a chain without a match, or by server names', () => {
  const weights = [
    ['a', 3],
    ['', 1],
  ] as const;
  const backends = weights.map(([cluster, weight]) => ({ cluster, weight }));
  const metadata = tulle({ protocol: 'opaque' });
  expect(value(outbound({ metadata, defaultFilterChain: split(weights) }))).toMatchObject({
    protocol: 'opaque',
    cluster: '',
    connections: [{ serverNames: [], backends, origin: 'r' }],
  });
  const filterChains = [['a.test', '*.b.test'], []].map(serverNames => ({
    ...split(weights),
    filterChainMatch: { transportProtocol: 'tls', serverNames },
  }));
  expect(value(outbound({ metadata: tulle({ protocol: 'tls' }), filterChains }))).toMatchObject({
    protocol: 'tls',
    connections: [
      { serverNames: ['a.test', '*.b.test'], backends, origin: 'r' },
      { serverNames: [], backends, origin: 'r' },
    ],
  });
  expect(value(outbound({ metadata: tulle({ protocol: 'tls' }) }))).toMatchObject({ connections: [] });
});

test('a division of connections that is wrong is refused', () => {
  const wrong = outbound({
    metadata: tulle({ protocol: 'tls' }),
    filterChains: [split([['a', 0]]), { filterChainMatch: { transportProtocol: 'tls' } }],
    defaultFilterChain: split([['a', 1]]),
  });
  const proxy = 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';
  expect(reasons(wrong)).toEqual([
    'default_filter_chain is "set"; protocol tls has none: what no chain matches is refused',
    'filter_chains[0].filter_chain_match.transport_protocol is missing; use "tls"',
    'filter_chains[0].filters[0].typed_config.weighted_clusters is [{"cluster":"a","weight":0}]; give one of them a weight',
    `filter_chains[1].filters[0].typed_config.type_url is missing; use ${proxy}`,
  ]);
});

test('a pod is served only as it is said: without a mode there is none', () => {
  const chain = { filterChainMatch: { destinationPort: 80 }, metadata: tulle({ protocol: 'http' }) };
  const twice: DeepPartial<Listener> = {
    name: 'inbound/shop/web-1',
    filterChains: [chain, { ...chain, metadata: tulle({ protocol: 'http', mtls: 'strict' }) }],
  };
  const bytes = Listener.encode(Listener.fromPartial(twice)).finish();
  expect(reasons(decodeListener(bytes, 'inbound/shop/web-1', '1'))).toEqual([
    'filter_chains[0].metadata["tulle.dev"].mtls is ""; use one of permissive, strict',
    'filter_chains[1].filter_chain_match.destination_port is 80; each port may stand only once',
    'default_filter_chain is missing; say how ports are served that no Service declares',
    'default_filter_chain.metadata["tulle.dev"].protocol is ""; use one of http, http2, grpc, opaque, detect',
    'default_filter_chain.metadata["tulle.dev"].mtls is ""; use one of permissive, strict',
  ]);
});

test('a cluster has the defaults of the design where it says nothing', () => {
  const message: DeepPartial<Cluster> = { name: 'c', clusterDiscoveryType: { $case: 'type', value: 'EDS' } };
  expect(value(decodeCluster(Cluster.encode(Cluster.fromPartial(message)).finish(), 'c', '1'))).toEqual({
    name: 'c',
    version: '1',
    service: { host: '', name: '', namespace: '' },
    protocol: 'auto',
    connectTimeoutMs: 1000,
    balancing: 'peak-ewma',
    outlier: {
      consecutiveFailures: 0,
      baseEjectionMs: 30_000,
      maxEjectionMs: 300_000,
      maxEjectedFraction: 0.5,
    },
    retryBudget: { fraction: 0.2, min: 3, rate: null },
    maxConnections: 0,
    maxRequests: 0,
    session: null,
    backendTls: null,
  });
});

test('endpoints: the unhealthy are left out, a meshed one needs its identity', () => {
  const at = (
    address: string,
    healthStatus: 'HEALTHY' | 'UNHEALTHY',
    fields: Record<string, string> = {},
  ) => ({
    hostIdentifier: {
      $case: 'endpoint' as const,
      value: {
        address: {
          address: {
            $case: 'socketAddress' as const,
            value: { address, portSpecifier: { $case: 'portValue' as const, value: 80 } },
          },
        },
      },
    },
    healthStatus,
    metadata: tulle(fields),
  });
  const decode = (...lbEndpoints: ReturnType<typeof at>[]) => {
    const message = { clusterName: 'c', endpoints: [{ locality: { zone: 'z' }, priority: 1, lbEndpoints }] };
    return decodeEndpoints(
      ClusterLoadAssignment.encode(ClusterLoadAssignment.fromPartial(message)).finish(),
      'c',
      '1',
    );
  };
  const identity = 'spiffe://cluster.local/ns/shop/sa/web';
  const decoded = value(
    decode(
      at('10.0.0.1', 'HEALTHY', { tls: 'mesh', identity, workload: 'web' }),
      at('10.0.0.2', 'UNHEALTHY'),
    ),
  );
  expect(decoded.endpoints).toMatchObject([
    {
      address: '10.0.0.1',
      port: 80,
      meshed: true,
      identity,
      weight: 1,
      priority: 1,
      zone: 'z',
      labels: { workload: 'web' },
    },
  ]);
  expect(reasons(decode(at('10.0.0.1', 'HEALTHY', { tls: 'mesh', identity: 'spiffe://x' })))).toEqual([
    'endpoints[0].lb_endpoints[0].metadata.identity is "spiffe://x"; an endpoint with tls "mesh" needs its SPIFFE ID',
  ]);
});

test('long values are cut in reasons', () => {
  const bytes = Cluster.encode(Cluster.fromPartial({ name: 'x'.repeat(500) })).finish();
  expect(reasons(decodeCluster(bytes, 'c', '1'))[0].length).toBeLessThan(300);
});
