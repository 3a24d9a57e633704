/** gRPC calls, by routes of either kind. */
import { CONSUMER, httpRoute, NS, parentOf, type RouteCase, routeOf, type Step } from '../route-case.ts';

const ports = [{ name: 'grpc', port: 7070, targetPort: 8081 }];
const v1 = [{ name: 'v1', port: 7070 }];
const v2 = [{ name: 'v2', port: 7070 }];
const PATH = '/shop.Cart/Add';

const call = (expect: Step['expect'], more: Omit<Step, 'expect'> = {}): Step => ({
  protocol: 'grpc',
  method: 'POST',
  port: 7070,
  path: PATH,
  expect,
  ...more,
});

/** Fails with UNAVAILABLE so many times. */
const failing = (times: number): Pick<Step, 'fields'> => ({
  fields: [['test-fail', `%unique%/${times}/14`]],
});

export const calls: readonly RouteCase[] = [
  {
    name: 'calls-without-route',
    ports,
    service: { selector: { tier: 'echo', version: 'v2' } },
    requests: [call({ version: 'v2', seen: { path: PATH } })],
  },
  {
    name: 'calls-matching',
    ports,
    objects: [
      httpRoute('calls-matching', [
        { matches: [{ path: { type: 'Exact', value: PATH } }], backendRefs: v1 },
        { matches: [{ path: { value: '/shop.Cart' } }], backendRefs: v2 },
        {
          matches: [{ path: { type: 'RegularExpression', value: '/bank[.]V[0-9]+/Get.*' } }],
          backendRefs: v2,
        },
        { matches: [{ headers: [{ name: 'Tier', value: 'gold' }] }], backendRefs: v2 },
        {
          matches: [{ headers: [{ name: 'region', type: 'RegularExpression', value: '(eu|us)-[0-9]+' }] }],
          backendRefs: v1,
        },
        { matches: [{ path: { value: '/by.Method' }, method: 'POST' }], backendRefs: v1 },
        { matches: [{ path: { value: '/by.Method' }, method: 'GET' }], backendRefs: v2 },
        {
          matches: [{ path: { value: '/by.Method/Q' }, queryParams: [{ name: 'q', value: '1' }] }],
          backendRefs: v2,
        },
      ]),
    ],
    requests: [
      call({ version: 'v1' }),
      call({ version: 'v2' }, { path: '/shop.Cart/Remove' }),
      call({ version: 'v2' }, { path: '/bank.V12/GetAll' }),
      call({ failure: 'NO_ROUTE' }, { path: '/bank.V12/Put' }),
      call({ failure: 'NO_ROUTE' }, { path: '/shop.Carts/Add' }),
      call({ version: 'v2' }, { path: '/x.Y/Z', fields: [['tier', 'gold']] }),
      call({ failure: 'NO_ROUTE' }, { path: '/x.Y/Z', fields: [['tier', 'golden']] }),
      call({ version: 'v1' }, { path: '/x.Y/Z', fields: [['region', 'eu-7']] }),
      call({ failure: 'NO_ROUTE' }, { path: '/x.Y/Z', fields: [['region', 'eu-7b']] }),
      call({ version: 'v1' }, { path: '/by.Method/Any' }),
      call({ version: 'v1' }, { path: '/by.Method/Q' }),
    ],
  },
  {
    name: 'calls-timeout',
    ports,
    objects: [httpRoute('calls-timeout', [{ timeouts: { request: '500ms' }, backendRefs: v1 }])],
    // A call that is in time is no case: grpcio counts too fast where the clock of a machine is not sure.
    requests: [call({ failure: 'REQUEST_TIMEOUT' }, { fields: [['test-delay', '15000']] })],
  },
  {
    name: 'calls-retried',
    ports,
    objects: [
      {
        ...routeOf('GRPCRoute', 'calls-retried', [{ backendRefs: v1 }]),
        metadata: {
          name: 'calls-retried',
          namespace: NS,
          annotations: { 'tulle.dev/retry-grpc-statuses': 'unavailable', 'tulle.dev/retry-attempts': '2' },
        },
      },
    ],
    requests: [call({ version: 'v1' }, failing(2)), call({ answer: { 'grpc-status': '14' } }, failing(3))],
  },
  {
    name: 'calls-not-retried',
    ports,
    objects: [routeOf('GRPCRoute', 'calls-not-retried', [{ backendRefs: v1 }])],
    requests: [call({ answer: { 'grpc-status': '14' } }, failing(1))],
  },
  {
    name: 'calls-invalid-share',
    ports,
    objects: [
      routeOf('GRPCRoute', 'calls-invalid-share', [
        { backendRefs: [...v1, { name: 'not-there', port: 7070 }] },
      ]),
    ],
    status: {
      'GRPCRoute/calls-invalid-share': [['Accepted=True/Accepted', 'ResolvedRefs=False/BackendNotFound']],
    },
    requests: [call({ shares: { '200 v1': 0.5, '200': 0.5 }, answer: {} }, { count: 300 })],
  },
  {
    name: 'calls-consumer',
    ports,
    objects: [
      routeOf('GRPCRoute', 'calls-consumer', [{ backendRefs: v1 }]),
      routeOf('GRPCRoute', 'calls-consumer', [{ backendRefs: [{ name: 'v2', namespace: NS, port: 7070 }] }], {
        namespace: CONSUMER,
        spec: { parentRefs: [parentOf('calls-consumer', { namespace: NS })] },
      }),
    ],
    requests: [
      call({ version: 'v1' }),
      call({ version: 'v2' }, { from: 'consumer', to: `calls-consumer.${NS}` }),
    ],
  },
];
