/** What a request and its answer look like at the other end. */
import {
  backend,
  exact,
  httpRoute,
  NS,
  parentOf,
  prefix,
  type RouteCase,
  type Step,
  v1,
  v2,
} from '../route-case.ts';

const edits = (edit: object): object => ({ type: 'RequestHeaderModifier', requestHeaderModifier: edit });
const answerEdits = (edit: object): object => ({
  type: 'ResponseHeaderModifier',
  responseHeaderModifier: edit,
});
const field = (name: string, value: string): object => ({ name, value });
const rewrite = (urlRewrite: object): object => ({ type: 'URLRewrite', urlRewrite });
const newPrefix = (value: string): object => ({
  path: { type: 'ReplacePrefixMatch', replacePrefixMatch: value },
});
const fullPath = (value: string): object => ({ path: { type: 'ReplaceFullPath', replaceFullPath: value } });

/** The rules of the suite's seven cases; `at` puts the filter on the rule or on its backend. */
function modifierRules(at: (match: object, filter: object) => object): object[] {
  return [
    at(prefix('/set'), edits({ set: [field('X-Header-Set', 'set-overwrites-values')] })),
    at(prefix('/add'), edits({ add: [field('X-Header-Add', 'add-appends-values')] })),
    at(prefix('/remove'), edits({ remove: ['X-Header-Remove'] })),
    at(
      prefix('/multiple'),
      edits({
        set: [field('X-Header-Set-1', 'header-set-1'), field('X-Header-Set-2', 'header-set-2')],
        add: [
          field('X-Header-Add-1', 'header-add-1'),
          field('X-Header-Add-2', 'header-add-2'),
          field('X-Header-Add-3', 'header-add-3'),
        ],
        remove: ['X-Header-Remove-1', 'X-Header-Remove-2'],
      }),
    ),
    at(
      prefix('/case'),
      edits({
        set: [field('X-Header-Set', 'header-set')],
        add: [field('X-Header-Add', 'header-add')],
        remove: ['X-Header-Remove'],
      }),
    ),
  ];
}

const seen = (
  path: string,
  fields: readonly (readonly [string, string])[],
  result: Readonly<Record<string, string | null>>,
): Step => ({ path, fields, expect: { version: 'v1', seen: { path, fields: result } } });

const other = ['Other-Header', 'un, touched'] as const;

const modifierSteps: readonly Step[] = [
  seen('/set', [['Some-Other', 'val']], { 'x-header-set': 'set-overwrites-values', 'some-other': 'val' }),
  seen('/set', [['X-Header-Set', 'a'], ['x-header-set', 'b'], other], {
    'x-header-set': 'set-overwrites-values',
    'other-header': 'un, touched',
  }),
  seen('/add', [other], { 'x-header-add': 'add-appends-values', 'other-header': 'un, touched' }),
  seen('/add', [['X-Header-Add', 'some-other-value']], {
    'x-header-add': 'some-other-value,add-appends-values',
  }),
  seen('/remove', [['X-Header-Remove', 'a'], ['X-HEADER-REMOVE', 'b'], other], {
    'x-header-remove': null,
    'other-header': 'un, touched',
  }),
  seen(
    '/multiple',
    [
      ['X-Header-Set-2', 'set-val-2'],
      ['X-Header-Add-2', 'add-val-2'],
      ['X-Header-Remove-2', 'remove-val-2'],
      ['Another-Header', 'another-header-val'],
    ],
    {
      'x-header-set-1': 'header-set-1',
      'x-header-set-2': 'header-set-2',
      'x-header-add-1': 'header-add-1',
      'x-header-add-2': 'add-val-2,header-add-2',
      'x-header-add-3': 'header-add-3',
      'x-header-remove-1': null,
      'x-header-remove-2': null,
      'another-header': 'another-header-val',
    },
  ),
  seen('/case', [['x-header-set', 'o'], ['x-header-add', 'o'], ['x-header-remove', 'o'], other], {
    'x-header-set': 'header-set',
    'x-header-add': 'o,header-add',
    'x-header-remove': null,
    'other-header': 'un, touched',
  }),
];

export const edited: readonly RouteCase[] = [
  {
    name: 'request-headers',
    objects: [
      httpRoute(
        'request-headers',
        modifierRules((match, filter) => ({ matches: [match], filters: [filter], backendRefs: v1 })),
      ),
    ],
    requests: modifierSteps,
  },
  {
    name: 'backend-headers',
    objects: [
      httpRoute(
        'backend-headers',
        modifierRules((match, filter) => ({
          matches: [match],
          backendRefs: [backend('v1', { filters: [filter] })],
        })),
      ),
    ],
    requests: modifierSteps,
  },
  {
    name: 'backend-headers-split',
    // Only those of the backend that was picked, after those of the rule.
    objects: [
      httpRoute('backend-headers-split', [
        {
          filters: [edits({ set: [field('x-both', 'rule')], add: [field('x-rule', 'yes')] })],
          backendRefs: [
            backend('v1', { filters: [edits({ set: [field('x-both', 'one')] })] }),
            backend('v2', { weight: 0, filters: [edits({ set: [field('x-two', 'two')] })] }),
          ],
        },
      ]),
    ],
    requests: [
      {
        count: 20,
        expect: {
          shares: { '200 v1': 1 },
          seen: { fields: { 'x-both': 'one', 'x-rule': 'yes', 'x-two': null } },
        },
      },
    ],
  },
  {
    name: 'response-headers',
    objects: [
      httpRoute('response-headers', [
        {
          filters: [
            answerEdits({
              set: [field('X-Header-Set', 'set')],
              add: [field('X-Header-Add', 'added')],
              remove: ['X-Secret'],
            }),
          ],
          backendRefs: v1,
        },
      ]),
    ],
    requests: [
      {
        path: '/?header=x-header-set:app&header=X-Header-Add:app&header=X-Secret:s&header=X-Kept:k',
        expect: {
          version: 'v1',
          answer: { 'x-header-set': 'set', 'x-header-add': 'app,added', 'x-secret': null, 'x-kept': 'k' },
        },
      },
    ],
  },
  {
    name: 'rewrite',
    objects: [
      httpRoute('rewrite', [
        { matches: [prefix('/prefix/one')], filters: [rewrite(newPrefix('/one'))], backendRefs: v1 },
        { matches: [prefix('/strip-prefix')], filters: [rewrite(newPrefix('/'))], backendRefs: v1 },
        { matches: [prefix('/slash')], filters: [rewrite(newPrefix('/xyz/'))], backendRefs: v1 },
        { matches: [prefix('/full/one')], filters: [rewrite(fullPath('/one'))], backendRefs: v1 },
        {
          matches: [prefix('/full/rewrite-path-and-modify-headers')],
          filters: [
            rewrite(fullPath('/test')),
            edits({
              set: [field('X-Header-Set', 'set-overwrites-values')],
              add: [field('X-Header-Add', 'add-appends-values')],
              remove: ['X-Header-Remove'],
            }),
          ],
          backendRefs: v1,
        },
        {
          matches: [exact('/host')],
          filters: [rewrite({ hostname: 'rewritten.example' })],
          backendRefs: v2,
        },
        {
          matches: [prefix('/both')],
          filters: [rewrite({ hostname: 'rewritten.example', ...newPrefix('/x') })],
          backendRefs: v2,
        },
      ]),
    ],
    requests: [
      ...(
        [
          ['/prefix/one/two', '/one/two'],
          ['/prefix/one/two?a=/prefix/one&b=%2F', '/one/two?a=/prefix/one&b=%2F'],
          ['/prefix/one', '/one'],
          ['/strip-prefix/three', '/three'],
          ['/strip-prefix', '/'],
          ['/strip-prefix/', '/'],
          ['/strip-prefix?a', '/?a'],
          ['/slash/bar', '/xyz/bar'],
          ['/full/one/two', '/one'],
          ['/full/one/two?three=four', '/one?three=four'],
        ] as const
      ).map(
        ([path, to]): Step => ({
          path,
          expect: { version: 'v1', seen: { path: to, host: 'rewrite' } },
        }),
      ),
      {
        path: '/full/rewrite-path-and-modify-headers/test',
        fields: [
          ['X-Header-Remove', 'remove-val'],
          ['X-Header-Add', 'add-val'],
          ['X-Header-Set', 'set-val'],
        ],
        expect: {
          version: 'v1',
          seen: {
            path: '/test',
            fields: {
              'x-header-add': 'add-val,add-appends-values',
              'x-header-set': 'set-overwrites-values',
              'x-header-remove': null,
            },
          },
        },
      },
      {
        path: '/host?a=b',
        expect: { version: 'v2', seen: { path: '/host?a=b', host: 'rewritten.example' } },
      },
      { path: '/both/y', expect: { version: 'v2', seen: { path: '/x/y', host: 'rewritten.example' } } },
      { path: '/prefix/onetwo', expect: { failure: 'NO_ROUTE' } },
    ],
  },
  {
    name: 'untouched',
    // Nothing of a request that no filter names is changed on its way, but for the case of a host, which means nothing
    // (RFC 9110 §4.2.3).
    objects: [
      httpRoute('untouched', [{ backendRefs: v1 }], {
        spec: { parentRefs: [parentOf('untouched', { namespace: NS })] },
      }),
    ],
    requests: [
      {
        method: 'OPTIONS',
        path: "/%7Euser/a%2Fb;c=d/%C3%A9'(x)*?q=%20+&q=&=",
        host: 'Some.Host:1234',
        fields: [
          ['X-Mixed', 'One'],
          ['x-mixed', 'Two'],
          ['X-Empty', ''],
          ['X-Comma', 'a,b , c'],
        ],
        expect: {
          version: 'v1',
          seen: {
            method: 'OPTIONS',
            path: "/%7Euser/a%2Fb;c=d/%C3%A9'(x)*?q=%20+&q=&=",
            host: 'some.host:1234',
            fields: { 'x-mixed': 'One,Two', 'x-empty': '', 'x-comma': 'a,b , c' },
          },
        },
      },
    ],
  },
];
