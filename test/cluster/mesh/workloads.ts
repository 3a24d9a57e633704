/** Deployments, Services and pods of the test application (test/apps). */
import { testImage } from '../../apps/image.ts';
import type { KubernetesObject } from '../harness/kubectl.ts';

export interface WorkloadOptions {
  /** Role of the application: `['server']` unless told otherwise. */
  args?: readonly string[];
  annotations?: Record<string, string>;
  labels?: Record<string, string>;
  env?: Record<string, string>;
  /** Members of the container besides name, image, args and env. */
  container?: object;
  /** Members of the pod's spec besides containers. */
  spec?: object;
}

/** Ready when the HTTP port takes connections, whatever the application answers. */
const readiness = { readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, timeoutSeconds: 5 } };

function podSpec(options: WorkloadOptions): object {
  const { args = ['server'], env = {}, container = {}, spec = {} } = options;
  return {
    containers: [
      {
        name: 'app',
        image: testImage,
        args,
        env: Object.entries(env).map(([name, value]) => ({ name, value })),
        ...(args[0] === 'server' ? readiness : {}),
        ...container,
      },
    ],
    ...spec,
  };
}

/** A bare pod, ended without a delay when its namespace goes. Its label `app` is its name. */
export function testPod(namespace: string, name: string, options: WorkloadOptions = {}): KubernetesObject {
  const { annotations = {}, labels = {}, spec = {} } = options;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, annotations, labels: { app: name, ...labels } },
    spec: podSpec({ ...options, spec: { terminationGracePeriodSeconds: 5, ...spec } }),
  };
}

/** A pod that does nothing until {@link call} runs something in it. */
export const clientPod = (namespace: string, name: string, options: WorkloadOptions = {}): KubernetesObject =>
  testPod(namespace, name, { ...options, args: ['idle'] });

/** Runs as the service account of its name. */
export function deployment(
  namespace: string,
  name: string,
  replicas: number,
  options: WorkloadOptions = {},
): KubernetesObject[] {
  const { annotations = {}, labels = {}, spec = {} } = options;
  return [
    serviceAccount(namespace, name),
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace },
      spec: {
        replicas,
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { annotations, labels: { app: name, ...labels } },
          spec: podSpec({ ...options, spec: { serviceAccountName: name, ...spec } }),
        },
      },
    },
  ];
}

export const serviceAccount = (namespace: string, name: string): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name, namespace },
});

/** Port of the Service and of the pod, whose protocol is not declared. */
export type PortMapping = readonly [port: number, targetPort: number];

export function service(
  namespace: string,
  name: string,
  selector: Record<string, string>,
  ports: readonly PortMapping[] = [[80, 8080]],
  annotations: Record<string, string> = {},
): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, annotations },
    spec: {
      selector,
      // Several ports need names; these name no protocol.
      ports: ports.map(([port, targetPort]) => ({ name: `p${port}`, port, targetPort })),
    },
  };
}

/** A Deployment of version v1 or v2 of `name`, and a Service of its own for it. */
export function version(namespace: string, name: string, of: 'v1' | 'v2'): KubernetesObject[] {
  const labels = { part: name };
  const both = `${name}-${of}`;
  return [
    ...deployment(namespace, both, 1, { env: { VERSION: of }, labels }),
    service(namespace, both, { app: both }),
  ];
}
