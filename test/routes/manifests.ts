/** The objects of all cases, the same for a folder and for a cluster. */
import type { KubernetesObject } from '../cluster/harness/kubectl.ts';
import { createServerAuthority } from '../integration/server-authority.ts';
import { CONSUMER, NS, type RouteCase, type ServicePortSpec, type Version } from './route-case.ts';

const enabled = { 'tulle.dev/inject': 'enabled' };
export const namespaces: readonly KubernetesObject[] = [NS, CONSUMER].map(name => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, annotations: enabled },
}));

/** HTTP/1.1, HTTP/2 and gRPC, HTTP/1.1, all of them over TLS (test/apps/server.ts). */
export const applicationPorts = { http: 8080, http2: 8081, other: 8082, tls: 8443 } as const;

/** Who has issued {@link certificate}. */
export const authority = createServerAuthority();
/** What both versions serve TLS with. */
export const certificate = authority.issue(['app.test', 'uri:spiffe://app.test/server']);

const http = { name: 'http', port: 80, targetPort: applicationPorts.http };
const grpc = { name: 'grpc', port: 7070, targetPort: applicationPorts.http2 };
const https = { name: 'https', port: 443, targetPort: applicationPorts.tls };

function deployment(
  namespace: string,
  name: string,
  labels: Readonly<Record<string, string>>,
  container: object,
): KubernetesObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name, ...labels } },
        spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'app', ...container }] },
      },
    },
  };
}

/** The name that a pod's own requests are sent from. */
export const CLIENT = 'client';

/** Two versions that answer, and a client in each namespace. `image` is that of test/apps. */
export function workloads(image: string): KubernetesObject[] {
  const answering = (version: Version): KubernetesObject =>
    deployment(
      NS,
      version,
      { tier: 'echo', version },
      {
        image,
        args: ['server'],
        env: [
          { name: 'VERSION', value: version },
          { name: 'TLS_CERTIFICATE', value: certificate.cert },
          { name: 'TLS_KEY', value: certificate.key },
        ],
        // One name for different numbers.
        ports: [
          { name: 'own', containerPort: version === 'v1' ? applicationPorts.http : applicationPorts.other },
        ],
        readinessProbe: { tcpSocket: { port: applicationPorts.http }, periodSeconds: 1 },
      },
    );
  const client = (namespace: string): KubernetesObject =>
    deployment(namespace, CLIENT, {}, { image, args: ['relay'] });
  return [answering('v1'), answering('v2'), client(NS), client(CONSUMER)];
}

export function service(
  name: string,
  ports: readonly ServicePortSpec[],
  spec: object = {},
): KubernetesObject {
  const selecting = { selector: { tier: 'echo' } };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: NS },
    spec: { ...selecting, ports, ...spec },
  };
}

/** Services of the versions and of the cases, and the objects that cases have besides. */
export function objectsOf(cases: readonly RouteCase[]): KubernetesObject[] {
  return [
    ...(['v1', 'v2'] as const).map(name =>
      service(name, [http, grpc, https], { selector: { tier: 'echo', version: name } }),
    ),
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'authority', namespace: NS },
      data: { 'ca.crt': authority.pem },
    } as KubernetesObject,
    ...cases.flatMap(({ name, ports = [http], service: spec = {}, objects = [] }) => [
      service(name, ports, spec),
      ...objects,
    ]),
  ];
}
