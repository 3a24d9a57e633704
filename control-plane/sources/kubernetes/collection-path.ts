import { type ApiClient, orAbsent } from '../../../runtime/kubernetes/api-client.ts';
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
  const served = await api.get<{ versions?: { version: string }[] }>(base).catch(orAbsent);
  for (const version of versions) {
    if (served?.versions?.some(other => other.version === version) !== true) continue;
    const path = `${base}/${version}`;
    const resources = await api.get<{ resources?: { name: string }[] }>(path).catch(orAbsent);
    if (resources?.resources?.some(({ name }) => name === plural) === true) return `${path}/${plural}`;
  }
  return null;
}

/** Path of one object of a collection over all namespaces. */
export function objectPath(collection: string, namespace: string, name: string): string {
  const end = collection.lastIndexOf('/');
  return `${collection.slice(0, end)}/namespaces/${namespace}${collection.slice(end)}/${name}`;
}
