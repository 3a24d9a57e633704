import { type ApiClient, ApiError } from '../../runtime/kubernetes/api-client.ts';
import type { AuthorityFiles } from './authority.ts';
import type { AuthorityStore } from './authority-store.ts';

/** What is read of a Secret; its values are base64. */
interface Secret {
  readonly metadata?: object;
  readonly data?: Readonly<Record<string, string>>;
}

/**
 * The authority as a Secret with `tls.crt`, `tls.key` and `ca.crt` (what cert-manager writes). It may exist without
 * data, so that the control plane needs the right to write this one Secret and not to create any.
 */
export function secretStore(api: ApiClient, namespace: string, name: string): AuthorityStore {
  const collection = `/api/v1/namespaces/${namespace}/secrets`;
  const path = `${collection}/${name}`;

  const readSecret = async (): Promise<Secret | null> => {
    try {
      return await api.get<Secret>(path);
    } catch (error) {
      if (isStatus(error, 404)) return null;
      throw error;
    }
  };

  /** False if another replica was faster: a 409, because the name exists or its resourceVersion has moved on. */
  const write = async (files: AuthorityFiles): Promise<boolean> => {
    const stringData = { 'tls.crt': files.certificate, 'tls.key': files.key, 'ca.crt': files.roots };
    try {
      const existing = await readSecret();
      if (existing === null) {
        await api.create(collection, {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name },
          type: 'kubernetes.io/tls',
          stringData,
        });
      } else if (filesOf(existing) !== null) return false;
      else await api.replace(path, { ...existing, stringData });
      return true;
    } catch (error) {
      if (isStatus(error, 409)) return false;
      throw error;
    }
  };

  return {
    name: `Secret ${namespace}/${name}`,
    async read() {
      const secret = await readSecret();
      return secret === null ? null : filesOf(secret);
    },
    async create(files) {
      if (await write(files)) return files;
      const secret = await readSecret();
      const stored = secret === null ? null : filesOf(secret);
      if (stored === null)
        throw new Error(`Secret ${namespace}/${name} was changed by somebody else; try again`);
      return stored;
    },
  };
}

const isStatus = (error: unknown, status: number): boolean =>
  error instanceof ApiError && error.status === status;

/** null if the Secret holds nothing at all. */
function filesOf(secret: Secret): AuthorityFiles | null {
  const text = (key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');
  const files = { certificate: text('tls.crt'), key: text('tls.key'), roots: text('ca.crt') };
  return files.certificate === '' && files.key === '' ? null : files;
}
