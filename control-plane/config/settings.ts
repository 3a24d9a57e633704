/** Settings of the control plane. docs/reference/control-plane.md is made from this table. */
import { systemNamespace } from '../../api/installation.ts';
import { ports } from '../../api/ports.ts';
import { sidecarSettings } from '../../api/sidecar.ts';
import { readSettings, type Setting, type Settings, SettingsError } from '../../runtime/settings.ts';

const port = { type: 'integer', min: 1, max: 65_535 } as const;

export const controlPlaneSettings = {
  source: {
    env: 'TULLE_SOURCE',
    type: 'string',
    default: 'kubernetes',
    values: ['kubernetes', 'directory'],
    description:
      'where the objects of the mesh come from. kubernetes: the API server, by the service account of the pod or by KUBECONFIG. directory: the manifests in directories, without a cluster.',
  },
  directories: {
    env: 'TULLE_DIRECTORIES',
    type: 'list',
    default: '',
    description: 'source directory: folders with manifests (.yaml, .yml, .json), watched',
  },
  caDirectory: {
    env: 'TULLE_CA_DIRECTORY',
    type: 'string',
    default: '',
    description:
      'source directory: folder of the certificate authority (ca.crt, tls.crt, tls.key), which is made if there is none',
  },
  workloadTokens: {
    env: 'TULLE_WORKLOAD_TOKENS',
    type: 'string',
    default: '',
    description:
      'source directory: JSON file of the workloads that may have a certificate, [{namespace, serviceAccount, pod, tokenSha256}]; read again when it changes',
  },
  trustDomain: sidecarSettings.trustDomain,
  clusterDomain: {
    ...sidecarSettings.clusterDomain,
    description: 'DNS domain of the cluster, in the full names of Services',
  },
  defaultMtls: {
    env: 'TULLE_DEFAULT_MTLS',
    type: 'string',
    default: 'permissive',
    values: ['permissive', 'strict'],
    description:
      'mTLS mode of pods that neither they nor their namespace set by annotation. permissive: plaintext from outside the mesh is taken as well. strict: it is refused.',
  },
  connectTimeoutMs: {
    ...sidecarSettings.connectTimeoutMs,
    description: 'longest wait of proxies for a TCP and TLS connection to an endpoint of a service',
  },
  namespace: {
    env: 'TULLE_NAMESPACE',
    type: 'string',
    default: systemNamespace,
    description: 'source kubernetes: namespace of the Secret of the certificate authority',
  },
  listenAddress: {
    env: 'TULLE_LISTEN_ADDRESS',
    type: 'string',
    default: '0.0.0.0',
    description: 'address of the xDS port and the admin port',
  },
  port: {
    ...port,
    env: 'TULLE_PORT',
    default: String(ports.controlPlane),
    description: 'port of xDS and certificates, TLS',
  },
  adminPort: {
    ...port,
    env: 'TULLE_ADMIN_PORT',
    default: String(ports.controlPlaneAdmin),
    description: 'port of metrics, readiness, liveness and the list of problems',
  },
  plaintextPort: {
    env: 'TULLE_PLAINTEXT_PORT',
    type: 'integer',
    default: '0',
    min: 0,
    max: 65_535,
    description:
      'port of xDS without TLS and without identity, on 127.0.0.1 only, for clients on the same machine that cannot do mTLS (grpc-js, Envoy under test); 0: off',
  },
  logLevel: sidecarSettings.logLevel,
} as const satisfies Record<string, Setting>;

export type ControlPlaneSettings = Settings<typeof controlPlaneSettings>;

/** Reads the settings. Throws a SettingsError with every problem. */
export function readControlPlaneSettings(
  environment: Readonly<Record<string, string | undefined>>,
): ControlPlaneSettings {
  const settings = readSettings(controlPlaneSettings, environment);
  if (settings.source === 'kubernetes') return settings;
  const needed = {
    directories: settings.directories.join(),
    caDirectory: settings.caDirectory,
    workloadTokens: settings.workloadTokens,
  };
  const missing = Object.entries(needed).filter(([, value]) => value === '');
  if (missing.length > 0)
    throw new SettingsError(
      missing.map(([name]) => {
        const { env, description } = controlPlaneSettings[name as keyof typeof needed];
        return `${env} is not set; with TULLE_SOURCE=directory it is needed: ${description.replace(/^source directory: /, '')}`;
      }),
    );
  return settings;
}
