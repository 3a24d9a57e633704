/** How to reach the API server: the pod's service account, or a kubeconfig file. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export interface Credentials {
  /** URL without a path. */
  server: string;
  /** PEM. */
  ca: string;
  /** Client certificate and key, PEM, if there is one. */
  cert?: string;
  key?: string;
  /** Asked for each request, as the kubelet renews the file; null without a token. */
  token(): string | null;
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Credentials of the service account of the pod (Kubernetes docs, "Accessing the API from within a Pod"). */
export function serviceAccountCredentials(
  environment: Readonly<Record<string, string | undefined>>,
): Credentials {
  const host = environment.KUBERNETES_SERVICE_HOST;
  const port = environment.KUBERNETES_SERVICE_PORT;
  if (host === undefined || port === undefined) {
    throw new Error('KUBERNETES_SERVICE_HOST is not set: run in a pod, or set KUBECONFIG');
  }
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ca: readFileSync(`${SERVICE_ACCOUNT}/ca.crt`, 'utf8'),
    token: () => readFileSync(`${SERVICE_ACCOUNT}/token`, 'utf8').trim(),
  };
}

interface Kubeconfig {
  'current-context'?: string;
  contexts?: { name: string; context: { cluster: string; user: string } }[];
  clusters?: { name: string; cluster: Record<string, string> }[];
  users?: { name: string; user: Record<string, string> }[];
}

/** The current context of a kubeconfig file. Users with a certificate or a token; exec plugins are not run. */
export function kubeconfigCredentials(file: string): Credentials {
  const config = parse(readFileSync(file, 'utf8')) as Kubeconfig;
  const context = config.contexts?.find(({ name }) => name === config['current-context'])?.context;
  const cluster = config.clusters?.find(({ name }) => name === context?.cluster)?.cluster;
  const user = config.users?.find(({ name }) => name === context?.user)?.user;
  if (cluster === undefined || user === undefined) {
    throw new Error(`${file}: current-context ${JSON.stringify(config['current-context'])} is not complete`);
  }
  const pem = (of: Record<string, string>, field: string): string | undefined => {
    if (of[`${field}-data`] !== undefined) return Buffer.from(of[`${field}-data`], 'base64').toString();
    return of[field] === undefined ? undefined : readFileSync(of[field], 'utf8');
  };
  const cert = pem(user, 'client-certificate');
  const key = pem(user, 'client-key');
  return {
    server: cluster.server,
    ca: pem(cluster, 'certificate-authority') ?? '',
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    token: () => user.token ?? null,
  };
}
