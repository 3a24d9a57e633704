/** How to reach an API server: the service account of the pod, or a kubeconfig file. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export interface Credentials {
  /** URL without a path. */
  readonly server: string;
  /** Roots, PEM; asked for each connection, as the kubelet renews the file. */
  ca(): string;
  /** Client certificate and key, PEM, if there is one. */
  readonly certificate: { readonly cert: string; readonly key: string } | null;
  /** Asked for each request; null without a token. */
  token(): string | null;
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

type Environment = Readonly<Record<string, string | undefined>>;

/** The kubeconfig that KUBECONFIG names, else the service account. Throws with the remedy if there is neither. */
export function findCredentials(environment: Environment): Credentials {
  const { KUBECONFIG: file } = environment;
  return file === undefined || file === ''
    ? serviceAccountCredentials(environment)
    : kubeconfigCredentials(file);
}

/** Kubernetes documentation, "Accessing the Kubernetes API from a Pod". */
export function serviceAccountCredentials(environment: Environment): Credentials {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment;
  if (host === undefined || port === undefined)
    throw new Error(
      'KUBERNETES_SERVICE_HOST is not set; run in a pod, or name a kubeconfig file in KUBECONFIG',
    );
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ca: () => readFileSync(`${SERVICE_ACCOUNT}/ca.crt`, 'utf8'),
    certificate: null,
    token: () => readFileSync(`${SERVICE_ACCOUNT}/token`, 'utf8').trim(),
  };
}

interface Kubeconfig {
  readonly 'current-context'?: string;
  readonly contexts?: readonly { name: string; context: { cluster: string; user: string } }[];
  readonly clusters?: readonly { name: string; cluster: Record<string, string> }[];
  readonly users?: readonly { name: string; user: Record<string, string> }[];
}

/** The current context of a kubeconfig file. Users with a certificate or a token; exec plugins are not run. */
export function kubeconfigCredentials(file: string): Credentials {
  const config = parse(readFileSync(file, 'utf8')) as Kubeconfig;
  const current = config['current-context'];
  const context = config.contexts?.find(({ name }) => name === current)?.context;
  const cluster = config.clusters?.find(({ name }) => name === context?.cluster)?.cluster;
  const user = config.users?.find(({ name }) => name === context?.user)?.user;
  if (cluster === undefined || user === undefined)
    throw new Error(
      `${file}: current-context ${JSON.stringify(current)} names no cluster and user; correct it`,
    );
  const pem = (of: Record<string, string>, field: string): string => {
    const data = of[`${field}-data`];
    if (data !== undefined) return Buffer.from(data, 'base64').toString();
    return of[field] === undefined ? '' : readFileSync(of[field], 'utf8');
  };
  const ca = pem(cluster, 'certificate-authority');
  const cert = pem(user, 'client-certificate');
  const key = pem(user, 'client-key');
  if (cert === '' && user.token === undefined)
    throw new Error(
      `${file}: the user has neither client-certificate nor token; use one that has (exec is not run)`,
    );
  return {
    server: cluster.server.replace(/\/$/, ''),
    ca: () => ca,
    certificate: cert === '' ? null : { cert, key },
    token: () => user.token ?? null,
  };
}
