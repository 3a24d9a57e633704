import { ApiException, type CoreV1Api, type V1Secret } from '@kubernetes/client-node';
import { withDeadline } from './api-deadline.ts';
import type { AuthorityFiles } from './authority.ts';
import type { AuthorityStore } from './authority-store.ts';

const CALL_MS = 5000;

/**
 * The authority as a Secret with `tls.crt`, `tls.key` and `ca.crt` (what cert-manager writes). It may exist without
 * data, so that the control plane needs the right to write this one Secret and not to create any.
 */
export function secretStore(api: CoreV1Api, namespace: string, name: string): AuthorityStore {
  const readSecret = async (): Promise<V1Secret | null> => {
    try {
      return await api.readNamespacedSecret({ namespace, name }, withDeadline(CALL_MS));
    } catch (error) {
      if (isStatus(error, 404)) return null;
      throw error;
    }
  };

  /** False if another replica was faster: a 409, because the name exists or its resourceVersion has moved on. */
  const write = async (files: AuthorityFiles): Promise<boolean> => {
    const body: V1Secret = {
      metadata: { name, namespace },
      type: 'kubernetes.io/tls',
      stringData: { 'tls.crt': files.certificate, 'tls.key': files.key, 'ca.crt': files.roots },
    };
    try {
      const existing = await readSecret();
      if (existing === null) await api.createNamespacedSecret({ namespace, body }, withDeadline(CALL_MS));
      else if (filesOf(existing) !== null) return false;
      else {
        // The type of a Secret cannot be changed.
        const replacement = Object.assign(existing, { stringData: body.stringData });
        await api.replaceNamespacedSecret({ namespace, name, body: replacement }, withDeadline(CALL_MS));
      }
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

const isStatus = (error: unknown, code: number): boolean =>
  error instanceof ApiException && error.code === code;

/** null if the Secret holds nothing at all. */
function filesOf(secret: V1Secret): AuthorityFiles | null {
  const text = (key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');
  const files = { certificate: text('tls.crt'), key: text('tls.key'), roots: text('ca.crt') };
  return files.certificate === '' && files.key === '' ? null : files;
}
