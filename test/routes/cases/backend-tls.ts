/** Applications that serve TLS themselves (GEP-1897). */
import type { KubernetesObject } from '../../cluster/harness/kubectl.ts';
import { backend, httpRoute, NS, prefix, type RouteCase, type Step } from '../route-case.ts';

const ports = [
  { name: 'http', port: 80, targetPort: 8443 },
  { name: 'grpc', port: 7070, targetPort: 8443 },
];

/** Of a Service, or of one of its ports; in the name of what it is for. */
function policy(service: string, validation: object, sectionName?: string): KubernetesObject {
  const target = { group: '', kind: 'Service', name: service };
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'BackendTLSPolicy',
    metadata: { name: sectionName === undefined ? service : `${service}-${sectionName}`, namespace: NS },
    spec: {
      targetRefs: [sectionName === undefined ? target : { ...target, sectionName }],
      validation,
    },
  };
}

const from = (name: string): object => ({
  caCertificateRefs: [{ group: '', kind: 'ConfigMap', name }],
});
const trusted = { ...from('authority'), hostname: 'app.test' };

/** The application has TLS from the caller's sidecar, and so no word of who calls. */
const over = (version: string, step: Omit<Step, 'expect'> = {}): Step => ({
  ...step,
  expect: { seen: { protocol: `TLS, ${version}`, caller: '' } },
});

export const backendTls: readonly RouteCase[] = [
  {
    name: 'backend-tls',
    ports,
    objects: [policy('backend-tls', trusted)],
    requests: [
      over('HTTP/1.1'),
      over('HTTP/2', { protocol: 'http2' }),
      over('HTTP/2', { protocol: 'grpc', method: 'POST', port: 7070, path: '/a.B/C' }),
      // A pod's own address is the application too.
      over('HTTP/1.1', { to: { pod: 'v1' }, port: 8443 }),
    ],
  },
  {
    name: 'backend-tls-routed',
    objects: [
      httpRoute('backend-tls-routed', [
        { matches: [prefix('/tls')], backendRefs: [backend('backend-tls')] },
        { backendRefs: [backend('v1')] },
      ]),
    ],
    requests: [over('HTTP/1.1', { path: '/tls' }), { expect: { seen: { protocol: 'HTTP/1.1' } } }],
  },
  {
    name: 'backend-tls-names',
    ports,
    objects: [
      policy('backend-tls-names', { ...from('authority'), hostname: 'other.test' }),
      policy(
        'backend-tls-names',
        {
          ...from('authority'),
          hostname: 'other.test',
          subjectAltNames: [{ type: 'URI', uri: 'spiffe://app.test/server' }],
        },
        'grpc',
      ),
    ],
    requests: [
      { expect: { failure: 'BACKEND_CERTIFICATE' } },
      over('HTTP/2', { protocol: 'grpc', method: 'POST', port: 7070, path: '/a.B/C' }),
    ],
  },
  {
    name: 'backend-tls-refused',
    ports,
    objects: [policy('backend-tls-refused', { ...from('not-there'), hostname: 'app.test' })],
    requests: [
      { expect: { failure: 'BACKEND_TLS_POLICY' } },
      {
        protocol: 'grpc',
        method: 'POST',
        port: 7070,
        path: '/a.B/C',
        expect: { failure: 'BACKEND_TLS_POLICY' },
      },
    ],
  },
];
