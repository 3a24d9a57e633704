/**
 * `kubectl describe` is enough to learn why a rule does not work: every reason that can be said, on the API server that
 * KUBECONFIG names, as the real kubectl shows it. Each case has a Service of its own, so that all are there at once.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { RecordStore } from '../../control-plane/model/store.ts';
import { KubernetesSource } from '../../control-plane/sources/kubernetes/kubernetes-source.ts';
import { EventWriter } from '../../control-plane/status/event-writer.ts';
import { StatusWriter } from '../../control-plane/status/status-writer.ts';
import { systemClock } from '../../runtime/clock.ts';
import { ApiClient } from '../../runtime/kubernetes/api-client.ts';
import { findCredentials } from '../../runtime/kubernetes/credentials.ts';
import { createLogger } from '../../runtime/log.ts';

const run = promisify(execFile);
const NS = `tulle-describe-${randomBytes(3).toString('hex')}`;
const domain = `${NS}.tulle.dev`;

const missing = await whatIsMissing();
if (missing !== null) console.log(`skipped: describe-kubernetes needs ${missing}`);

async function whatIsMissing(): Promise<string | null> {
  if ((process.env.KUBECONFIG ?? '') === '') return 'a cluster; set KUBECONFIG';
  const found = await run('kubectl', ['version', '--client']).then(
    () => true,
    () => false,
  );
  if (!found) return 'kubectl in PATH';
  const groups = ['gateway.networking.k8s.io', 'gateway.networking.x-k8s.io'];
  const { stdout } = await run('kubectl', ['api-versions']);
  const absent = groups.filter(group => !stdout.includes(`${group}/`));
  return absent.length === 0 ? null : `the CRDs of ${absent.join(' and ')}`;
}

interface Case {
  readonly reason: string;
  /** Spec of an HTTPRoute of the same name, unless it says otherwise. */
  readonly kind?: 'HTTPRoute' | 'GRPCRoute' | 'XBackendTrafficPolicy' | 'BackendTLSPolicy';
  readonly spec: object;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Members of the Service's spec besides its selector. */
  readonly service?: object;
  /** Further objects. */
  readonly objects?: readonly object[];
  /** Field, value and remedy, each as it must be there. */
  readonly says: readonly string[];
}

const parent = (name: string, more: object = {}): object => ({ group: '', kind: 'Service', name, ...more });
const backend = (name: string, port = 80): object => ({ name, port });
const good = [{ backendRefs: [backend('sound')] }];
const http = { name: 'http', port: 80 };
const systemRoots = { hostname: 'a.example', wellKnownCACertificates: 'System' };

/** By the name of the object and its Service. */
const cases: Readonly<Record<string, Case>> = {
  'parent-port': {
    reason: 'NoMatchingParent',
    spec: { parentRefs: [parent('parent-port', { port: 9 })], rules: good },
    says: ['spec.parentRefs', 'port 9', `Service ${NS}/parent-port`, 'use one of 80 (http)'],
  },
  'parent-section': {
    reason: 'NoMatchingParent',
    spec: { parentRefs: [parent('parent-section', { sectionName: 'admin' })], rules: good },
    says: ['spec.parentRefs', 'sectionName "admin"', 'use one of 80 (http)'],
  },
  'parent-headless': {
    reason: 'NoMatchingParent',
    service: { clusterIP: 'None' },
    spec: { parentRefs: [parent('parent-headless')], rules: good },
    says: ['spec.parentRefs', 'without a ClusterIP', 'attach the route to a Service with a ClusterIP'],
  },
  'parent-external': {
    reason: 'NoMatchingParent',
    service: { type: 'ExternalName', externalName: 'x.example' },
    spec: { parentRefs: [parent('parent-external')], rules: good },
    says: ['spec.parentRefs', 'of type ExternalName', 'attach the route to a Service with a ClusterIP'],
  },
  'parent-opaque': {
    reason: 'NoMatchingParent',
    service: { ports: [{ name: 'redis', port: 80 }] },
    spec: { parentRefs: [parent('parent-opaque')], rules: good },
    says: ['spec.parentRefs', 'port 80 (redis)', 'set its appProtocol to http'],
  },
  'backend-opaque': {
    reason: 'UnsupportedProtocol',
    spec: { parentRefs: [parent('backend-opaque')], rules: [{ backendRefs: [backend('parent-opaque')] }] },
    says: ['spec.rules[0].backendRefs[0]', 'port 80 (redis)', 'set its appProtocol to http'],
  },
  'parent-gone': {
    reason: 'Invalid',
    spec: { parentRefs: [parent('nowhere')], rules: good },
    says: ['spec.parentRefs', `Service ${NS}/nowhere`, 'create it or correct the name'],
  },
  'parent-group': {
    reason: 'Invalid',
    // The API server fills in the group of Gateways.
    spec: { parentRefs: [{ kind: 'Service', name: 'parent-group' }], rules: good },
    says: ['spec.parentRefs[0].group', '"gateway.networking.k8s.io"', 'use "" for a Service'],
  },
  'parent-group-of-one': {
    reason: 'Accepted',
    spec: {
      parentRefs: [parent('parent-group-of-one'), { kind: 'Service', name: 'sound' }],
      rules: good,
    },
    says: ['spec.parentRefs[1].group', '"gateway.networking.k8s.io"', 'use "" for a Service'],
  },
  'other-kind': {
    reason: 'Conflicted',
    spec: { parentRefs: [parent('other-kind')], rules: good },
    objects: [
      {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'GRPCRoute',
        metadata: { name: 'other-kind', namespace: NS },
        spec: { parentRefs: [parent('other-kind')], rules: good },
      },
    ],
    says: ['spec.parentRefs', 'port 80', `GRPCRoute ${NS}/other-kind`, 'delete one of them or set port'],
  },
  'value-of-all': {
    reason: 'UnsupportedValue',
    spec: {
      parentRefs: [parent('value-of-all')],
      rules: [{ matches: [{ path: { type: 'RegularExpression', value: '/(?=a)' } }] }],
    },
    says: ['spec.rules[0].matches[0].path.value', '"/(?=a)"', 'use a regular expression in RE2 syntax'],
  },
  'value-of-one': {
    reason: 'PartiallyInvalid',
    spec: {
      parentRefs: [parent('value-of-one')],
      rules: [
        ...good,
        { filters: [{ type: 'ExtensionRef', extensionRef: { group: 'e.x', kind: 'F', name: 'f' } }] },
      ],
    },
    says: ['Dropped Rule 1', 'spec.rules[1].filters[0].type', '"ExtensionRef"', 'use one of'],
  },
  'header-of-host': {
    reason: 'Accepted',
    spec: { parentRefs: [parent('header-of-host')], hostnames: ['a.example'], rules: good },
    says: ['spec.hostnames', '["a.example"]', 'match the Host header instead'],
  },
  annotation: {
    reason: 'Accepted',
    annotations: { 'tulle.dev/retry-methods': 'some' },
    spec: { parentRefs: [parent('annotation')], rules: good },
    says: ['tulle.dev/retry-methods', '"some"', 'any'],
  },
  'backend-gone': {
    reason: 'BackendNotFound',
    spec: { parentRefs: [parent('backend-gone')], rules: [{ backendRefs: [backend('gone')] }] },
    says: ['spec.rules[0].backendRefs[0]', `Service ${NS}/gone`, 'create it or correct the name'],
  },
  'backend-port': {
    reason: 'BackendNotFound',
    spec: { parentRefs: [parent('backend-port')], rules: [{ backendRefs: [backend('sound', 9)] }] },
    says: ['spec.rules[0].backendRefs[0]', 'port 9', 'use one of 80'],
  },
  'backend-kind': {
    reason: 'InvalidKind',
    spec: {
      parentRefs: [parent('backend-kind')],
      rules: [{ backendRefs: [{ group: 'example.com', kind: 'Bucket', name: 'b', port: 80 }] }],
    },
    says: ['spec.rules[0].backendRefs[0].kind', '"Bucket"', 'use Service'],
  },
  'backend-external': {
    reason: 'InvalidKind',
    spec: {
      parentRefs: [parent('backend-external')],
      rules: [{ backendRefs: [backend('parent-external')] }],
    },
    says: ['spec.rules[0].backendRefs[0]', 'of type ExternalName', 'use a Service with endpoints'],
  },
  'mirror-gone': {
    reason: 'BackendNotFound',
    spec: {
      parentRefs: [parent('mirror-gone')],
      rules: [
        {
          filters: [{ type: 'RequestMirror', requestMirror: { backendRef: backend('gone') } }],
          backendRefs: [backend('sound')],
        },
      ],
    },
    says: ['spec.rules[0].filters', 'RequestMirror', `Service ${NS}/gone`, 'create it or correct the name'],
  },
  'session-affinity': {
    reason: 'UnsupportedValue',
    service: { sessionAffinity: 'ClientIP' },
    spec: { parentRefs: [parent('session-affinity')], rules: [{ sessionPersistence: {}, ...good[0] }] },
    says: ['spec.rules[0].sessionPersistence', '"ClientIP"', 'set sessionAffinity of the Service to None'],
  },
  'session-name': {
    reason: 'UnsupportedValue',
    spec: {
      parentRefs: [parent('session-name')],
      rules: [{ sessionPersistence: { type: 'Header', sessionName: 'cookie' }, ...good[0] }],
    },
    says: [
      'spec.rules[0].sessionPersistence.sessionName',
      '"cookie"',
      'use the name of a header of your own',
    ],
  },
  calls: {
    reason: 'UnsupportedValue',
    kind: 'GRPCRoute',
    spec: {
      parentRefs: [parent('calls')],
      rules: [{ matches: [{ headers: [{ name: 'a', type: 'RegularExpression', value: '(' }] }] }],
    },
    says: ['spec.rules[0].matches[0].headers[0].value', '"("', 'use a regular expression in RE2 syntax'],
  },
  'policy-target': {
    reason: 'TargetNotFound',
    kind: 'XBackendTrafficPolicy',
    spec: { targetRefs: [parent('nowhere')], retryConstraint: {} },
    says: ['spec.targetRefs', `Service ${NS}/nowhere`, 'create it or correct the name'],
  },
  'policy-second': {
    reason: 'Conflicted',
    kind: 'XBackendTrafficPolicy',
    spec: { targetRefs: [parent('policy-second')], retryConstraint: {} },
    objects: [
      {
        apiVersion: 'gateway.networking.x-k8s.io/v1alpha1',
        kind: 'XBackendTrafficPolicy',
        metadata: { name: 'policy-first', namespace: NS },
        spec: { targetRefs: [parent('policy-second')], retryConstraint: {} },
      },
    ],
    says: ['spec.targetRefs', `${NS}/policy-first`, 'delete one of them'],
  },
  'policy-value': {
    reason: 'Invalid',
    kind: 'XBackendTrafficPolicy',
    spec: {
      targetRefs: [parent('policy-value')],
      sessionPersistence: { type: 'Header', sessionName: 'host' },
    },
    says: ['spec.sessionPersistence.sessionName', '"host"', 'use the name of a header of your own'],
  },
  'policy-kind': {
    reason: 'Invalid',
    kind: 'XBackendTrafficPolicy',
    spec: { targetRefs: [{ group: 'example.com', kind: 'Bucket', name: 'b' }], retryConstraint: {} },
    says: ['spec.targetRefs[0]', '"Bucket"', 'use group "" and kind Service'],
  },
  'tls-authority': {
    reason: 'NoValidCACertificate',
    kind: 'BackendTLSPolicy',
    spec: {
      targetRefs: [parent('tls-authority')],
      validation: {
        hostname: 'a.example',
        caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: 'gone' }],
      },
    },
    says: [`ConfigMap ${NS}/gone`, 'does not exist', 'create it or correct the name'],
  },
  'tls-authority-kind': {
    reason: 'InvalidKind',
    kind: 'BackendTLSPolicy',
    spec: {
      targetRefs: [parent('tls-authority-kind')],
      validation: { hostname: 'a.example', caCertificateRefs: [{ group: '', kind: 'Secret', name: 's' }] },
    },
    says: ['spec.validation.caCertificateRefs[0]', '"Secret"', 'use group "" and kind ConfigMap'],
  },
  'tls-second': {
    reason: 'Conflicted',
    kind: 'BackendTLSPolicy',
    spec: { targetRefs: [parent('tls-second')], validation: systemRoots },
    objects: [
      {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'BackendTLSPolicy',
        metadata: { name: 'tls-first', namespace: NS },
        spec: { targetRefs: [parent('tls-second')], validation: systemRoots },
      },
    ],
    says: ['spec.targetRefs', `${NS}/tls-first`, 'delete one of them'],
  },
};

const versions = {
  BackendTLSPolicy: 'gateway.networking.k8s.io/v1',
  HTTPRoute: 'gateway.networking.k8s.io/v1',
  GRPCRoute: 'gateway.networking.k8s.io/v1',
  XBackendTrafficPolicy: 'gateway.networking.x-k8s.io/v1alpha1',
};

function objectsOf([name, of]: [string, Case]): object[] {
  const { kind = 'HTTPRoute', spec, service = {}, objects = [], annotations = {} } = of;
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: NS },
      spec: { selector: { app: name }, ports: [http], ...service },
    },
    ...objects,
    { apiVersion: versions[kind], kind, metadata: { name, namespace: NS, annotations }, spec },
  ];
}

async function apply(objects: readonly object[]): Promise<void> {
  const child = run('kubectl', ['apply', '-f', '-']);
  child.child.stdin?.end(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  await child;
}

const closers: (() => Promise<unknown>)[] = [];

/** A control plane's store, and what writes of it. */
async function lead(api: ApiClient): Promise<void> {
  const log = createLogger('test', process.env.TULLE_TEST_LOG ?? 'silent');
  const common = { clock: systemClock, random: Math.random, log };
  const store = new RecordStore({
    trustDomain: 'td',
    clusterDomain: 'cluster.local',
    defaultMtls: 'permissive',
    ...common,
  });
  const source = new KubernetesSource({ api, writer: store, ...common });
  source.start();
  closers.push(() => source.stop());
  await vi.waitFor(() => expect(store.current).not.toBeNull(), { timeout: 15_000 });
  // Others may use the cluster at the same time: their objects are not written.
  const inNamespace = (path: string): boolean => path.includes(`/namespaces/${NS}/`);
  const ours: Pick<ApiClient, 'get' | 'create' | 'patch' | 'replace'> = {
    get: (path, signal) => api.get(path, signal),
    create: <T>(path: string, object: object) =>
      inNamespace(path) ? api.create<T>(path, object) : Promise.resolve(object as T),
    replace: <T>(path: string, object: object) =>
      inNamespace(path) ? api.replace<T>(path, object) : Promise.resolve(object as T),
    patch: (path, type, patch) => api.patch(path, type, patch),
  };
  const options = {
    api: ours,
    store,
    controllerName: `${domain}/control-plane`,
    whenInForce: () => Promise.resolve(),
    isLeader: () => true,
    ...common,
  };
  const writers = [
    new StatusWriter({ ...options, perSecond: 1000 }),
    new EventWriter({ ...options, paceMs: 1 }),
  ];
  for (const writer of writers) {
    closers.push(() => writer.stop());
    writer.leadershipChanged();
  }
}

describe.skipIf(missing !== null)('kubectl describe says why', () => {
  beforeAll(async () => {
    const api = new ApiClient(await findCredentials(process.env));
    closers.push(() => api.close());
    await api.create('/api/v1/namespaces', { metadata: { name: NS } });
    closers.push(() => api.delete(`/api/v1/namespaces/${NS}`));
    await lead(api);
    const sound = objectsOf(['sound', { reason: '', spec: {}, says: [] }])[0];
    await apply([sound, ...Object.entries(cases).flatMap(objectsOf)]);
  }, 60_000);

  afterAll(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  test.each(Object.entries(cases))('%s', async (name, { kind = 'HTTPRoute', reason, says }) => {
    await vi.waitFor(
      async () => {
        const { stdout } = await run('kubectl', ['describe', '-n', NS, kind.toLowerCase(), name]);
        // What is said is one line, in a condition of ours or in an event.
        const lines = stdout.split('\n').filter(line => says.every(part => line.includes(part)));
        expect(lines, `a line with ${says.join(', ')} in\n${stdout}`).not.toEqual([]);
        expect(stdout).toContain(domain);
        const isReason = new RegExp(`^ *(Reason|Type): +${reason}$|^ +Warning +${reason} `, 'm');
        expect(stdout).toMatch(isReason);
      },
      { timeout: 20_000, interval: 200 },
    );
  });
});
