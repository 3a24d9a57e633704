/** Which routes a connection meets: by the Service and port that it goes to, and by who opens it. */
import type { KubernetesObject } from '../../cluster/harness/kubectl.ts';
import {
  backend,
  CONSUMER,
  exact,
  httpRoute,
  NS,
  parentOf,
  prefix,
  type RouteCase,
  routeOf,
  type Step,
  v1,
  v2,
} from '../route-case.ts';

const CALLER = `spiffe://cluster.local/ns/${NS}/sa/default`;
const GOOD = ['Accepted=True/Accepted', 'ResolvedRefs=True/ResolvedRefs'];
const refused = (reason: string): string[] => [`Accepted=False/${reason}`, 'ResolvedRefs=True/ResolvedRefs'];

const service = (name: string, spec: object): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: NS },
  spec,
});
const http = { name: 'http', port: 80, targetPort: 8080 };
const alt = { name: 'http-alt', port: 8080, targetPort: 8080 };
const grpc = { name: 'grpc', port: 7070, targetPort: 8081 };
const call = { protocol: 'grpc', method: 'POST', port: 7070, path: '/a.B/C' } as const;
const onlyV1 = { selector: { tier: 'echo', version: 'v1' } };
const onlyV2 = { selector: { tier: 'echo', version: 'v2' } };

/** Marks answers, by which it is seen that a route was met. */
const marked = (value: string, backendRefs: readonly object[] = v1): object => ({
  filters: [
    { type: 'ResponseHeaderModifier', responseHeaderModifier: { set: [{ name: 'X-Header-Set', value }] } },
  ],
  backendRefs,
});
const mark = (value: string | null, step: Omit<Step, 'expect'> = {}, version?: 'v1' | 'v2'): Step => ({
  ...step,
  expect: { answer: { 'x-header-set': value }, ...(version === undefined ? {} : { version }) },
});

export const scope: readonly RouteCase[] = [
  {
    name: 'split-paths',
    ports: [http, alt, grpc],
    objects: [
      httpRoute('split-paths', [
        { matches: [exact('/v1')], backendRefs: v1 },
        { matches: [exact('/v2')], backendRefs: v2 },
      ]),
    ],
    requests: [
      { path: '/v1', expect: { version: 'v1' } },
      { path: '/v2', expect: { version: 'v2' } },
      { path: '/v2', port: 8080, expect: { version: 'v2' } },
      { path: '/v1/', expect: { failure: 'NO_ROUTE' } },
      { path: '/', expect: { failure: 'NO_ROUTE' } },
    ],
  },
  {
    name: 'frontend',
    service: onlyV2,
    objects: [httpRoute('frontend', [marked('set', v2)])],
    requests: [
      mark('set', {}, 'v2'),
      // Routes are of the Service, not of its pods.
      mark(null, { to: { pod: 'v2' }, port: 8080 }, 'v2'),
      // They are called with mTLS all the same, and a name in the Host field changes nothing.
      { to: { pod: 'v2' }, port: 8080, expect: { version: 'v2', seen: { caller: CALLER } } },
      mark(null, { to: { pod: 'v2' }, port: 8080, host: 'frontend' }, 'v2'),
    ],
  },
  {
    name: 'frontend-hostname',
    ports: [http, grpc],
    service: onlyV2,
    objects: [
      service('frontend-other', { ...onlyV1, ports: [http, grpc] }),
      httpRoute('frontend-hostname', [marked('set', v2)], {
        spec: { parentRefs: [parentOf('frontend-hostname', { port: 80 })] },
      }),
      routeOf('GRPCRoute', 'frontend-hostname', [marked('grpc', [{ name: 'v2', port: 7070 }])], {
        spec: { parentRefs: [parentOf('frontend-hostname', { port: 7070 })] },
      }),
    ],
    requests: [
      mark('set', { host: 'frontend-other' }, 'v2'),
      mark('set', { host: 'unheard.of.example' }, 'v2'),
      mark('set', { host: `frontend-other.${NS}.svc.cluster.local:80` }, 'v2'),
      mark(null, { to: 'frontend-other', host: 'frontend-hostname' }, 'v1'),
      mark('grpc', { ...call, host: 'frontend-other' }, 'v2'),
      mark(null, { ...call, to: 'frontend-other', host: 'frontend-hostname' }, 'v1'),
    ],
  },
  {
    name: 'hostnames',
    // What a route for a Gateway would be selected by means nothing here.
    objects: [
      httpRoute('hostnames', [marked('set')], {
        spec: { parentRefs: [parentOf('hostnames')], hostnames: ['only.example'] },
      }),
    ],
    requests: [mark('set'), mark('set', { host: 'only.example' })],
  },
  {
    name: 'names',
    objects: [httpRoute('names', [marked('set')])],
    requests: ['names', `names.${NS}`, `names.${NS}.svc`, `names.${NS}.svc.cluster.local`].map(to =>
      mark('set', { to, host: to }),
    ),
  },
  {
    name: 'ports-one',
    ports: [http, alt],
    objects: [
      httpRoute('ports-one', [marked('set')], {
        spec: { parentRefs: [parentOf('ports-one', { port: 80 })] },
      }),
    ],
    requests: [mark('set'), mark(null, { port: 8080 })],
  },
  {
    name: 'ports-all',
    ports: [http, alt],
    objects: [httpRoute('ports-all', [marked('set')])],
    requests: [mark('set'), mark('set', { port: 8080 })],
  },
  {
    name: 'ports-section',
    ports: [http, alt],
    objects: [
      httpRoute('ports-section', [marked('set')], {
        spec: { parentRefs: [parentOf('ports-section', { sectionName: 'http-alt' })] },
      }),
    ],
    requests: [mark(null), mark('set', { port: 8080 })],
  },
  {
    name: 'ports-apart',
    ports: [http, alt],
    objects: [
      httpRoute('ports-apart-80', [marked('eighty')], {
        spec: { parentRefs: [parentOf('ports-apart', { port: 80 })] },
      }),
      httpRoute('ports-apart-8080', [marked('alt')], {
        spec: { parentRefs: [parentOf('ports-apart', { port: 8080, sectionName: 'http-alt' })] },
      }),
      httpRoute('ports-apart-none', [marked('never')], {
        spec: {
          parentRefs: [
            parentOf('ports-apart', { port: 80, sectionName: 'http-alt' }),
            parentOf('ports-apart', { port: 80, sectionName: 'nothing' }),
          ],
        },
      }),
    ],
    status: { 'HTTPRoute/ports-apart-none': [refused('NoMatchingParent'), refused('NoMatchingParent')] },
    requests: [mark('eighty'), mark('alt', { port: 8080 })],
  },
  {
    name: 'consumer',
    service: onlyV1,
    objects: [
      httpRoute('consumer', [marked('consumer', [backend('v1', { namespace: NS })])], {
        namespace: CONSUMER,
        spec: { parentRefs: [parentOf('consumer', { namespace: NS })] },
      }),
    ],
    requests: [
      mark('consumer', { from: 'consumer', to: `consumer.${NS}`, host: `consumer.${NS}` }, 'v1'),
      mark(null, {}, 'v1'),
    ],
  },
  {
    name: 'consumer-not-merged',
    // A namespace with routes of its own uses these alone.
    objects: [
      httpRoute('consumer-not-merged', [
        { matches: [prefix('/producer')], ...marked('producer') },
        { matches: [prefix('/both')], ...marked('producer') },
      ]),
      httpRoute(
        'consumer-not-merged',
        [{ matches: [prefix('/both')], ...marked('consumer', [backend('v2', { namespace: NS })]) }],
        { namespace: CONSUMER, spec: { parentRefs: [parentOf('consumer-not-merged', { namespace: NS })] } },
      ),
    ],
    requests: [
      mark('producer', { path: '/producer' }),
      mark('producer', { path: '/both' }),
      mark('consumer', { path: '/both', from: 'consumer', to: `consumer-not-merged.${NS}` }, 'v2'),
      {
        path: '/producer',
        from: 'consumer',
        to: `consumer-not-merged.${NS}`,
        expect: { failure: 'NO_ROUTE' },
      },
    ],
  },
  {
    name: 'producer-everywhere',
    objects: [httpRoute('producer-everywhere', [marked('producer')])],
    requests: [mark('producer', { from: 'consumer', to: `producer-everywhere.${NS}` })],
  },
  {
    name: 'kinds',
    // One kind for a port: GRPCRoute before HTTPRoute.
    ports: [grpc],
    objects: [
      httpRoute('kinds', [{ matches: [prefix('/')], ...marked('http', [{ name: 'v1', port: 7070 }]) }]),
      routeOf('GRPCRoute', 'kinds', [
        { matches: [{ method: { service: 'shop.Cart' } }], backendRefs: [{ name: 'v2', port: 7070 }] },
      ]),
    ],
    status: { 'HTTPRoute/kinds': [refused('Conflicted')] },
    requests: [
      { protocol: 'grpc', method: 'POST', port: 7070, path: '/shop.Cart/Add', expect: { version: 'v2' } },
      { protocol: 'grpc', method: 'POST', port: 7070, path: '/x.Y/Z', expect: { failure: 'NO_ROUTE' } },
      { protocol: 'http2', port: 7070, path: '/x', expect: { failure: 'NO_ROUTE' } },
    ],
  },
  {
    name: 'kinds-by-port',
    ports: [http, grpc],
    objects: [
      httpRoute('kinds-by-port', [marked('http')]),
      routeOf('GRPCRoute', 'kinds-by-port', [{ backendRefs: [{ name: 'v2', port: 7070 }] }], {
        spec: { parentRefs: [parentOf('kinds-by-port', { port: 7070 })] },
      }),
    ],
    // It is in force at the port that is left to it.
    status: { 'HTTPRoute/kinds-by-port': [GOOD] },
    requests: [
      mark('http'),
      { protocol: 'grpc', method: 'POST', port: 7070, path: '/a.B/C', expect: { version: 'v2' } },
    ],
  },
  {
    name: 'parent-missing',
    objects: [
      httpRoute('parent-missing', [marked('set')], {
        spec: { parentRefs: [parentOf('not-there'), parentOf('parent-missing')] },
      }),
    ],
    // What cannot be resolved has no entry.
    status: { 'HTTPRoute/parent-missing': [GOOD] },
    requests: [mark('set')],
  },
];
