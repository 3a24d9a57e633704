/** Where the authorities are kept and published: a Secret and the MutatingWebhookConfiguration. */
import { systemNamespace, webhookConfigurationName, webhookSecretName } from '../../api/installation.ts';
import { type ApiClient, ApiError } from '../../runtime/kubernetes/api-client.ts';
import type { ObjectMeta } from '../pod.ts';
import { type KeyPair, parseAuthorities } from './authority.ts';

export interface StoredAuthorities {
  authorities: KeyPair[];
  /** For {@link AuthorityStore.write}. */
  version: string;
}

export interface AuthorityStore {
  read(): Promise<StoredAuthorities>;
  /** False if somebody has written since `version` was read. */
  write(authorities: readonly KeyPair[], version: string): Promise<boolean>;
}

export interface BundleStore {
  /** Makes `bundle` (PEM) what API servers trust for the webhooks. Returns whether that was a change. */
  publish(bundle: string): Promise<boolean>;
}

interface Secret {
  metadata: ObjectMeta;
  data?: Readonly<Record<string, string>>;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const text = (encoded: string | undefined): string => Buffer.from(encoded ?? '', 'base64').toString();

/** The Secret is rendered, empty, by `tulle install`: so the injector needs no right to create any. */
export function secretStore(client: ApiClient): AuthorityStore {
  const path = `/api/v1/namespaces/${systemNamespace}/secrets/${webhookSecretName}`;
  return {
    async read() {
      const secret = await client.get<Secret>(path);
      return {
        authorities: parseAuthorities(text(secret.data?.['ca.crt']), text(secret.data?.['ca.key'])),
        version: secret.metadata.resourceVersion,
      };
    },
    async write(authorities, version) {
      const data = {
        'ca.crt': base64(authorities.map(({ cert }) => cert).join('')),
        'ca.key': base64(authorities.map(({ key }) => key).join('')),
      };
      const patch = { metadata: { resourceVersion: version }, data };
      try {
        await client.patch(path, 'application/merge-patch+json', patch);
        return true;
      } catch (error) {
        if (error instanceof ApiError && error.status === 409) return false;
        throw error;
      }
    },
  };
}

interface WebhookConfiguration {
  metadata: ObjectMeta;
  webhooks?: { name: string; clientConfig: { caBundle?: string } }[];
}

const MAX_CONFLICTS = 5;

export function webhookBundleStore(client: ApiClient): BundleStore {
  const path = `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${webhookConfigurationName}`;

  async function publishOnce(caBundle: string): Promise<boolean> {
    const { metadata, webhooks = [] } = await client.get<WebhookConfiguration>(path);
    const changes = webhooks.flatMap(({ clientConfig }, i) =>
      clientConfig.caBundle === caBundle
        ? []
        : [{ op: 'add', path: `/webhooks/${i}/clientConfig/caBundle`, value: caBundle }],
    );
    if (changes.length === 0) return false;
    // Positions hold only as long as nobody else has written.
    const unchanged = { op: 'test', path: '/metadata/resourceVersion', value: metadata.resourceVersion };
    await client.patch(path, 'application/json-patch+json', [unchanged, ...changes]);
    return true;
  }

  return {
    async publish(bundle) {
      for (let conflicts = 1; ; conflicts++) {
        try {
          return await publishOnce(base64(bundle));
        } catch (error) {
          // 422 is how the API server answers a failed `test`.
          const conflict = error instanceof ApiError && (error.status === 409 || error.status === 422);
          if (!conflict || conflicts === MAX_CONFLICTS) throw error;
        }
      }
    },
  };
}
