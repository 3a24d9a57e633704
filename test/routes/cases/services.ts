/** Services of every form, and what their clients meet: with or without an address, a selector, endpoints of their own. */
import { testImage } from '../../apps/image.ts';
import type { KubernetesObject } from '../../cluster/harness/kubectl.ts';
import { backend, httpRoute, NS, notFound, type RouteCase, type Step, v1, v2 } from '../route-case.ts';

const CALLER = `spiffe://cluster.local/ns/${NS}/sa/default`;
const refused = (reason: string): string[] => [`Accepted=False/${reason}`, 'ResolvedRefs=True/ResolvedRefs'];
const http = { name: 'http', port: 80, targetPort: 8080 };
const onlyV1 = { selector: { tier: 'echo', version: 'v1' } };
const onlyV2 = { selector: { tier: 'echo', version: 'v2' } };

const service = (name: string, spec: object): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: NS },
  spec,
});

/** Marks answers, by which it is seen that a route was met. */
const marked = (value: string, backendRefs: readonly object[] = v1): object => ({
  filters: [
    { type: 'ResponseHeaderModifier', responseHeaderModifier: { set: [{ name: 'X-Header-Set', value }] } },
  ],
  backendRefs,
});
const mark = (value: string | null, step: Omit<Step, 'expect'> = {}, version?: string): Step => ({
  ...step,
  expect: { answer: { 'x-header-set': value }, ...(version === undefined ? {} : { version }) },
});

const container = {
  name: 'app',
  image: testImage,
  args: ['server'],
  env: [{ name: 'VERSION', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
  readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
};
/** Two pods with names of their own, which a folder has not. */
const stateful: KubernetesObject = {
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'stateful', namespace: NS },
  spec: {
    replicas: 2,
    podManagementPolicy: 'Parallel',
    serviceName: 'stateful',
    selector: { matchLabels: { app: 'stateful' } },
    template: {
      metadata: { labels: { app: 'stateful' } },
      spec: { terminationGracePeriodSeconds: 1, containers: [container] },
    },
  },
};
const toStateful = { on: 'cluster', port: 8080 } as const;

export const services: readonly RouteCase[] = [
  {
    name: 'without-selector',
    service: { selector: null },
    late: addressOf => [
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: {
          name: 'without-selector-1',
          namespace: NS,
          labels: { 'kubernetes.io/service-name': 'without-selector' },
        },
        addressType: 'IPv4',
        ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
        endpoints: [{ addresses: [addressOf('v2')], conditions: { ready: true } }],
      },
    ],
    requests: [{ expect: { version: 'v2', seen: { host: 'without-selector' } } }],
  },
  {
    name: 'pure-frontend',
    // A Service without endpoints whose routes send elsewhere (GEP-1294).
    service: { selector: null },
    objects: [httpRoute('pure-frontend', [{ backendRefs: v1 }])],
    requests: [{ expect: { version: 'v1' } }],
  },
  {
    name: 'target-by-name',
    ports: [{ name: 'http', port: 80, targetPort: 'own' }],
    service: onlyV1,
    objects: [httpRoute('target-by-name', [marked('set', [backend('target-by-name')])])],
    requests: [mark('set', {}, 'v1')],
  },
  {
    name: 'session-affinity',
    // A route with sessions is rejected beside it (GEP-1619).
    service: { sessionAffinity: 'ClientIP' },
    objects: [httpRoute('session-affinity', [{ sessionPersistence: {}, backendRefs: v1 }])],
    status: { 'HTTPRoute/session-affinity': [refused('UnsupportedValue')] },
    requests: [notFound('/')],
  },
  {
    name: 'external-name',
    // No frontend: nothing can be attached to it.
    service: { type: 'ExternalName', externalName: `v1.${NS}.svc.cluster.local`, selector: null },
    objects: [httpRoute('external-name', [marked('never')])],
    status: { 'HTTPRoute/external-name': [refused('NoMatchingParent')] },
    // Its name is another name of the Service that it leads to.
    requests: [
      {
        on: 'cluster',
        expect: { version: 'v1', answer: { 'x-header-set': null }, seen: { caller: CALLER } },
      },
    ],
  },
  {
    name: 'headless',
    service: { ...onlyV1, clusterIP: 'None' },
    ports: [{ name: 'http', port: 8080, targetPort: 8080 }],
    objects: [httpRoute('headless', [marked('never', [backend('v2')])])],
    status: { 'HTTPRoute/headless': [refused('NoMatchingParent')] },
    requests: [
      mark(null, { port: 8080 }, 'v1'),
      { port: 8080, expect: { version: 'v1', seen: { caller: CALLER } } },
    ],
  },
  {
    name: 'target-by-name-differs',
    // Of one name, and another number in each pod.
    ports: [{ name: 'http', port: 80, targetPort: 'own' }],
    objects: [
      service('target-by-name-one', {
        ...onlyV2,
        ports: [{ name: 'http', port: 8000, targetPort: 'own' }],
      }),
      httpRoute('target-by-name-one', [marked('set', [backend('target-by-name-one', { port: 8000 })])]),
      httpRoute('target-by-name-differs', [
        { matches: [{ path: { value: '/all' } }], ...marked('set', [backend('target-by-name-differs')]) },
        {
          matches: [{ path: { value: '/one' } }],
          backendRefs: [{ name: 'target-by-name-one', port: 8000 }],
        },
      ]),
    ],
    requests: [
      { path: '/all', count: 60, expect: { each: ['200 v1', '200 v2'], answer: { 'x-header-set': 'set' } } },
      { path: '/one', count: 10, expect: { shares: { '200 v2': 1 } } },
      mark('set', { to: 'target-by-name-one', port: 8000 }, 'v2'),
    ],
  },
  {
    name: 'dual-names',
    // The same pods behind two Services, of which each has its own routes.
    service: onlyV1,
    objects: [
      service('dual-names-other', { ...onlyV1, ports: [http] }),
      service('dual-names-plain', { ...onlyV1, ports: [http] }),
      httpRoute('dual-names', [marked('one')]),
      httpRoute('dual-names-other', [marked('other', v2)]),
    ],
    requests: [
      mark('one', {}, 'v1'),
      mark('other', { to: 'dual-names-other' }, 'v2'),
      mark(null, { to: 'dual-names-plain' }, 'v1'),
      mark('one', { host: 'dual-names-other' }, 'v1'),
      mark('other', { to: 'dual-names-other', host: 'dual-names-plain' }, 'v2'),
    ],
  },
  {
    name: 'stateful',
    // Pods of a headless Service by their own names, which are pod addresses: no route, and mTLS.
    service: { selector: { app: 'stateful' }, clusterIP: 'None' },
    ports: [{ name: 'http', port: 8080, targetPort: 8080 }],
    objects: [
      stateful,
      service('stateful-front', { selector: { app: 'stateful' }, ports: [{ ...http, port: 8080 }] }),
      httpRoute('stateful-front', [marked('set', [backend('stateful', { port: 8080 })])]),
    ],
    requests: [
      ...['stateful-0', 'stateful-1'].map(
        (pod): Step => ({
          ...toStateful,
          to: `${pod}.stateful`,
          expect: { version: pod, answer: { 'x-header-set': null }, seen: { caller: CALLER } },
        }),
      ),
      mark(null, { ...toStateful, to: 'stateful-0.stateful', host: 'stateful-front' }, 'stateful-0'),
      {
        ...toStateful,
        to: 'stateful-front',
        count: 60,
        expect: { each: ['200 stateful-0', '200 stateful-1'], answer: { 'x-header-set': 'set' } },
      },
    ],
  },
];
