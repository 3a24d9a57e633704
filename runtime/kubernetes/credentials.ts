/** How to reach an API server: the service account of the pod, or a kubeconfig file. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';

export interface Credentials {
  /** URL without a path. */
  readonly server: string;
  /** Roots, PEM; asked for each connection, as the kubelet renews the file. */
  ca(): string;
  /** Client certificate and key, PEM, if there is one. */
  readonly certificate: { readonly cert: string; readonly key: string } | null;
  /** Value of the header of that name, asked for each request; null without one. */
  authorization(): Promise<string | null>;
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

type Environment = Readonly<Record<string, string | undefined>>;

/** The kubeconfig that KUBECONFIG names, else the service account. Rejects with the remedy if there is neither. */
export async function findCredentials(environment: Environment): Promise<Credentials> {
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
    authorization: async () => `Bearer ${(await readFile(`${SERVICE_ACCOUNT}/token`, 'utf8')).trim()}`,
  };
}

/**
 * The current context of a kubeconfig file, as kubectl takes it: certificates, tokens, exec plugins. The library that
 * reads it is large and loaded only here: pods have their service account.
 */
export async function kubeconfigCredentials(file: string): Promise<Credentials> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromFile(file);
  const cluster = config.getCurrentCluster();
  if (cluster === null || config.getCurrentUser() === null)
    throw new Error(
      `${file}: current-context ${JSON.stringify(config.getCurrentContext())} names no cluster and user; correct it`,
    );
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const [ca, cert, key] = [pem(options.ca), pem(options.cert), pem(options.key)];
  return {
    server: cluster.server.replace(/\/$/, ''),
    ca: () => ca,
    certificate: cert === '' || key === '' ? null : { cert, key },
    async authorization() {
      // Asked anew, since the tokens of exec plugins end.
      const request: RequestOptions = {};
      await config.applyToHTTPSOptions(request);
      const { Authorization } = request.headers as Record<string, string | undefined>;
      return Authorization ?? null;
    },
  };
}

/** KubeConfig gives what it read as a Buffer. */
function pem(value: unknown): string {
  return Buffer.isBuffer(value) || typeof value === 'string' ? value.toString() : '';
}
