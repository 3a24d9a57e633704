/** Who takes a request, and what happens where nobody can. */

import type { KubernetesObject } from '../../cluster/harness/kubectl.ts';
import { backend, httpRoute, NS, type RouteCase, routeOf, v1, v2 } from '../route-case.ts';

const MANY = 1000;
const NOT_FOUND = ['Accepted=True/Accepted', 'ResolvedRefs=False/BackendNotFound'];
const INVALID_KIND = ['Accepted=True/Accepted', 'ResolvedRefs=False/InvalidKind'];

const service = (name: string, spec: object): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: NS },
  spec,
});
const http = { name: 'http', port: 80, targetPort: 8080 };

export const backends: readonly RouteCase[] = [
  {
    name: 'weights',
    objects: [
      httpRoute('weights', [{ backendRefs: [backend('v1', { weight: 70 }), backend('v2', { weight: 30 })] }]),
    ],
    requests: [{ count: MANY, expect: { shares: { '200 v1': 0.7, '200 v2': 0.3 } } }],
  },
  {
    name: 'weight-default',
    objects: [httpRoute('weight-default', [{ backendRefs: [...v1, ...v2] }])],
    requests: [{ count: MANY, expect: { shares: { '200 v1': 0.5, '200 v2': 0.5 } } }],
  },
  {
    name: 'weight-zero',
    objects: [
      httpRoute('weight-zero', [
        { backendRefs: [backend('v1', { weight: 0 }), backend('v2', { weight: 1 })] },
      ]),
    ],
    requests: [{ count: 100, expect: { shares: { '200 v2': 1 } } }],
  },
  {
    name: 'weights-all-zero',
    objects: [
      httpRoute('weights-all-zero', [
        { backendRefs: [backend('v1', { weight: 0 }), backend('v2', { weight: 0 })] },
      ]),
    ],
    requests: [{ expect: { failure: 'INVALID_BACKEND' } }],
  },
  {
    name: 'backend-none',
    objects: [httpRoute('backend-none', [{ matches: [{ path: { type: 'PathPrefix', value: '/' } }] }])],
    requests: [{ expect: { failure: 'INVALID_BACKEND' } }],
  },
  {
    name: 'backend-missing',
    objects: [httpRoute('backend-missing', [{ backendRefs: [backend('not-there')] }])],
    status: { 'HTTPRoute/backend-missing': [NOT_FOUND] },
    requests: [{ expect: { failure: 'INVALID_BACKEND' } }],
  },
  {
    name: 'backend-port-missing',
    objects: [httpRoute('backend-port-missing', [{ backendRefs: [backend('v1', { port: 9999 })] }])],
    status: { 'HTTPRoute/backend-port-missing': [NOT_FOUND] },
    requests: [{ expect: { failure: 'INVALID_BACKEND' } }],
  },
  {
    name: 'backend-kind',
    objects: [
      httpRoute('backend-kind', [
        { backendRefs: [{ group: 'example.com', kind: 'Bucket', name: 'x', port: 80 }] },
      ]),
    ],
    status: { 'HTTPRoute/backend-kind': [INVALID_KIND] },
    requests: [{ expect: { failure: 'INVALID_BACKEND' } }],
  },
  {
    name: 'backend-missing-share',
    objects: [
      httpRoute('backend-missing-share', [
        { backendRefs: [backend('v1', { weight: 50 }), backend('not-there', { weight: 50 })] },
      ]),
    ],
    status: { 'HTTPRoute/backend-missing-share': [NOT_FOUND] },
    requests: [{ count: MANY, expect: { shares: { '200 v1': 0.5, '500': 0.5 } } }],
  },
  {
    name: 'backend-missing-zero',
    // It takes nothing and breaks nothing, and is said.
    objects: [
      httpRoute('backend-missing-zero', [{ backendRefs: [...v1, backend('not-there', { weight: 0 })] }]),
    ],
    status: { 'HTTPRoute/backend-missing-zero': [NOT_FOUND] },
    requests: [{ count: 100, expect: { shares: { '200 v1': 1 } } }],
  },
  {
    name: 'backend-without-endpoints',
    objects: [
      service('nobody', { selector: { app: 'nobody' }, ports: [http] }),
      httpRoute('backend-without-endpoints', [{ backendRefs: [backend('nobody')] }]),
    ],
    requests: [{ expect: { failure: 'NO_HEALTHY_ENDPOINT' } }],
  },
  {
    name: 'backend-without-endpoints-share',
    // Its share is not given to the others.
    objects: [
      service('nobody-either', { selector: { app: 'nobody' }, ports: [http] }),
      httpRoute('backend-without-endpoints-share', [{ backendRefs: [...v1, backend('nobody-either')] }]),
    ],
    requests: [{ count: MANY, expect: { shares: { '200 v1': 0.5, '503': 0.5 } } }],
  },
  {
    name: 'service-without-endpoints',
    service: { selector: { app: 'nobody' } },
    requests: [{ expect: { failure: 'NO_HEALTHY_ENDPOINT' } }],
  },
  {
    name: 'backend-external-name',
    objects: [
      service('alias', {
        type: 'ExternalName',
        externalName: 'v1.tulle-routes.svc.cluster.local',
        ports: [http],
      }),
      httpRoute('backend-external-name', [{ backendRefs: [backend('alias')] }]),
    ],
    status: { 'HTTPRoute/backend-external-name': [INVALID_KIND] },
    requests: [{ expect: { failure: 'INVALID_BACKEND' } }],
  },
  {
    name: 'backend-opaque',
    // What does not speak HTTP is not sent any.
    objects: [
      service('bytes', {
        selector: { tier: 'echo', version: 'v1' },
        ports: [{ ...http, name: 'web', appProtocol: 'tcp' }],
      }),
      httpRoute('backend-opaque', [{ backendRefs: [backend('v2'), backend('bytes')] }]),
      httpRoute('bytes', [{ backendRefs: [backend('v2')] }]),
    ],
    status: {
      'HTTPRoute/backend-opaque': [['Accepted=True/Accepted', 'ResolvedRefs=False/UnsupportedProtocol']],
      'HTTPRoute/bytes': [['Accepted=False/NoMatchingParent', 'ResolvedRefs=True/ResolvedRefs']],
    },
    requests: [
      { count: MANY, expect: { shares: { '200 v2': 0.5, '500': 0.5 } } },
      { to: 'bytes', expect: { version: 'v1' } },
    ],
  },
  {
    name: 'backend-port-mapped',
    // The Service's port is named, the pod's is called.
    objects: [
      service('mapped', {
        selector: { tier: 'echo', version: 'v2' },
        ports: [
          { name: 'http-one', port: 1234, targetPort: 8080 },
          { name: 'http-named', port: 1235, targetPort: 'own' },
        ],
      }),
      httpRoute('backend-port-mapped', [
        { matches: [{ path: { value: '/named' } }], backendRefs: [backend('mapped', { port: 1235 })] },
        { backendRefs: [backend('mapped', { port: 1234 })] },
      ]),
    ],
    requests: [
      { path: '/', expect: { version: 'v2' } },
      { path: '/named', expect: { version: 'v2' } },
    ],
  },
  {
    name: 'backend-headless',
    objects: [
      service('headless-backend', {
        clusterIP: 'None',
        selector: { tier: 'echo', version: 'v1' },
        ports: [{ name: 'http', port: 8080 }],
      }),
      httpRoute('backend-headless', [{ backendRefs: [backend('headless-backend', { port: 8080 })] }]),
    ],
    requests: [{ expect: { version: 'v1' } }],
  },
  {
    name: 'filter-unknown',
    // Never skipped: its requests are not what they were meant to be without it.
    objects: [
      httpRoute('filter-unknown', [
        {
          matches: [{ path: { value: '/filtered' } }],
          filters: [
            { type: 'ExtensionRef', extensionRef: { group: 'example.com', kind: 'Filter', name: 'gone' } },
          ],
          backendRefs: v1,
        },
        { backendRefs: v2 },
      ]),
    ],
    requests: [
      { path: '/filtered', expect: { failure: 'INVALID_BACKEND' } },
      { path: '/', expect: { version: 'v2' } },
    ],
  },
  {
    name: 'expression-unusable',
    objects: [
      httpRoute('expression-unusable', [
        { matches: [{ path: { type: 'RegularExpression', value: '/(?=a)a' } }], backendRefs: v1 },
      ]),
    ],
    status: {
      'HTTPRoute/expression-unusable': [
        ['Accepted=False/UnsupportedValue', 'ResolvedRefs=True/ResolvedRefs'],
      ],
    },
    requests: [{ path: '/a', expect: { failure: 'NO_ROUTE' } }],
  },
  {
    name: 'first-level',
    // The routes of a backend's own Service are not asked.
    objects: [
      service('inner', { selector: { tier: 'echo', version: 'v1' }, ports: [http] }),
      httpRoute('inner', [{ backendRefs: v2 }]),
      httpRoute('first-level', [{ backendRefs: [backend('inner')] }]),
    ],
    requests: [{ expect: { version: 'v1' } }, { to: 'inner', expect: { version: 'v2' } }],
  },
  {
    name: 'grpc-weights',
    ports: [{ name: 'grpc', port: 7070, targetPort: 8081 }],
    objects: [
      routeOf('GRPCRoute', 'grpc-weights', [
        {
          backendRefs: [
            { name: 'v1', port: 7070, weight: 70 },
            { name: 'v2', port: 7070, weight: 30 },
            { name: 'v3', port: 7070, weight: 0 },
          ],
        },
      ]),
    ],
    status: { 'GRPCRoute/grpc-weights': [NOT_FOUND] },
    requests: [
      {
        protocol: 'grpc',
        method: 'POST',
        port: 7070,
        path: '/proto.EchoTestService/Echo',
        count: MANY,
        expect: { shares: { '200 v1': 0.7, '200 v2': 0.3 }, answer: { 'grpc-status': '0' } },
      },
    ],
  },
  {
    name: 'grpc-matching',
    ports: [{ name: 'grpc', port: 7070, targetPort: 8081 }],
    objects: [
      routeOf('GRPCRoute', 'grpc-matching', [
        {
          matches: [{ method: { service: 'shop.Cart', method: 'Add' } }],
          backendRefs: [{ name: 'v1', port: 7070 }],
        },
        { matches: [{ method: { service: 'shop.Cart' } }], backendRefs: [{ name: 'v2', port: 7070 }] },
        {
          matches: [{ method: { service: 'shop.Cart' }, headers: [{ name: 'tier', value: 'gold' }] }],
          filters: [
            {
              type: 'RequestHeaderModifier',
              requestHeaderModifier: { set: [{ name: 'x-set', value: 's' }], remove: ['x-gone'] },
            },
          ],
          backendRefs: [{ name: 'v1', port: 7070 }],
        },
        { matches: [{ method: { service: 'shop.Lost' } }], backendRefs: [{ name: 'not-there', port: 7070 }] },
      ]),
    ],
    status: { 'GRPCRoute/grpc-matching': [NOT_FOUND] },
    requests: [
      call('/shop.Cart/Add', { version: 'v1' }),
      call('/shop.Cart/Adder', { version: 'v2' }),
      call('/shop.Cart/Remove', { version: 'v2' }),
      call('/shop.Cart/Remove', { version: 'v1', seen: { fields: { 'x-set': 's', 'x-gone': null } } }, [
        ['tier', 'gold'],
        ['x-gone', '1'],
      ]),
      call('/shop.Cartoon/Add', { failure: 'NO_ROUTE' }),
      call('/shop.Lost/Any', { failure: 'INVALID_BACKEND' }),
    ],
  },
  {
    name: 'grpc-without-endpoints',
    ports: [{ name: 'grpc', port: 7070, targetPort: 8081 }],
    service: { selector: { app: 'nobody' } },
    requests: [call('/shop.Cart/Add', { failure: 'NO_HEALTHY_ENDPOINT' })],
  },
];

function call(
  path: string,
  expect: RouteCase['requests'][number]['expect'],
  fields: readonly (readonly [string, string])[] = [],
): RouteCase['requests'][number] {
  return { protocol: 'grpc', method: 'POST', port: 7070, path, fields, expect };
}
