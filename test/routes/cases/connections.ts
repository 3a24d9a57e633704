/** Where connections go: TCPRoutes, TLSRoutes, and which kind of routes has a port. */
import type { KubernetesObject } from '../../cluster/harness/kubectl.ts';
import {
  backend,
  CONSUMER,
  httpRoute,
  NS,
  parentOf,
  type RouteCase,
  routeOf,
  type Step,
  type Version,
  v1,
  v2,
} from '../route-case.ts';

const http = { name: 'http', port: 80, targetPort: 8080, appProtocol: 'http' };
const https = { name: 'https', port: 443, targetPort: 8443 };

const RESOLVED = 'ResolvedRefs=True/ResolvedRefs';
const accepted = ['Accepted=True/Accepted', RESOLVED];
const conflicted = ['Accepted=False/Conflicted', RESOLVED];
const notFound = ['Accepted=True/Accepted', 'ResolvedRefs=False/BackendNotFound'];

type Options = NonNullable<Parameters<typeof routeOf>[3]>;

const tcpRoute = (name: string, backendRefs: readonly object[], options: Options = {}): KubernetesObject =>
  routeOf('TCPRoute', name, [{ backendRefs }], options);

const tlsRoute = (
  name: string,
  hostnames: readonly string[],
  backendRefs: readonly object[],
  { spec = {}, ...options }: Options = {},
): KubernetesObject =>
  routeOf('TLSRoute', name, [{ backendRefs }], { ...options, spec: { hostnames, ...spec } });

const secure = (name: string): readonly object[] => [backend(name, { port: 443 })];

const refused = (step: Omit<Step, 'expect'> = {}): Step => ({
  fresh: true,
  ...step,
  expect: { shares: { reset: 1 } },
});

/** TLS by this name, which the application sees. */
const byName = (serverName: string, version: Version): Step => ({
  protocol: 'tls',
  port: 443,
  serverName,
  expect: { version, seen: { serverName } },
});
const notByName = (serverName: string): Step => refused({ protocol: 'tls', port: 443, serverName });

/** A few connections, all to one version. */
const all = (version: Version, step: Omit<Step, 'expect'> = {}): Step => ({
  fresh: true,
  count: 5,
  ...step,
  expect: { shares: { [`200 ${version}`]: 1 } },
});

export const connections: readonly RouteCase[] = [
  {
    name: 'tcp-split',
    ports: [http],
    objects: [
      tcpRoute('tcp-split', [
        backend('v1', { weight: 2 }),
        backend('v2'),
        backend('nowhere'),
        backend('v2', { weight: 0 }),
      ]),
    ],
    status: { 'TCPRoute/tcp-split': [notFound] },
    requests: [
      // Enough to see each share; how large they are is in test/integration/proxy/tcp.
      { fresh: true, count: 70, expect: { each: ['200 v1', '200 v2', 'reset'] } },
    ],
  },
  {
    name: 'tcp-weight-zero',
    ports: [http],
    objects: [tcpRoute('tcp-weight-zero', [backend('v1', { weight: 0 }), backend('v2')])],
    requests: [all('v2', { count: 20 })],
  },
  {
    name: 'tcp-nothing',
    ports: [http],
    objects: [tcpRoute('tcp-nothing', [backend('v1', { weight: 0 })])],
    requests: [refused()],
  },
  {
    name: 'tcp-empty',
    ports: [http],
    objects: [
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'tcp-empty-backend', namespace: NS },
        spec: { selector: { tier: 'nobody' }, ports: [http] },
      },
      tcpRoute('tcp-empty', [backend('tcp-empty-backend')]),
    ],
    requests: [refused()],
  },
  {
    name: 'tcp-first',
    ports: [http],
    objects: [
      tcpRoute('tcp-first-a', v1, { service: 'tcp-first' }),
      tcpRoute('tcp-first-b', v2, { service: 'tcp-first' }),
    ],
    status: { 'TCPRoute/tcp-first-b': [conflicted] },
    requests: [all('v1')],
  },
  {
    name: 'tcp-no-port',
    ports: [http],
    objects: [tcpRoute('tcp-no-port', v1, { spec: { parentRefs: [parentOf('tcp-no-port', { port: 81 })] } })],
    status: { 'TCPRoute/tcp-no-port': [['Accepted=False/NoMatchingParent', RESOLVED]] },
    requests: [{ expect: {} }],
  },
  {
    name: 'tcp-consumer',
    ports: [http],
    objects: [
      httpRoute('tcp-consumer', [{ backendRefs: v1 }]),
      tcpRoute('tcp-consumer', [backend('v2', { namespace: NS })], {
        namespace: CONSUMER,
        spec: { parentRefs: [parentOf('tcp-consumer', { namespace: NS })] },
      }),
    ],
    requests: [{ expect: { version: 'v1' } }, all('v2', { from: 'consumer', to: `tcp-consumer.${NS}` })],
  },
  {
    name: 'tls-names',
    ports: [https],
    objects: [
      tlsRoute('tls-names-exact', ['a.example.test', 'only.test'], secure('v1'), { service: 'tls-names' }),
      tlsRoute('tls-names-wide', ['*.example.test', 'a.example.test'], secure('v2'), {
        service: 'tls-names',
      }),
      tlsRoute('tls-names-wider', ['*.test'], secure('v1'), { service: 'tls-names' }),
      tlsRoute('tls-names-zlost', ['only.test'], secure('v2'), { service: 'tls-names' }),
    ],
    status: { 'TLSRoute/tls-names-zlost': [conflicted] },
    requests: [
      byName('a.example.test', 'v1'),
      byName('b.example.test', 'v2'),
      byName('c.b.example.test', 'v2'),
      byName('example.test', 'v1'),
      byName('only.test', 'v1'),
      notByName('test'),
      notByName('other.com'),
      notByName(''),
      refused({ port: 443 }),
    ],
  },
  {
    name: 'tls-split',
    ports: [https],
    objects: [
      tlsRoute(
        'tls-split',
        ['a.test'],
        [...secure('v1'), ...secure('v2'), backend('nowhere', { port: 443, weight: 0 })],
      ),
    ],
    status: { 'TLSRoute/tls-split': [notFound] },
    requests: [
      {
        protocol: 'tls',
        port: 443,
        serverName: 'a.test',
        fresh: true,
        count: 30,
        expect: { each: ['200 v1', '200 v2'] },
      },
    ],
  },
  {
    name: 'port-kinds',
    ports: [
      http,
      https,
      { name: 'alt', port: 8080, targetPort: 8080 },
      { name: 'more', port: 8081, targetPort: 8080 },
    ],
    objects: [
      httpRoute('port-kinds', [{ backendRefs: v1 }], {
        spec: {
          parentRefs: [parentOf('port-kinds', { port: 80 }), parentOf('port-kinds', { port: 8080 })],
        },
      }),
      tlsRoute('port-kinds', ['a.test'], secure('v2'), {
        spec: { parentRefs: [parentOf('port-kinds', { port: 443 }), parentOf('port-kinds', { port: 80 })] },
      }),
      // Loses three ports, and has one left.
      tcpRoute('port-kinds', v2),
      tcpRoute('port-kinds-lost', v2, {
        spec: {
          parentRefs: [parentOf('port-kinds', { port: 8080 }), parentOf('port-kinds', { port: 443 })],
        },
      }),
    ],
    status: {
      'TLSRoute/port-kinds': [accepted, conflicted],
      'TCPRoute/port-kinds-lost': [conflicted, conflicted],
    },
    requests: [
      { expect: { version: 'v1' } },
      { port: 8080, expect: { version: 'v1' } },
      byName('a.test', 'v2'),
      notByName('b.test'),
      all('v2', { port: 8081 }),
    ],
  },
  {
    name: 'port-not-http',
    ports: [http, https],
    objects: [
      httpRoute('port-not-http', [{ backendRefs: v1 }]),
      tlsRoute('port-not-http', ['a.test'], secure('v2'), {
        spec: { parentRefs: [parentOf('port-not-http', { port: 443 })] },
      }),
    ],
    requests: [{ expect: { version: 'v1' } }, byName('a.test', 'v2'), notByName('b.test')],
  },
];
