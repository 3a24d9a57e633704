/** How long a request may take. */
import { httpRoute, prefix, type RouteCase, v1 } from '../route-case.ts';

export const limits: readonly RouteCase[] = [
  {
    name: 'timeouts',
    objects: [
      httpRoute('timeouts', [
        { matches: [prefix('/request')], timeouts: { request: '500ms' }, backendRefs: v1 },
        { matches: [prefix('/attempt')], timeouts: { backendRequest: '500ms' }, backendRefs: v1 },
        { matches: [prefix('/none')], timeouts: { request: '0s', backendRequest: '0s' }, backendRefs: v1 },
      ]),
    ],
    requests: [
      { path: '/request', expect: { version: 'v1' } },
      { path: '/request?delay=20000', expect: { failure: 'REQUEST_TIMEOUT' } },
      { path: '/attempt?delay=20000', expect: { failure: 'ATTEMPT_TIMEOUT' } },
      { path: '/none?delay=1000', expect: { version: 'v1' } },
    ],
  },
];
