import { expect, test } from 'vitest';
import type { Mesh, Route, RouteRule } from '../../model/model.ts';
import { meshOfManifests } from '../mesh-of-manifests.ts';

const services = ['web', 'v1', 'v2']
  .map(
    name => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop}
spec: {clusterIP: 10.0.0.1, ports: [{port: 80, name: http}, {port: 81, protocol: UDP}]}
---`,
  )
  .join('');

/** A mesh with three Services and the object, and what is wrong with the object. */
function convert(manifest: string): { mesh: Mesh; problems: string[] } {
  const { mesh, problems } = meshOfManifests({ 'services.yaml': services, 'x.yaml': manifest });
  return { mesh, problems: problems.flatMap(({ problems }) => problems) };
}

function httpRoute(
  rules: string,
  parents = '[{group: "", kind: Service, name: web}]',
): {
  route: Route;
  problems: string[];
} {
  const { mesh, problems } = convert(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: shop, creationTimestamp: "2026-01-01T00:00:00Z", generation: 3}
spec:
  parentRefs: ${parents}
  rules: ${rules}`);
  return { route: mesh.routes.get('HTTPRoute/shop/r') as Route, problems };
}

/** The backends of a rule as `service:port weight`, or what is wrong. */
function backends(rule: RouteRule | undefined): string[] {
  if (rule?.action.kind !== 'forward') return [];
  return rule.action.backends.map(({ service, problem, weight }) =>
    service === null
      ? `500 ${weight}: ${problem}`
      : `${service.namespace}/${service.name}:${service.port} ${weight}`,
  );
}

test('a Service with all that the mesh reads', () => {
  const { mesh, problems } = convert(`
apiVersion: v1
kind: Service
metadata: {name: s, namespace: shop, uid: u1, annotations: {tulle.dev/opaque-ports: 7000-7001}}
spec:
  clusterIPs: [10.0.0.9, fd00::9]
  clusterIP: 10.0.0.9
  externalIPs: [192.0.2.1]
  trafficDistribution: PreferClose
  ports:
    - {port: 80, targetPort: web, name: http-x}
    - {port: 90, targetPort: 9090, appProtocol: grpc}
    - {port: 53, protocol: UDP}
    - {port: 7001}
    - {port: 3306}
    - {port: 91}
status: {loadBalancer: {ingress: [{ip: 203.0.113.1}]}}`);
  expect(problems).toEqual([]);
  expect(mesh.services.get('shop/s')).toEqual({
    namespace: 'shop',
    name: 's',
    uid: 'u1',
    kind: 'cluster-ip',
    addresses: ['10.0.0.9', 'fd00::9', '192.0.2.1', '203.0.113.1'],
    preferClose: true,
    clientAffinity: false,
    externalName: '',
    policy: null,
    ports: [
      { port: 80, name: 'http-x', targetPort: 'web', protocol: 'http' },
      { port: 90, name: '', targetPort: 9090, protocol: 'grpc' },
      { port: 7001, name: '', targetPort: 7001, protocol: 'opaque' },
      { port: 3306, name: '', targetPort: 3306, protocol: 'opaque' },
      { port: 91, name: '', targetPort: 91, protocol: 'detect' },
    ].map(port => ({ ...port, clientTls: false, backendTls: null })),
  });
});

test('a Service with a port that cannot be read is not half in force', () => {
  const { mesh, problems } = convert(`
apiVersion: v1
kind: Service
metadata: {name: s, namespace: shop}
spec: {ports: [{port: 80}, {port: 80000}, {port: 81, targetPort: Not_A_Name}, {name: x}]}`);
  expect(mesh.services.has('shop/s')).toBe(false);
  expect(problems).toEqual([
    'spec.ports[1].port is 80000; use an integer from 1 to 65535 (it is not in force)',
    'spec.ports[2].targetPort is "Not_A_Name"; use a port from 1 to 65535 or the name of a container port (it is not in force)',
    'spec.ports[3].port is "missing"; use an integer from 1 to 65535 (it is not in force)',
  ]);
});

test('a pod has the names of its owner, its labels and what its namespace says', () => {
  const { mesh, problems } = convert(`
apiVersion: v1
kind: Namespace
metadata: {name: shop, annotations: {tulle.dev/mtls: strict, tulle.dev/opaque-ports: "25"}}
---
apiVersion: v1
kind: Pod
metadata:
  name: web-5d9-x
  namespace: shop
  labels: {app: web, version: v2, pod-template-hash: 5d9, tulle.dev/injected: "true"}
  ownerReferences: [{kind: ReplicaSet, name: web-5d9, controller: true}]
spec:
  serviceAccountName: sa
  nodeName: n1
  containers: [{name: app, ports: [{name: http, containerPort: 8080}]}]
status: {podIP: 10.1.0.1, podIPs: [{ip: 10.1.0.1}, {ip: "fd00::1"}]}
---
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {topology.kubernetes.io/zone: z1}}`);
  expect(problems).toEqual([]);
  expect(mesh.workloads.get('shop/web-5d9-x')).toEqual({
    namespace: 'shop',
    name: 'web-5d9-x',
    uid: 'Pod/shop/web-5d9-x',
    addresses: ['10.1.0.1', 'fd00::1'],
    serviceAccount: 'sa',
    meshed: true,
    owner: 'web',
    app: 'web',
    version: 'v2',
    canonicalService: 'web',
    canonicalRevision: 'v2',
    node: 'n1',
    zone: 'z1',
    opaquePorts: [25],
    mtls: 'strict',
    namedPorts: new Map([['http', 8080]]),
    services: [],
  });
});

test('a pod is meshed by the mark or by the container, and its own annotations win', () => {
  const { mesh, problems } = convert(`
apiVersion: v1
kind: Namespace
metadata: {name: shop, annotations: {tulle.dev/mtls: strict}}
---
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: shop, annotations: {tulle.dev/injected: "true", tulle.dev/mtls: permissive}}
---
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: shop, labels: {app.kubernetes.io/name: n, app.kubernetes.io/version: "7"}}
spec: {initContainers: [{name: tulle-sidecar}], hostNetwork: true}
status: {podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: c, namespace: shop, annotations: {tulle.dev/mtls: maybe}}
---
apiVersion: v1
kind: Pod
metadata: {name: over, namespace: shop}
status: {podIP: 10.0.0.1, phase: Succeeded}`);
  const pods = ['a', 'b', 'c'].map(name => mesh.workloads.get(`shop/${name}`));
  expect(
    pods.map(pod => [pod?.meshed, pod?.mtls, pod?.addresses, pod?.canonicalService, pod?.canonicalRevision]),
  ).toEqual([
    [true, 'permissive', [], 'a', 'latest'],
    [true, 'strict', [], 'n', '7'],
    [false, 'strict', [], 'c', 'latest'],
  ]);
  expect(mesh.workloads.has('shop/over')).toBe(false);
  expect(problems).toEqual(['annotation tulle.dev/mtls is "maybe"; use permissive or strict']);
});

test('slices are joined: unready, terminating and duplicate endpoints, named ports, two families', () => {
  const slice = (name: string, family: string, port: number, endpoints: string) => `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: ${family}
ports: [{name: http, port: ${port}}, {name: dns, port: 53, protocol: UDP}]
endpoints: [${endpoints}]
---`;
  const { mesh, problems } = convert(
    [
      slice(
        'a',
        'IPv4',
        8080,
        '{addresses: [10.1.0.2], zone: z1, targetRef: {kind: Pod, name: p2}}, {addresses: [10.1.0.1], conditions: {ready: false}}, {addresses: [10.1.0.3], conditions: {ready: true, terminating: true}}, {addresses: [web.local]}',
      ),
      slice('b', 'IPv4', 8080, '{addresses: [10.1.0.1]}'),
      slice('c', 'IPv4', 9090, '{addresses: [10.1.0.4]}'),
      slice('d', 'IPv6', 8080, '{addresses: ["fd00::1"]}'),
    ].join(''),
  );
  expect(problems).toEqual(['endpoints[3].addresses[0] is "web.local"; use an IP address']);
  const none = { pod: '', zone: '' };
  expect(mesh.endpoints.get('shop/web')).toEqual({
    service: 'shop/web',
    ports: [
      {
        name: 'http',
        port: 8080,
        endpoints: [
          { address: '10.1.0.1', ready: true, ...none },
          { address: '10.1.0.2', ready: true, pod: 'shop/p2', zone: 'z1' },
          { address: '10.1.0.3', ready: false, ...none },
        ],
      },
      { name: 'http', port: 9090, endpoints: [{ address: '10.1.0.4', ready: true, ...none }] },
    ],
  });
});

test.each([
  [
    'HTTPRoute',
    '{retry-methods: any, retry-grpc-statuses: "unavailable,internal"}',
    { onReset: true, anyMethod: true },
  ],
  [
    'HTTPRoute',
    '{retry-grpc-statuses: internal, retry-attempts: "3"}',
    { attempts: 3, onReset: false, anyMethod: false },
  ],
  ['GRPCRoute', '{retry-grpc-statuses: unavailable}', { attempts: 1, onReset: true, anyMethod: true }],
  ['GRPCRoute', '{retry-methods: idempotent}', null],
])('the annotations of a %s %s say what its rules retry', (kind, annotations, expected) => {
  const { mesh, problems } = convert(`
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: {name: r, namespace: shop, annotations: ${annotations.replaceAll('retry-', 'tulle.dev/retry-')}}
spec: {parentRefs: [{group: "", kind: Service, name: web}], rules: [{backendRefs: [{name: v1, port: 80}]}]}`);
  expect(problems).toEqual([]);
  const retry = mesh.routes.get(`${kind}/shop/r`)?.rules[0].retry;
  if (expected === null) expect(retry).toBe(null);
  else expect(retry).toMatchObject({ statuses: [], backoffMs: 0, ...expected });
});

test('an annotation of a route that is wrong is reported, and no field of a GRPCRoute is more than its schema has', () => {
  const { mesh, problems } = convert(`
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: r, namespace: shop, annotations: {tulle.dev/retry-grpc-statuses: unknown, tulle.dev/other: x}}
spec:
  parentRefs: [{group: "", kind: Service, name: web}]
  rules: [{timeouts: {request: 1s}, retry: {attempts: 2}, backendRefs: [{name: v1, port: 80}]}]`);
  expect(problems).toEqual([
    'annotation tulle.dev/retry-grpc-statuses is "unknown"; use some of cancelled, deadline-exceeded, internal, resource-exhausted, unavailable, separated by commas',
    'annotation tulle.dev/other is unknown and has no effect',
    'spec.rules[0].timeouts is no field of a GRPCRoute; use an HTTPRoute for it',
    'spec.rules[0].retry is no field of a GRPCRoute; use an HTTPRoute for it',
  ]);
  expect(mesh.routes.get('GRPCRoute/shop/r')?.rules[0]).toMatchObject({ timeoutMs: 0, retry: null });
});

test('a CORS policy is as browsers write origins, and has its defaults', () => {
  const { route, problems } = httpRoute(`
    - filters: [{type: CORS, cors: {allowOrigins: ["https://*.Foo.com:443", "http://a:8080"], allowHeaders: [X-A], exposeHeaders: ["*", x-b], allowCredentials: true}}]
    - filters: [{type: CORS, cors: {}}]`);
  expect(problems).toEqual([
    'spec.rules[0].filters[0].cors.exposeHeaders is "*"; name the headers: with allowCredentials it exposes none',
  ]);
  expect(route.faults.map(({ reason }) => reason)).toEqual(['NotApplied']);
  expect(route.rules.map(({ cors }) => cors)).toEqual([
    {
      allowOrigins: ['https://*.foo.com', 'http://a:8080'],
      allowMethods: [],
      allowHeaders: ['x-a'],
      exposeHeaders: ['x-b'],
      allowCredentials: true,
      maxAgeS: 5,
    },
    {
      allowOrigins: [],
      allowMethods: [],
      allowHeaders: [],
      exposeHeaders: [],
      allowCredentials: false,
      maxAgeS: 5,
    },
  ]);
});

test('an HTTPRoute with everything in its place', () => {
  const { route, problems } = httpRoute(`
  - name: canary
    matches:
      - path: {type: Exact, value: /a}
        method: GET
        headers: [{name: X-A, value: "1"}, {name: x-a, value: "2"}, {name: X-B, type: RegularExpression, value: "b.*"}]
        queryParams: [{name: q, value: z}]
      - path: {type: RegularExpression, value: "/r/[0-9]+"}
      - path: {value: /p/}
    filters:
      - type: RequestHeaderModifier
        requestHeaderModifier: {set: [{name: X-S, value: s}], add: [{name: X-D, value: d}], remove: [X-R]}
      - type: URLRewrite
        urlRewrite: {hostname: other.example, path: {type: ReplaceFullPath, replaceFullPath: /full}}
      - type: RequestMirror
        requestMirror: {backendRef: {name: v1, port: 80}, fraction: {numerator: 1, denominator: 8}}
      - type: RequestMirror
        requestMirror: {backendRef: {name: v2, port: 80}, percent: 20}
    backendRefs:
      - {name: v1, port: 80, weight: 90}
      - name: v2
        port: 80
        weight: 10
        filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: V, value: "2"}]}}]
    timeouts: {request: 1m1s500ms, backendRequest: 2s}
    retry: {attempts: 3, codes: [500, 503], backoff: 50ms}`);
  expect(problems).toEqual([]);
  const plain = { problem: '', requestFields: null, responseFields: null, policy: null };
  const to = (name: string) => ({ namespace: 'shop', name, port: 80 });
  expect(route).toEqual({
    kind: 'HTTPRoute',
    hostnames: null,
    namespace: 'shop',
    name: 'r',
    uid: 'HTTPRoute/shop/r',
    generation: 3,
    created: 1_767_225_600,
    parents: [{ namespace: 'shop', name: 'web', port: 0, sectionName: '' }],
    problems: [],
    faults: [],
    rules: [
      {
        name: 'canary',
        matches: [
          {
            path: { kind: 'exact', value: '/a' },
            method: 'GET',
            headers: [
              { name: 'x-a', match: { kind: 'exact', value: '1' } },
              { name: 'x-b', match: { kind: 'regex', value: 'b.*' } },
            ],
            query: [{ name: 'q', match: { kind: 'exact', value: 'z' } }],
          },
          { path: { kind: 'regex', value: '/r/[0-9]+' }, method: '', headers: [], query: [] },
          { path: { kind: 'prefix', value: '/p' }, method: '', headers: [], query: [] },
        ],
        action: {
          kind: 'forward',
          backends: [
            { ...plain, service: to('v1'), weight: 90 },
            {
              ...plain,
              service: to('v2'),
              weight: 10,
              responseFields: { set: [{ name: 'v', value: '2' }], add: [], remove: [] },
            },
          ],
          pathRewrite: { kind: 'full', value: '/full' },
          hostRewrite: 'other.example',
          mirrors: [
            { backend: { ...plain, service: to('v1'), weight: 1 }, fraction: 0.125 },
            { backend: { ...plain, service: to('v2'), weight: 1 }, fraction: 0.2 },
          ],
        },
        requestFields: {
          set: [{ name: 'x-s', value: 's' }],
          add: [{ name: 'x-d', value: 'd' }],
          remove: ['x-r'],
        },
        responseFields: null,
        timeoutMs: 61_500,
        backendTimeoutMs: 2000,
        cors: null,
        session: null,
        retry: {
          attempts: 3,
          statuses: [500, 503],
          grpcStatuses: [],
          onReset: true,
          backoffMs: 50,
          anyMethod: false,
        },
      },
    ],
  });
});

test('a redirect with its defaults', () => {
  const { route, problems } = httpRoute(`
  - filters: [{type: RequestRedirect, requestRedirect: {}}]
  - matches: [{path: {value: /x}}]
    filters: [{type: RequestRedirect, requestRedirect: {scheme: https, hostname: a.b, port: 8443, statusCode: 308, path: {type: ReplacePrefixMatch, replacePrefixMatch: ""}}}]`);
  expect(problems).toEqual([]);
  expect(route.rules.map(rule => rule.action)).toEqual([
    { kind: 'redirect', status: 302, scheme: '', host: '', port: 0, path: null },
    {
      kind: 'redirect',
      status: 308,
      scheme: 'https',
      host: 'a.b',
      port: 8443,
      path: { kind: 'prefix', value: '/' },
    },
  ]);
});

test.each([
  [
    'a regular expression that RE2 does not know takes its match away, not the rule',
    '[{matches: [{path: {type: RegularExpression, value: "(?=x)"}}, {path: {value: /ok}}], backendRefs: [{name: v1, port: 80}]}]',
    [
      'spec.rules[0].matches[0].path.value is "(?=x)"; use a regular expression in RE2 syntax (error parsing regexp: invalid or unsupported Perl syntax: `(?=`)',
    ],
    [['shop/v1:80 1']],
  ],
  [
    'a rule whose only match is wrong takes no request, and the numbers of the others stay',
    '[{matches: [{method: FETCH}], backendRefs: [{name: v1, port: 80}]}, {backendRefs: [{name: gone, port: 80}]}]',
    [
      'spec.rules[0].matches[0].method is "FETCH"; use one of GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH',
      'spec.rules[0] takes no request, as none of its matches is valid; correct them',
      'spec.rules[1].backendRefs[0] refers to Service shop/gone, which does not exist; create it or correct the name',
    ],
    [['500 1: refers to Service shop/gone, which does not exist; create it or correct the name']],
  ],
  [
    'a header match that is wrong does not make the match wider',
    '[{matches: [{headers: [{name: "a b", value: x}]}], backendRefs: [{name: v1, port: 80}]}]',
    [
      'spec.rules[0].matches[0].headers[0].name is "a b"; use the name of a header',
      'spec.rules[0] takes no request, as none of its matches is valid; correct them',
    ],
    [],
  ],
  [
    'an unknown filter answers 500 and is not skipped',
    '[{filters: [{type: ExtensionRef, extensionRef: {group: x.io, kind: Filter, name: f}}], backendRefs: [{name: v1, port: 80}]}]',
    [
      'spec.rules[0].filters[0].type is "ExtensionRef"; use one of RequestHeaderModifier, ResponseHeaderModifier, RequestRedirect, URLRewrite, RequestMirror, CORS',
    ],
    [
      [
        '500 1: spec.rules[0].filters[0].type is "ExtensionRef"; use one of RequestHeaderModifier, ResponseHeaderModifier, RequestRedirect, URLRewrite, RequestMirror, CORS',
      ],
    ],
  ],
  [
    'a filter on what belongs to the connection answers 500, as a sidecar would refuse it',
    '[{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: Transfer-Encoding, value: x}]}}], backendRefs: [{name: v1, port: 80}]}, {filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [Host]}}], backendRefs: [{name: v1, port: 80}]}]',
    [
      'spec.rules[0].filters[0].requestHeaderModifier.set[0].name is "Transfer-Encoding"; leave it to the connection, which it belongs to',
      'spec.rules[1].filters[0].requestHeaderModifier.remove[0] is "Host"; set it, or use URLRewrite: a request has a Host',
    ],
    [
      [
        '500 1: spec.rules[0].filters[0].requestHeaderModifier.set[0].name is "Transfer-Encoding"; leave it to the connection, which it belongs to',
      ],
      [
        '500 1: spec.rules[1].filters[0].requestHeaderModifier.remove[0] is "Host"; set it, or use URLRewrite: a request has a Host',
      ],
    ],
  ],
  [
    'a path with a query matches nothing, as a sidecar would refuse it',
    '[{matches: [{path: {value: "/a?b"}}], backendRefs: [{name: v1, port: 80}]}]',
    [
      'spec.rules[0].matches[0].path.value is "/a?b"; use a path that starts with / and has no //, /./, /../, %2f, # or ?',
      'spec.rules[0] takes no request, as none of its matches is valid; correct them',
    ],
    [],
  ],
  [
    'an unknown filter of a backend breaks that backend only',
    '[{backendRefs: [{name: v1, port: 80, filters: [{type: URLRewrite, urlRewrite: {}}]}, {name: v2, port: 80, weight: 3}]}]',
    [
      'spec.rules[0].backendRefs[0].filters[0].type is "URLRewrite"; use one of RequestHeaderModifier, ResponseHeaderModifier',
    ],
    [
      [
        '500 1: spec.rules[0].backendRefs[0].filters[0].type is "URLRewrite"; use one of RequestHeaderModifier, ResponseHeaderModifier',
        'shop/v2:80 3',
      ],
    ],
  ],
  [
    'backends of another kind, without a port, of another port, of a bad weight keep their share',
    '[{backendRefs: [{kind: Bucket, name: b, weight: 2}, {name: v1, weight: 3}, {name: v1, port: 81, weight: 4}, {name: v1, port: 80, weight: -1}, {group: x.io, kind: Service, name: v1, port: 80}, 7]}]',
    [
      'spec.rules[0].backendRefs[0].kind is "Bucket"; use Service: nothing else can be a backend',
      'spec.rules[0].backendRefs[1].port is missing; give the port of the Service',
      'spec.rules[0].backendRefs[3].weight is -1; use an integer from 0 to 1000000',
      'spec.rules[0].backendRefs[4].group is "x.io"; use "": only Services can be backends',
      'spec.rules[0].backendRefs[5] is 7; use a map',
      'spec.rules[0].backendRefs[2] refers to port 81, which Service shop/v1 does not have; use one of 80',
    ],
    [
      [
        '500 2: spec.rules[0].backendRefs[0].kind is "Bucket"; use Service: nothing else can be a backend',
        '500 3: spec.rules[0].backendRefs[1].port is missing; give the port of the Service',
        '500 4: refers to port 81, which Service shop/v1 does not have; use one of 80',
        '500 1: spec.rules[0].backendRefs[3].weight is -1; use an integer from 0 to 1000000',
        '500 1: spec.rules[0].backendRefs[4].group is "x.io"; use "": only Services can be backends',
        '500 1: spec.rules[0].backendRefs[5] is 7; use a map',
      ],
    ],
  ],
  [
    'a mirror that goes nowhere does not fail the requests',
    '[{filters: [{type: RequestMirror, requestMirror: {backendRef: {name: gone, port: 80}}}, {type: RequestMirror, requestMirror: {backendRef: {name: v1}}}], backendRefs: [{name: v1, port: 80}]}]',
    [
      'spec.rules[0].filters[1].requestMirror.backendRef.port is missing; give the port of the Service',
      'spec.rules[0].filters RequestMirror backendRef refers to Service shop/gone, which does not exist; create it or correct the name',
    ],
    [['shop/v1:80 1']],
  ],
  [
    'durations and retries that are wrong are left out and reported',
    '[{timeouts: {request: 1.5s, backendRequest: 10}, retry: {attempts: 0}, backendRefs: [{name: v1, port: 80}]}, {timeouts: {request: 1s, backendRequest: 2s}, retry: {codes: [200, 500]}, backendRefs: [{name: v1, port: 80}]}]',
    [
      'spec.rules[0].timeouts.request is "1.5s"; use a duration such as 500ms, 10s or 1m30s',
      'spec.rules[0].timeouts.backendRequest is 10; use a duration such as 500ms, 10s or 1m30s',
      'spec.rules[0].retry.attempts is 0; use an integer from 1 to 2147483647',
      'spec.rules[1].timeouts.backendRequest is "2s"; use at most timeouts.request, 1s',
      'spec.rules[1].retry.codes[0] is 200; use an integer from 400 to 599',
    ],
    [['shop/v1:80 1'], ['shop/v1:80 1']],
  ],
  [
    'a CORS policy that cannot be read answers 500',
    '[{filters: [{type: CORS, cors: {allowOrigins: [https://a.com/x, "https://*.b.com:70000"], allowMethods: ["*", GET], allowCredentials: 1, maxAge: 0}}], backendRefs: [{name: v1, port: 80}]}]',
    [
      'spec.rules[0].filters[0].cors.allowCredentials is 1; use true or false',
      'spec.rules[0].filters[0].cors.allowOrigins[0] is "https://a.com/x"; use an origin such as https://example.org, https://*.example.org or "*"',
      'spec.rules[0].filters[0].cors.allowOrigins[1] is "https://*.b.com:70000"; use an origin such as https://example.org, https://*.example.org or "*"',
      'spec.rules[0].filters[0].cors.allowMethods is ["*","GET"]; use "*" alone',
      'spec.rules[0].filters[0].cors.maxAge is 0; use an integer from 1 to 2147483647',
    ],
    [['500 1: spec.rules[0].filters[0].cors.allowCredentials is 1; use true or false']],
  ],
  [
    'a header modifier that cannot be applied answers 500',
    '[{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x, value: "a\\nb"}]}}], backendRefs: [{name: v1, port: 80}]}]',
    [
      'spec.rules[0].filters[0].requestHeaderModifier.set[0].value is "a\\nb"; use a value without control characters',
    ],
    [
      [
        '500 1: spec.rules[0].filters[0].requestHeaderModifier.set[0].value is "a\\nb"; use a value without control characters',
      ],
    ],
  ],
  [
    'a prefix cannot be replaced where none was matched',
    '[{matches: [{path: {type: Exact, value: /a}}], filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}}}], backendRefs: [{name: v1, port: 80}]}]',
    [
      'spec.rules[0].filters[0].urlRewrite.path.type is "ReplacePrefixMatch"; use ReplaceFullPath, or PathPrefix in every match of the rule',
    ],
    [
      [
        '500 1: spec.rules[0].filters[0].urlRewrite.path.type is "ReplacePrefixMatch"; use ReplaceFullPath, or PathPrefix in every match of the rule',
      ],
    ],
  ],
  ['no backend at all is no problem, and 500 for everything', '[{name: nothing}]', [], [[]]],
])('%s', (_, rules, problems, expected) => {
  const result = httpRoute(rules);
  expect(result.problems).toEqual(problems);
  expect(result.route.rules.map(backends)).toEqual(expected);
});

test.each([
  [
    'a parent that does not exist',
    '[{group: "", kind: Service, name: nowhere}]',
    'spec.parentRefs refers to Service shop/nowhere, which does not exist; create it or correct the name',
  ],
  [
    'a port that the parent does not have',
    '[{group: core, kind: Service, name: web, port: 8080, sectionName: x}]',
    'spec.parentRefs refers to port 8080 with sectionName "x" of Service shop/web, which does not have it; use one of 80 (http)',
  ],
  [
    'a Service in the group of Gateway API',
    '[{kind: Service, name: web}]',
    'spec.parentRefs[0].group is missing; use "" for a Service (it is not in force)',
  ],
])('%s is reported', (_, parents, problem) => {
  expect(httpRoute('[{backendRefs: [{name: v1, port: 80}]}]', parents).problems).toEqual([problem]);
});

test('routes of gateways are passed over in silence, those of both are attached to the Service', () => {
  const gateway = '{kind: Gateway, name: g}';
  expect(httpRoute('[]', `[${gateway}]`)).toEqual({ route: undefined, problems: [] });
  const both = httpRoute('[]', `[${gateway}, {group: core, kind: Service, name: web}]`);
  expect(both.problems).toEqual([]);
  expect(both.route.parents).toEqual([{ namespace: 'shop', name: 'web', port: 0, sectionName: '' }]);
});

test('a route without rules, hostnames and rules that are no list', () => {
  const { mesh, problems } = convert(`
apiVersion: gateway.networking.k8s.io/v1beta1
kind: HTTPRoute
metadata: {name: all, namespace: shop}
spec: {parentRefs: [{group: "", kind: Service, name: web}], hostnames: [a.example]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: broken, namespace: shop}
spec: {parentRefs: [{group: "", kind: Service, name: web}], rules: {}}`);
  expect(mesh.routes.get('HTTPRoute/shop/all')?.rules.map(rule => rule.matches[0].path)).toEqual([
    { kind: 'prefix', value: '/' },
  ]);
  expect(problems).toEqual([
    'spec.hostnames is ["a.example"]; match the Host header instead: routes of a Service apply to every host',
    'spec.rules is {}; use a list (it is not in force)',
  ]);
});

test('a GRPCRoute as paths', () => {
  const { mesh, problems } = convert(`
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: g, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: web, port: 80}]
  rules:
    - matches:
        - {method: {service: a.B, method: C}, headers: [{name: H, value: v}]}
        - {method: {service: a.B}}
        - {method: {method: C}}
        - {method: {type: RegularExpression, service: "a|b"}}
        - {}
      backendRefs: [{name: v1, port: 80}]
    - backendRefs: [{name: v1, port: 80}]
      filters: [{type: RequestRedirect, requestRedirect: {}}]
    - matches: [{method: {service: a/b}}]`);
  const [first, second] = mesh.routes.get('GRPCRoute/shop/g')?.rules ?? [];
  expect(first.matches.map(({ path, headers }) => [path.kind, path.value, headers.length])).toEqual([
    ['exact', '/a.B/C', 1],
    ['prefix', '/a.B', 0],
    ['regex', '/[^/]+/C', 0],
    ['regex', '/(?:a|b)/[^/]+', 0],
    ['prefix', '/', 0],
  ]);
  expect(second.matches).toHaveLength(1);
  expect(backends(second)).toEqual([
    '500 1: spec.rules[1].filters[0].type is "RequestRedirect"; use one of RequestHeaderModifier, ResponseHeaderModifier, RequestMirror',
  ]);
  expect(problems).toEqual([
    'spec.rules[1].filters[0].type is "RequestRedirect"; use one of RequestHeaderModifier, ResponseHeaderModifier, RequestMirror',
    'spec.rules[2].matches[0].method.service is "a/b"; use the name of a gRPC service',
    'spec.rules[2] takes no request, as none of its matches is valid; correct them',
  ]);
});

test.each([
  ['v1alpha1', '900m', '100m', [9, 1]],
  ['v1alpha1', '1', '0.5', [2, 1]],
  ['v1alpha2', '90', '10', [9, 1]],
  ['v1alpha4', '0', '0', [0, 0]],
])('a TrafficSplit %s with weights %s and %s, for each port of its Service', (version, a, b, weights) => {
  const { mesh, problems } = convert(`
apiVersion: split.smi-spec.io/${version}
kind: TrafficSplit
metadata: {name: t, namespace: shop}
spec: {service: web, backends: [{service: v1, weight: ${a}}, {service: gone, weight: ${b}}]}`);
  const missing = 'refers to Service shop/gone, which does not exist; create it or correct the name';
  const route = mesh.routes.get('TrafficSplit/shop/t:80');
  expect(route?.parents).toEqual([{ namespace: 'shop', name: 'web', port: 80, sectionName: '' }]);
  expect(backends(route?.rules[0])).toEqual([`shop/v1:80 ${weights[0]}`, `500 ${weights[1]}: ${missing}`]);
  expect(problems).toEqual([`spec.backends[1].service ${missing}`]);
});

/** A TCPRoute or TLSRoute on Service shop/web, and what is wrong with it. */
function connectionRoute(
  kind: 'TCPRoute' | 'TLSRoute',
  spec: string,
  version = 'v1',
): { route: Route; problems: string[] } {
  const { mesh, problems } = convert(`
apiVersion: gateway.networking.k8s.io/${version}
kind: ${kind}
metadata: {name: r, namespace: shop}
spec: {parentRefs: [{group: "", kind: Service, name: web}], ${spec}}`);
  return { route: mesh.routes.get(`${kind}/shop/r`) as Route, problems };
}

test.each([
  ['TCPRoute', 'v1'],
  ['TCPRoute', 'v1alpha2'],
  ['TLSRoute', 'v1'],
  ['TLSRoute', 'v1alpha2'],
  ['TLSRoute', 'v1alpha3'],
] as const)('a %s of %s: backends with weights, and what is wrong with them', (kind, version) => {
  const refs = `
    - {name: v1, port: 80, weight: 9}
    - {name: v2, port: 80}
    - {name: v2, port: 99}
    - {kind: Pod, name: v2, port: 80}
    - {name: away, namespace: other, port: 80, weight: 0}`;
  const { route, problems } = connectionRoute(
    kind,
    `hostnames: [a.test, "*.test"], rules: [{name: main, backendRefs: [${refs.replaceAll('\n    - ', ',').slice(1)}]}]`,
    version,
  );
  expect(route.hostnames).toEqual(kind === 'TLSRoute' ? ['a.test', '*.test'] : null);
  expect(route.rules.map(({ name }) => name)).toEqual(['main']);
  expect(backends(route.rules[0])).toEqual([
    'shop/v1:80 9',
    'shop/v2:80 1',
    '500 1: refers to port 99, which Service shop/v2 does not have; use one of 80',
    '500 1: spec.rules[0].backendRefs[3].kind is "Pod"; use Service: nothing else can be a backend',
    '500 0: refers to Service other/away, which does not exist; create it or correct the name',
  ]);
  expect(route.faults.map(({ reason }) => reason)).toEqual([
    'InvalidKind',
    'BackendNotFound',
    'BackendNotFound',
  ]);
  expect(problems).toHaveLength(3);
});

test('what a TCPRoute or TLSRoute has beside one rule with backends is told', () => {
  const several = connectionRoute(
    'TCPRoute',
    'rules: [{backendRefs: [{name: v1, port: 80, filters: [{type: CORS}]}]}, {backendRefs: [{name: v2, port: 80}]}]',
  );
  expect(backends(several.route.rules[0])).toEqual(['shop/v1:80 1']);
  expect(several.route.rules).toHaveLength(1);
  expect(several.problems).toEqual([
    'spec.rules has 2 rules, of which the first takes every connection; put all backends into it',
    'spec.rules[0].backendRefs[0].filters is no field of a TCPRoute; use an HTTPRoute for it',
  ]);
  expect(several.route.faults.map(({ reason }) => reason)).toEqual(['NotApplied', 'NotApplied']);
  const none = connectionRoute('TCPRoute', 'rules: []');
  expect(none.problems).toEqual(['spec.rules is []; give one rule with backendRefs']);
  expect(none.route.faults.map(({ reason, rule }) => [reason, rule])).toEqual([['UnsupportedValue', null]]);
});

test('a hostname that no ClientHello can have is left out; where none is left, no connection is taken', () => {
  const rules = 'rules: [{backendRefs: [{name: v1, port: 80}]}]';
  const remedy = 'use a DNS name in lower case, of which the first label may be *';
  const some = connectionRoute(
    'TLSRoute',
    `hostnames: [a.test, 10.0.0.1, "*", "a.*.test", "A.test", "a_b.test", 7, a.test], ${rules}`,
  );
  expect(some.route.hostnames).toEqual(['a.test']);
  expect(some.problems).toEqual(
    ['"10.0.0.1"', '"*"', '"a.*.test"', '"A.test"', '"a_b.test"', '7'].map(
      (name, index) => `spec.hostnames[${index + 1}] is ${name}; ${remedy}`,
    ),
  );
  expect(new Set(some.route.faults.map(({ reason }) => reason))).toEqual(new Set(['NotApplied']));
  const none = connectionRoute('TLSRoute', `hostnames: ["::1"], ${rules}`);
  expect(none.route.hostnames).toEqual([]);
  expect(none.route.faults.map(({ reason }) => reason)).toEqual(['UnsupportedValue']);
  expect(connectionRoute('TLSRoute', rules, 'v1alpha2').route.hostnames).toBe(null);
});

test('a TrafficSplit that is wrong is not in force', () => {
  const { mesh, problems } = convert(`
apiVersion: split.smi-spec.io/v1alpha2
kind: TrafficSplit
metadata: {name: t, namespace: shop}
spec: {backends: [{service: v1, weight: -1}], matches: [{kind: TCPRoute, name: g}]}
---
apiVersion: split.smi-spec.io/v1alpha2
kind: TrafficSplit
metadata: {name: u, namespace: shop}
spec: {service: nowhere, backends: [{service: v1, weight: 1}]}`);
  expect(mesh.routes.has('TrafficSplit/shop/t')).toBe(false);
  expect(mesh.routes.get('TrafficSplit/shop/u')?.parents).toEqual([]);
  expect(problems).toEqual([
    'spec.service is missing; use a string that is not empty (it is not in force)',
    'spec.matches[0].kind is "TCPRoute"; use HTTPRouteGroup (it is not in force)',
    'spec.backends[0].weight is -1; use an integer from 0 to 1000000, or a quantity such as 500m (it is not in force)',
    'spec.service refers to Service shop/nowhere, which does not exist; create it or correct the name',
  ]);
});

const groupOf = (version: string, matches: string) => `
---
apiVersion: specs.smi-spec.io/${version}
kind: HTTPRouteGroup
metadata: {name: g, namespace: shop}
spec: {matches: ${matches}}`;

test('a TrafficSplit with an HTTPRouteGroup splits what the group matches, and leaves the rest to its Service', () => {
  const matches =
    '[{name: beta, pathRegex: "/api/.*", methods: [GET, POST], headers: {User-Agent: ".*Firefox.*"}}, {name: any, methods: ["*"], headers: [{x-beta: "1"}]}]';
  const { mesh, problems } = convert(`
apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: t, namespace: shop}
spec:
  service: web
  matches: [{apiGroup: specs.smi-spec.io, kind: HTTPRouteGroup, name: g}]
  backends: [{service: v1, weight: 1}]${groupOf('v1alpha4', matches)}`);
  expect(problems).toEqual([]);
  const rules = mesh.routes.get('TrafficSplit/shop/t:80')?.rules ?? [];
  const userAgent = { name: 'user-agent', match: { kind: 'regex', value: '.*Firefox.*' } };
  const path = { kind: 'regex', value: '/api/.*' };
  const all = { path: { kind: 'prefix', value: '/' }, method: '', headers: [], query: [] };
  expect(rules.map(rule => rule.matches)).toEqual([
    [
      { path, method: 'GET', headers: [userAgent], query: [] },
      { path, method: 'POST', headers: [userAgent], query: [] },
      { ...all, headers: [{ name: 'x-beta', match: { kind: 'regex', value: '1' } }] },
    ],
    [all],
  ]);
  expect(rules.map(rule => backends(rule))).toEqual([['shop/v1:80 1'], ['shop/web:80 1']]);
});

test('what is wrong with an HTTPRouteGroup, or one that is missing, splits nothing', () => {
  const split = (name: string, service: string, group: string) => `
---
apiVersion: split.smi-spec.io/v1alpha3
kind: TrafficSplit
metadata: {name: ${name}, namespace: shop}
spec: {service: ${service}, matches: [{kind: HTTPRouteGroup, name: ${group}}], backends: [{service: v2, weight: 1}]}`;
  const matches = '[{name: a, pathRegex: "("}, {name: b, methods: [FETCH]}, {name: c, headers: {"a b": x}}]';
  const { mesh, problems } = convert(
    split('t', 'web', 'g') + split('u', 'v1', 'nowhere') + groupOf('v1alpha3', matches),
  );
  for (const id of ['TrafficSplit/shop/t:80', 'TrafficSplit/shop/u:80'])
    expect(mesh.routes.get(id)?.rules.length).toBe(1);
  expect(backends(mesh.routes.get('TrafficSplit/shop/t:80')?.rules[0])).toEqual(['shop/web:80 1']);
  expect(problems).toEqual([
    'spec.matches[0].pathRegex is "("; use a regular expression in RE2 syntax (error parsing regexp: missing closing ): `(`)',
    'spec.matches[1].methods[0] is "FETCH"; use one of GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH, *',
    'spec.matches[2].headers is "a b"; use the name of a header',
    'spec.matches[0] refers to HTTPRouteGroup shop/nowhere, which does not exist; create it or correct the name',
  ]);
});

function trafficPolicy(spec: string): { policy: Mesh['services']; problems: string[] } {
  const { mesh, problems } = convert(`
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackendTrafficPolicy
metadata: {name: p, namespace: shop, uid: u}
spec: {targetRefs: [{group: "", kind: Service, name: web}], ${spec}}`);
  return { policy: mesh.services, problems };
}

test.each([
  ['retryConstraint: {}', { percent: 20, intervalMs: 10_000, minCount: 10, minIntervalMs: 1000 }, null],
  [
    'retryConstraint: {budget: {percent: 0, interval: 1m}, minRetryRate: {count: 3, interval: 500ms}}',
    { percent: 0, intervalMs: 60_000, minCount: 3, minIntervalMs: 500 },
    null,
  ],
  [
    'sessionPersistence: {sessionName: s, absoluteTimeout: 1h, cookieConfig: {lifetimeType: Permanent}}',
    null,
    { kind: 'cookie', name: 's', timeoutMs: 3_600_000, permanent: true },
  ],
])('an XBackendTrafficPolicy with %s', (spec, budget, session) => {
  const { policy, problems } = trafficPolicy(spec);
  expect(problems).toEqual([]);
  expect(policy.get('shop/web')?.policy).toEqual({
    origin: 'XBackendTrafficPolicy/shop/p',
    uid: 'u',
    budget,
    session,
  });
});

test('nothing of an XBackendTrafficPolicy with a mistake is in force', () => {
  const { policy, problems } = trafficPolicy(
    'retryConstraint: {budget: {percent: 20, interval: 2h}, minRetryRate: {count: 0, interval: 0s}}, sessionPersistence: {type: Query}',
  );
  expect(policy.get('shop/web')?.policy).toBe(null);
  expect(problems).toEqual([
    'spec.retryConstraint.budget.interval is "2h"; use a duration from 1000ms to 1h',
    'spec.retryConstraint.minRetryRate.count is 0; use an integer from 1 to 1000000',
    'spec.retryConstraint.minRetryRate.interval is "0s"; use a duration from 1ms to 1h',
    'spec.sessionPersistence.type is "Query"; use one of Cookie, Header',
  ]);
});
