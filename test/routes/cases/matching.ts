/** Which rule takes a request, and that no other does. */
import {
  answeredBy,
  exact,
  header,
  httpRoute,
  notFound,
  prefix,
  query,
  type RouteCase,
  v1,
  v2,
} from '../route-case.ts';

const one = [['Version', 'one']] as const;
const two = [['version', 'two']] as const;

export const matching: readonly RouteCase[] = [
  {
    name: 'no-route',
    requests: [
      { path: '/any?x=1', expect: { seen: { path: '/any?x=1', host: 'no-route', method: 'GET' } } },
      { method: 'DELETE', path: '/', expect: { seen: { method: 'DELETE' } } },
    ],
  },
  {
    name: 'same-namespace',
    objects: [httpRoute('same-namespace', [{ backendRefs: v1 }])],
    requests: [
      { count: 50, expect: { shares: { '200 v1': 1 } } },
      { path: '/a/b?c', expect: { version: 'v1', seen: { path: '/a/b?c', host: 'same-namespace' } } },
    ],
  },
  {
    name: 'matching',
    objects: [
      httpRoute('matching', [
        { matches: [prefix('/'), header('version', 'one')], backendRefs: v1 },
        { matches: [prefix('/v2'), header('version', 'two')], backendRefs: v2 },
      ]),
    ],
    requests: [
      answeredBy('v1', '/'),
      answeredBy('v1', '/example'),
      answeredBy('v1', '/', { fields: one }),
      answeredBy('v1', '/v2example'),
      answeredBy('v1', '/foo/v2/example'),
      answeredBy('v1', '/V2'),
      answeredBy('v2', '/v2'),
      answeredBy('v2', '/v2/'),
      answeredBy('v2', '/v2?x'),
      answeredBy('v2', '/v2/example'),
      answeredBy('v2', '/', { fields: two }),
      answeredBy('v2', '/v2', { fields: one }),
    ],
  },
  {
    name: 'queries',
    objects: [
      httpRoute('queries', [
        { matches: [query('animal', 'whale')], backendRefs: v1 },
        { matches: [query('animal', 'dolphin')], backendRefs: v2 },
        {
          matches: [
            {
              queryParams: [
                { name: 'animal', value: 'dolphin' },
                { name: 'color', value: 'blue' },
              ],
            },
          ],
          backendRefs: v1,
        },
        { matches: [{ ...query('ANIMAL', 'Whale') }], backendRefs: v2 },
        {
          matches: [
            prefix('/path1', query('animal', 'whale')),
            { ...header('version', 'one'), ...query('animal', 'whale') },
          ],
          backendRefs: v2,
        },
        { matches: [prefix('/path5', query('animal', 'hydra'))], backendRefs: v1 },
        { matches: [query('animal', 'hydra')], backendRefs: v2 },
      ]),
    ],
    requests: [
      answeredBy('v1', '/?animal=whale'),
      answeredBy('v1', '/?other=1&animal=whale&last='),
      answeredBy('v2', '/?animal=dolphin'),
      answeredBy('v1', '/?animal=dolphin&color=blue'),
      answeredBy('v1', '/?color=blue&animal=dolphin'),
      answeredBy('v2', '/?animal=dolphin&color=yellow'),
      answeredBy('v2', '/?ANIMAL=Whale'),
      answeredBy('v2', '/path1?animal=whale'),
      answeredBy('v2', '/?animal=whale', { fields: one }),
      answeredBy('v1', '/path5?animal=hydra'),
      answeredBy('v2', '/path1?animal=hydra'),
      // The first of several values counts (HTTPQueryParamMatch).
      answeredBy('v1', '/?animal=whale&animal=dolphin'),
      answeredBy('v1', '/?animal=%77hale'),
      notFound('/'),
      notFound('/?animal='),
      notFound('/?animal=dog'),
      notFound('/?animal=whaledolphin'),
      notFound('/?animal=Whale'),
      notFound('/?color=blue'),
      notFound('/path1'),
      notFound('/animal=whale'),
    ],
  },
  {
    name: 'named-rules',
    objects: [
      httpRoute('named-rules', [
        { name: 'named', matches: [prefix('/named')], backendRefs: v1 },
        { matches: [prefix('/unnamed')], backendRefs: v2 },
      ]),
    ],
    requests: [answeredBy('v1', '/named'), answeredBy('v2', '/unnamed'), notFound('/'), notFound('/name')],
  },
  {
    name: 'methods',
    objects: [
      httpRoute('methods', [
        { matches: [{ method: 'POST' }, prefix('/x', { method: 'GET' })], backendRefs: v1 },
        { matches: [prefix('/x', header('version', 'one')), { method: 'DELETE' }], backendRefs: v2 },
      ]),
    ],
    requests: [
      answeredBy('v1', '/', { method: 'POST' }),
      answeredBy('v2', '/', { method: 'DELETE' }),
      answeredBy('v1', '/x'),
      // A method ranks above any number of headers.
      answeredBy('v1', '/x', { fields: one }),
      answeredBy('v2', '/x', { method: 'PATCH', fields: one }),
      notFound('/'),
      notFound('/', { method: 'PATCH' }),
    ],
  },
  {
    name: 'expressions',
    objects: [
      httpRoute('expressions', [
        { matches: [{ path: { type: 'RegularExpression', value: '/v[0-9]+/.*' } }], backendRefs: v1 },
        {
          matches: [{ headers: [{ name: 'user', type: 'RegularExpression', value: '(al|bo)b?' }] }],
          backendRefs: v2,
        },
        {
          matches: [{ queryParams: [{ name: 'q', type: 'RegularExpression', value: 'a.c' }] }],
          backendRefs: v2,
        },
      ]),
    ],
    requests: [
      answeredBy('v1', '/v12/x'),
      notFound('/a/v12/x'),
      answeredBy('v2', '/', { fields: [['USER', 'bob']] }),
      notFound('/', { fields: [['user', 'bobby']] }),
      answeredBy('v2', '/?q=abc'),
      notFound('/?q=abcd'),
    ],
  },
  {
    name: 'precedence',
    // Over all routes of a Service: their matches are ranked together.
    objects: [
      httpRoute('precedence-a', [{ matches: [prefix('/')], backendRefs: v1 }], { service: 'precedence' }),
      httpRoute(
        'precedence-b',
        [
          { matches: [prefix('/long/er')], backendRefs: v2 },
          { matches: [exact('/long/er/exact')], backendRefs: v1 },
          { matches: [{ ...prefix('/'), ...header('a', '1') }], backendRefs: v2 },
          {
            matches: [
              {
                headers: [
                  { name: 'a', value: '1' },
                  { name: 'b', value: '2' },
                ],
              },
            ],
            backendRefs: v1,
          },
        ],
        { service: 'precedence' },
      ),
    ],
    requests: [
      answeredBy('v1', '/'),
      answeredBy('v1', '/long'),
      answeredBy('v1', '/long/err'),
      answeredBy('v2', '/long/er'),
      answeredBy('v2', '/long/er/exact/'),
      answeredBy('v1', '/long/er/exact'),
      answeredBy('v2', '/', { fields: [['A', '1']] }),
      answeredBy('v1', '/', {
        fields: [
          ['A', '1'],
          ['b', '2'],
        ],
      }),
    ],
  },
];
