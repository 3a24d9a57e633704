import { type ApiClient, ApiError } from '../../../runtime/kubernetes/api-client.ts';
import type { KindDefinition } from '../convert/convert.ts';

/**
 * Path of a kind's collection over all namespaces. Of an optional kind the best version that the API server serves, by
 * discovery, which every service account may read; null if it serves none.
 */
export async function collectionPath(
  api: Pick<ApiClient, 'get'>,
  { group, versions, plural, optional }: KindDefinition,
): Promise<string | null> {
  const base = group === '' ? '/api' : `/apis/${group}`;
  if (!optional) return `${base}/${versions[0]}/${plural}`;
  const served = await discover<{ versions?: { version: string }[] }>(api, base);
  for (const version of versions) {
    if (served?.versions?.some(other => other.version === version) !== true) continue;
    const path = `${base}/${version}`;
    const resources = await discover<{ resources?: { name: string }[] }>(api, path);
    if (resources?.resources?.some(({ name }) => name === plural) === true) return `${path}/${plural}`;
  }
  return null;
}

async function discover<T>(api: Pick<ApiClient, 'get'>, path: string): Promise<T | null> {
  try {
    return await api.get<T>(path);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}
