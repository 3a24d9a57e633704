/** Deployments, Services and disruption budgets of the control plane and the injector. */
import { controlPlaneName, injectorName } from '../../api/installation.ts';
import { ports, proxyUid } from '../../api/ports.ts';
import { type Component, type KubernetesObject, labelsOf, metadataOf, selectorOf } from './object.ts';
import type { InstallOptions } from './options.ts';

interface Env {
  name: string;
  value?: string;
  valueFrom?: unknown;
}

interface Workload {
  component: Component;
  /** Role of the image. */
  role: string;
  env: readonly Env[];
  /** Port that others call, and its name. */
  port: { name: string; port: number; servicePort: number };
  adminPort: number;
  resources: unknown;
  /** Longest that the process may take to end, in seconds. */
  graceSeconds: number;
}

const value = (name: string, text: string): Env => ({ name, value: text });
const field = (name: string, fieldPath: string): Env => ({ name, valueFrom: { fieldRef: { fieldPath } } });

const probe = (path: string, timing: object) => ({ httpGet: { path, port: 'admin' }, ...timing });

const container = ({ role, env, port, adminPort, resources }: Workload, { image }: InstallOptions) => ({
  name: role,
  image,
  imagePullPolicy: 'IfNotPresent',
  args: [role],
  env,
  ports: [
    { name: port.name, containerPort: port.port, protocol: 'TCP' },
    { name: 'admin', containerPort: adminPort, protocol: 'TCP' },
  ],
  resources,
  readinessProbe: probe('/ready', { periodSeconds: 2, timeoutSeconds: 2 }),
  livenessProbe: probe('/live', { initialDelaySeconds: 10, periodSeconds: 10, timeoutSeconds: 10 }),
  securityContext: {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    readOnlyRootFilesystem: true,
  },
  terminationMessagePolicy: 'FallbackToLogsOnError',
});

/** On different nodes if there are several; a cluster of one node still gets all replicas. */
const spread = (component: Component) => [
  {
    labelSelector: { matchLabels: selectorOf(component) },
    maxSkew: 1,
    topologyKey: 'kubernetes.io/hostname',
    whenUnsatisfiable: 'ScheduleAnyway',
  },
];

function deployment(workload: Workload, options: InstallOptions): KubernetesObject {
  const { component, adminPort, graceSeconds } = workload;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadataOf(component),
    spec: {
      replicas: options.replicas,
      selector: { matchLabels: selectorOf(component) },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: {
          labels: labelsOf(component),
          annotations: {
            'prometheus.io/scrape': 'true',
            'prometheus.io/port': String(adminPort),
            'prometheus.io/path': '/metrics',
          },
        },
        spec: {
          serviceAccountName: component,
          // Without them no pod of an enabled namespace can start.
          priorityClassName: 'system-cluster-critical',
          terminationGracePeriodSeconds: graceSeconds,
          topologySpreadConstraints: spread(component),
          securityContext: {
            runAsNonRoot: true,
            runAsUser: proxyUid,
            runAsGroup: proxyUid,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          containers: [container(workload, options)],
        },
      },
    },
  };
}

function service({ component, port }: Workload): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadataOf(component),
    spec: {
      selector: selectorOf(component),
      ports: [{ name: port.name, port: port.servicePort, targetPort: port.name, protocol: 'TCP' }],
    },
  };
}

function disruptionBudget({ component }: Workload): KubernetesObject {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: metadataOf(component),
    spec: { maxUnavailable: 1, selector: { matchLabels: selectorOf(component) } },
  };
}

const controlPlane = (of: InstallOptions): Workload => ({
  component: controlPlaneName,
  role: 'control-plane',
  env: [
    value('TULLE_SOURCE', 'kubernetes'),
    value('TULLE_TRUST_DOMAIN', of.trustDomain),
    value('TULLE_CLUSTER_DOMAIN', of.clusterDomain),
    value('TULLE_DEFAULT_MTLS', of.mtls),
    value('TULLE_LOG_LEVEL', of.logLevel),
    value('TULLE_LISTEN_ADDRESS', '0.0.0.0'),
    field('TULLE_NAMESPACE', 'metadata.namespace'),
    field('TULLE_POD_NAME', 'metadata.name'),
  ],
  port: { name: 'tls-xds', port: ports.controlPlane, servicePort: ports.controlPlane },
  adminPort: ports.controlPlaneAdmin,
  resources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '1Gi' } },
  graceSeconds: 30,
});

const injector = (of: InstallOptions): Workload => ({
  component: injectorName,
  role: 'injector',
  env: [
    value('TULLE_IMAGE', of.image),
    value('TULLE_TRUST_DOMAIN', of.trustDomain),
    value('TULLE_CLUSTER_DOMAIN', of.clusterDomain),
    value('TULLE_LOG_LEVEL', of.logLevel),
    ...(Object.keys(of.podDefaults).length === 0
      ? []
      : [value('TULLE_POD_DEFAULTS', JSON.stringify(of.podDefaults))]),
  ],
  port: { name: 'https', port: ports.webhook, servicePort: 443 },
  adminPort: ports.injectorAdmin,
  resources: { requests: { cpu: '20m', memory: '64Mi' }, limits: { memory: '256Mi' } },
  graceSeconds: 30,
});

/** Objects of both components, by kind. */
export function workloads(options: InstallOptions): KubernetesObject[] {
  const both = [controlPlane(options), injector(options)];
  return [
    ...both.map(service),
    ...both.map(workload => deployment(workload, options)),
    ...both.map(disruptionBudget),
  ];
}
