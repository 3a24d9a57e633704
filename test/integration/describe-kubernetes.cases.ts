/** Every reason that can be said of an object, with what `kubectl describe` must show besides it. */
import { randomBytes } from 'node:crypto';

/** Where all objects are. */
export const NS = `tulle-describe-${randomBytes(3).toString('hex')}`;

export interface Case {
  readonly reason: string;
  /** Spec of an HTTPRoute of the same name, unless it says otherwise. */
  readonly kind?: keyof typeof versions;
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
export const cases: Readonly<Record<string, Case>> = {
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
  'connections-beside-requests': {
    reason: 'Conflicted',
    kind: 'TCPRoute',
    spec: { parentRefs: [parent('connections-beside-requests')], rules: good },
    objects: [
      {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'HTTPRoute',
        metadata: { name: 'connections-beside-requests', namespace: NS },
        spec: { parentRefs: [parent('connections-beside-requests')], rules: good },
      },
    ],
    says: ['spec.parentRefs', 'port 80', `HTTPRoute ${NS}/connections-beside-requests`, 'delete one of them'],
  },
  'connections-to-nobody': {
    reason: 'BackendNotFound',
    kind: 'TLSRoute',
    spec: {
      parentRefs: [parent('connections-to-nobody')],
      hostnames: ['a.example'],
      rules: [{ backendRefs: [backend('gone')] }],
    },
    says: ['spec.rules[0].backendRefs[0]', `Service ${NS}/gone`, 'create it or correct the name'],
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
  TCPRoute: 'gateway.networking.k8s.io/v1',
  TLSRoute: 'gateway.networking.k8s.io/v1',
  XBackendTrafficPolicy: 'gateway.networking.x-k8s.io/v1alpha1',
};

/** What the API server is to have for a case: the Service, further objects, the object. */
export function objectsOf([name, of]: [string, Case]): object[] {
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
