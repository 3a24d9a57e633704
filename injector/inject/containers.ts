/**
 * The containers that injection adds. Fields that the API server would fill in are written out, so that a second pass
 * over the stored form finds nothing to change. Nothing here but resources, levels and limits comes from a user: not the
 * image, user, capabilities or environment (RELIABILITY §4.11).
 */

import { formatPorts } from '../../api/annotation-values.ts';
import { type AnnotationValues, annotations } from '../../api/annotations.ts';
import {
  redirectContainer,
  sidecarContainer,
  tokenAudience,
  trustBundleKey,
  trustBundleName,
} from '../../api/installation.ts';
import { ports, proxyUid } from '../../api/ports.ts';
import { sidecarSettings } from '../../api/sidecar.ts';
import type { Container, EnvVar, Probe, Resources, SecurityContext, Volume, VolumeMount } from '../pod.ts';
import type { ProbeTable } from './probes.ts';

/** What is the same for every pod of the installation. */
export interface MeshFacts {
  image: string;
  version: string;
  trustDomain: string;
  clusterDomain: string;
  /** host:port. */
  controlPlane: string;
}

const tokenVolume = 'tulle-token';
const trustVolume = 'tulle-trust';
const directory = (file: string): string => file.slice(0, file.lastIndexOf('/'));

/** The kubelet renews the token at 80 % of its life; one is needed for each certificate. */
const TOKEN_SECONDS = 3600;

/**
 * Without the trust bundle the pod waits at the mount, with an event that names the ConfigMap, and the kubelet tries
 * again after 0.5 s, 1 s, 2 s and so on. Were it optional, an empty volume would be refreshed after a minute or more.
 */
export const volumes: readonly Volume[] = [
  {
    name: tokenVolume,
    projected: {
      defaultMode: 0o644,
      sources: [
        {
          serviceAccountToken: {
            audience: tokenAudience,
            expirationSeconds: TOKEN_SECONDS,
            path: sidecarSettings.token.default.slice(directory(sidecarSettings.token.default).length + 1),
          },
        },
      ],
    },
  },
  {
    name: trustVolume,
    configMap: {
      name: trustBundleName,
      defaultMode: 0o644,
      items: [{ key: trustBundleKey, path: trustBundleKey }],
      optional: false,
    },
  },
];

/**
 * The API server mounts the pod's own token into every container that has nothing at this path. Neither of ours needs it:
 * what is mounted there instead holds nothing but public roots.
 */
const noApiToken: VolumeMount = {
  name: trustVolume,
  mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
  readOnly: true,
};

/** An empty variable is left out: it is stored without its value, and would differ from what a second pass writes. */
const value = (name: string, text: string | number): EnvVar[] =>
  text === '' ? [] : [{ name, value: String(text) }];
const field = (name: string, fieldPath: string): EnvVar => ({
  name,
  valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath } },
});

function sidecarEnv(
  settings: AnnotationValues,
  mesh: MeshFacts,
  probes: ProbeTable,
  appMetrics: string,
): EnvVar[] {
  const of = sidecarSettings;
  return [
    field(of.podName.env, 'metadata.name'),
    field(of.podNamespace.env, 'metadata.namespace'),
    field(of.podIp.env, 'status.podIP'),
    field(of.serviceAccount.env, 'spec.serviceAccountName'),
    field(of.node.env, 'spec.nodeName'),
    ...value(of.trustDomain.env, mesh.trustDomain),
    ...value(of.clusterDomain.env, mesh.clusterDomain),
    ...value(of.controlPlane.env, mesh.controlPlane),
    ...value(of.logLevel.env, settings.logLevel),
    ...value(of.accessLog.env, settings.accessLog),
    ...value(of.drainSeconds.env, settings.drainSeconds),
    ...value(of.detectTimeoutMs.env, settings.detectTimeoutMs),
    ...value(of.limits.env, settings.limits),
    ...value(of.appMetrics.env, appMetrics),
    ...value(of.probes.env, JSON.stringify(probes)),
  ];
}

/** What is given by annotation, over what is there already. */
export function resources(settings: AnnotationValues, existing: Resources): Resources {
  const join = (
    cpu: string,
    memory: string,
    before: Record<string, string> = {},
  ): Record<string, string> => ({
    ...before,
    ...(cpu === '' ? {} : { cpu }),
    ...(memory === '' ? {} : { memory }),
  });
  const requests = join(settings.proxyCpuRequest, settings.proxyMemoryRequest, existing.requests);
  const limits = join(settings.proxyCpuLimit, settings.proxyMemoryLimit, existing.limits);
  return {
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
    ...(Object.keys(requests).length === 0 ? {} : { requests }),
  };
}

const locked: SecurityContext = {
  allowPrivilegeEscalation: false,
  privileged: false,
  readOnlyRootFilesystem: true,
  seccompProfile: { type: 'RuntimeDefault' },
};

const probe = (path: string, timing: Partial<Probe>): Probe => ({
  httpGet: { path, port: ports.admin, scheme: 'HTTP' },
  successThreshold: 1,
  ...timing,
});

const common = (
  image: string,
): Pick<Container, 'image' | 'imagePullPolicy' | 'terminationMessagePath' | 'terminationMessagePolicy'> => ({
  image,
  imagePullPolicy: 'IfNotPresent',
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'FallbackToLogsOnError',
});

/**
 * The sidecar, as an init container that stays (KEP-753): the application starts when the startup probe has succeeded,
 * which means that it has certificate and configuration; it ends after the application, and a Job can complete.
 * A sidecar that waits for the control plane is not restarted for ten minutes. Liveness fails only where the event loop
 * has stood still for long.
 */
export function sidecar(
  settings: AnnotationValues,
  mesh: MeshFacts,
  facts: { probes: ProbeTable; appMetrics: string; resources: Resources },
): Container {
  return {
    name: sidecarContainer,
    ...common(mesh.image),
    args: ['sidecar'],
    restartPolicy: 'Always',
    env: sidecarEnv(settings, mesh, facts.probes, facts.appMetrics),
    ports: [{ name: 'tulle-admin', containerPort: ports.admin, protocol: 'TCP' }],
    resources: facts.resources,
    startupProbe: probe('/ready', { periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 600 }),
    readinessProbe: probe('/ready', { periodSeconds: 10, timeoutSeconds: 2, failureThreshold: 3 }),
    livenessProbe: probe('/live', { periodSeconds: 10, timeoutSeconds: 10, failureThreshold: 3 }),
    securityContext: {
      ...locked,
      capabilities: { drop: ['ALL'] },
      runAsUser: proxyUid,
      runAsGroup: proxyUid,
      runAsNonRoot: true,
    },
    volumeMounts: [
      { name: tokenVolume, mountPath: directory(sidecarSettings.token.default), readOnly: true },
      { name: trustVolume, mountPath: directory(sidecarSettings.trustBundle.default), readOnly: true },
      noApiToken,
    ],
  };
}

/** Writes the redirection rules and ends. It alone is root, with the two capabilities that iptables needs. */
export function redirect(settings: AnnotationValues, mesh: MeshFacts, of: Resources): Container {
  return {
    name: redirectContainer,
    ...common(mesh.image),
    args: ['init'],
    env: [
      ...value(annotations.skipInboundPorts.becomes, formatPorts(settings.skipInboundPorts)),
      ...value(annotations.skipOutboundPorts.becomes, formatPorts(settings.skipOutboundPorts)),
      ...value(annotations.skipOutboundCidrs.becomes, settings.skipOutboundCidrs.join(',')),
      ...value(annotations.logLevel.becomes, settings.logLevel),
    ],
    resources: of,
    securityContext: {
      ...locked,
      capabilities: { add: ['NET_ADMIN', 'NET_RAW'], drop: ['ALL'] },
      runAsUser: 0,
      runAsGroup: 0,
      runAsNonRoot: false,
    },
    volumeMounts: [noApiToken],
  };
}
