import { expect, test } from 'vitest';
import { meshOfManifests } from '../sources/mesh-of-manifests.ts';
import { controllerName, mergeParents, type ParentStatus, wantedParents } from './route-status.ts';

const services = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.0.0.1, ports: [{port: 80, name: http}, {port: 81, name: admin}]}
---
apiVersion: v1
kind: Service
metadata: {name: outside, namespace: shop}
spec: {type: ExternalName, externalName: x.example}
---
apiVersion: v1
kind: Service
metadata: {name: sticky, namespace: shop}
spec: {clusterIP: 10.0.0.3, sessionAffinity: ClientIP, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: bytes, namespace: shop}
spec: {clusterIP: 10.0.0.4, ports: [{port: 443, name: https}, {port: 80, name: http}, {port: 6379}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: calls, namespace: grpc}
spec:
  parentRefs: [{group: "", kind: Service, name: web, namespace: shop, port: 81}]
  rules: [{backendRefs: [{name: web, namespace: shop, port: 81}]}]
`;

const web = '{group: "", kind: Service, name: web}';
const forward = '[{backendRefs: [{name: web, port: 80}]}]';

/** `parentRef` and the conditions as `type=status/reason: message`. */
function status(parents: string, rules: string, namespace = 'shop', more = ''): unknown {
  const { mesh } = meshOfManifests({
    'services.yaml': services,
    'route.yaml': `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: ${namespace}, generation: 7}
spec: {parentRefs: [${parents}], rules: ${rules}${more}}`,
  });
  const route = mesh.routes.get(`HTTPRoute/${namespace}/r`);
  return (route === undefined ? [] : wantedParents(route)).map(({ parentRef, conditions }) => [
    parentRef,
    ...conditions.map(({ type, status, reason, message, observedGeneration }) => {
      expect(observedGeneration).toBe(7);
      return `${type}=${status}/${reason}: ${message}`;
    }),
  ]);
}

const ref = (more: object = {}): object => ({ group: '', kind: 'Service', name: 'web', ...more });
const bytes =
  'port 443 (https) of Service shop/bytes, which carries bytes that are no HTTP by its appProtocol, its name, its number or an annotation; if it speaks HTTP, set its appProtocol to http, kubernetes.io/h2c or grpc';
const accepted = 'Accepted=True/Accepted: The route is in force';
const resolved = 'ResolvedRefs=True/ResolvedRefs: All references are resolved';

test.each<[string, string, string, unknown[]]>([
  ['a route in order', web, forward, [[ref(), accepted, resolved]]],
  [
    'each parent has its own entry; Gateways and Services that do not exist have none',
    '{group: "", kind: Service, name: web, port: 80}, {kind: Gateway, name: g}, {group: "", kind: Service, name: web, sectionName: admin}, {group: "", kind: Service, name: nowhere}',
    forward,
    [
      [ref({ port: 80 }), accepted, resolved],
      [ref({ sectionName: 'admin' }), accepted, resolved],
    ],
  ],
  [
    'a port that the Service does not have',
    '{group: "", kind: Service, name: web, port: 8080}',
    forward,
    [
      [
        ref({ port: 8080 }),
        'Accepted=False/NoMatchingParent: spec.parentRefs refers to port 8080 of Service shop/web, which does not have it; use one of 80 (http), 81 (admin)',
        resolved,
      ],
    ],
  ],
  [
    'a parent of type ExternalName',
    '{group: "", kind: Service, name: outside}',
    forward,
    [
      [
        ref({ name: 'outside' }),
        'Accepted=False/NoMatchingParent: spec.parentRefs refers to Service shop/outside of type ExternalName; attach the route to a Service with a ClusterIP',
        resolved,
      ],
    ],
  ],
  [
    'a backend that does not exist, though of weight 0, and a port that a backend does not have',
    web,
    '[{backendRefs: [{name: web, port: 80}, {name: v3, port: 80, weight: 0}]}, {backendRefs: [{name: web, port: 9}]}]',
    [
      [
        ref(),
        accepted,
        'ResolvedRefs=False/BackendNotFound: spec.rules[0].backendRefs[1] refers to Service shop/v3, which does not exist; create it or correct the name. spec.rules[1].backendRefs[0] refers to port 9, which Service shop/web does not have; use one of 80, 81',
      ],
    ],
  ],
  [
    'a backend of another kind, and a mirror to nowhere',
    web,
    '[{filters: [{type: RequestMirror, requestMirror: {backendRef: {name: gone, port: 1}}}], backendRefs: [{group: example.com, kind: Bucket, name: b}]}]',
    [
      [
        ref(),
        accepted,
        'ResolvedRefs=False/InvalidKind: spec.rules[0].backendRefs[0].group is "example.com"; use "": only Services can be backends. spec.rules[0].backendRefs[0].kind is "Bucket"; use Service: nothing else can be a backend. spec.rules[0].filters RequestMirror backendRef refers to Service shop/gone, which does not exist; create it or correct the name',
      ],
    ],
  ],
  [
    'one rule of two has a value that is not supported',
    web,
    '[{backendRefs: [{name: web, port: 80}]}, {matches: [{path: {type: Fancy}}], backendRefs: [{name: web, port: 80}]}]',
    [
      [
        ref(),
        accepted,
        resolved,
        'PartiallyInvalid=True/UnsupportedValue: Dropped Rule 1: spec.rules[1].matches[0].path.type is "Fancy"; use one of Exact, PathPrefix, RegularExpression. spec.rules[1] takes no request, as none of its matches is valid; correct them',
      ],
    ],
  ],
  [
    'every rule has',
    web,
    '[{filters: [{type: ExtensionRef}], backendRefs: [{name: web, port: 80}]}]',
    [
      [
        ref(),
        'Accepted=False/UnsupportedValue: spec.rules[0].filters[0].type is "ExtensionRef"; use one of RequestHeaderModifier, ResponseHeaderModifier, RequestRedirect, URLRewrite, RequestMirror, CORS',
        resolved,
      ],
    ],
  ],
  [
    'sessions at a backend with an affinity of its own; without them the affinity does not matter',
    web,
    '[{backendRefs: [{name: sticky, port: 80}]}, {sessionPersistence: {}, backendRefs: [{name: sticky, port: 80}]}]',
    [
      [
        ref(),
        'Accepted=False/UnsupportedValue: spec.rules[1].sessionPersistence meets Service shop/sticky, whose sessionAffinity is "ClientIP"; set sessionAffinity of the Service to None, or leave sessionPersistence out',
        resolved,
      ],
    ],
  ],
  [
    'an affinity without sessions',
    '{group: "", kind: Service, name: sticky}',
    '[{backendRefs: [{name: sticky, port: 80}]}]',
    [[ref({ name: 'sticky' }), accepted, resolved]],
  ],
  [
    'a parent and a backend that carry no HTTP; beside a port that does, or where only the number says so, it may',
    '{group: "", kind: Service, name: bytes, port: 443}, {group: "", kind: Service, name: bytes}',
    '[{backendRefs: [{name: bytes, port: 443}, {name: bytes, port: 6379}]}]',
    [
      [
        ref({ name: 'bytes', port: 443 }),
        `Accepted=False/NoMatchingParent: spec.parentRefs refers to ${bytes}`,
        `ResolvedRefs=False/UnsupportedProtocol: spec.rules[0].backendRefs[0] refers to ${bytes}`,
      ],
      [
        ref({ name: 'bytes' }),
        accepted,
        `ResolvedRefs=False/UnsupportedProtocol: spec.rules[0].backendRefs[0] refers to ${bytes}`,
      ],
    ],
  ],
])('%s', (_, parents, rules, expected) => {
  expect(status(parents, rules)).toEqual(expected);
});

test('host names do not refuse a route, and are said', () => {
  expect(status(web, forward, 'shop', ', hostnames: [a.example]')).toEqual([
    [
      ref(),
      'Accepted=True/Accepted: The route is in force, except: spec.hostnames is ["a.example"]; match the Host header instead: routes of a Service apply to every host',
      resolved,
    ],
  ]);
});

test('an HTTPRoute beside a GRPCRoute of its namespace: conflicted where no port is left, else accepted', () => {
  const conflict =
    'spec.parentRefs names port 81 of Service shop/web, to which GRPCRoute grpc/calls is attached; a port takes the routes of one kind, so delete one of them or set port';
  const parent = (port: string): string => `{group: "", kind: Service, name: web, namespace: shop${port}}`;
  const rules = '[{backendRefs: [{name: web, namespace: shop, port: 80}]}]';
  expect(status(`${parent(', port: 81')}, ${parent('')}`, rules, 'grpc')).toEqual([
    [ref({ namespace: 'shop', port: 81 }), `Accepted=False/Conflicted: ${conflict}`, resolved],
    [
      ref({ namespace: 'shop' }),
      `Accepted=True/Accepted: The route is in force, except: ${conflict}`,
      resolved,
    ],
  ]);
  expect(status(parent(', port: 81'), rules, 'other')).toEqual([
    [ref({ namespace: 'shop', port: 81 }), accepted, resolved],
  ]);
});

const t0 = '2026-01-01T00:00:00Z';
const t1 = '2026-01-02T00:00:00Z';
const parentRef = ref() as ParentStatus['parentRef'];
const is = (type: string, status: 'True' | 'False', message = '') => ({
  type,
  status,
  reason: type,
  message,
  observedGeneration: 1,
});

test('merging keeps what others wrote, drops what is stale, and tells when nothing is to be written', () => {
  const other: ParentStatus = {
    parentRef,
    controllerName: 'example.com/other',
    conditions: [{ ...is('Accepted', 'False'), lastTransitionTime: t0 }],
  };
  const held: ParentStatus[] = [
    { parentRef: { ...parentRef, port: 80 }, controllerName, conditions: [] },
    other,
    {
      parentRef: { ...parentRef, group: 'core', namespace: 'shop' },
      controllerName,
      conditions: [
        { ...is('example.com/Audited', 'True'), lastTransitionTime: t0 },
        { ...is('PartiallyInvalid', 'True'), lastTransitionTime: t0 },
        { ...is('Accepted', 'True', 'old'), lastTransitionTime: t0 },
        { ...is('ResolvedRefs', 'False'), lastTransitionTime: t0 },
      ],
    },
  ];
  const wanted = [{ parentRef, conditions: [is('Accepted', 'True', 'new'), is('ResolvedRefs', 'True')] }];
  const merged = mergeParents(held, wanted, 'shop', controllerName, t1);
  expect(merged).toEqual([
    other,
    {
      parentRef: { ...parentRef, group: 'core', namespace: 'shop' },
      controllerName,
      conditions: [
        { ...is('example.com/Audited', 'True'), lastTransitionTime: t0 },
        { ...is('Accepted', 'True', 'new'), lastTransitionTime: t0 },
        { ...is('ResolvedRefs', 'True'), lastTransitionTime: t1 },
      ],
    },
  ]);
  expect(mergeParents(merged ?? [], wanted, 'shop', controllerName, '2026-01-03T00:00:00Z')).toBeNull();
  expect(mergeParents([other], [], 'shop', controllerName, t1)).toBeNull();
  expect(mergeParents(merged ?? [], [], 'shop', controllerName, t1)).toEqual([other]);
});
