/** `tulle injection`: which pods of the cluster have a sidecar, and why the others have none. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { NamespaceFacts } from '../../injector/decide/decision.ts';
import type { ObjectMeta } from '../../injector/pod.ts';
import { ApiClient } from '../../runtime/kubernetes/api-client.ts';
import { findCredentials } from '../../runtime/kubernetes/credentials.ts';
import { UsageError } from '../usage.ts';
import { format, report, type StoredPod } from './report.ts';

const usage = `usage: tulle injection [-n NAMESPACE]

Lists pods, whether they have a sidecar, and the reason. Uses KUBECONFIG, or ~/.kube/config. Ends with 1 if a pod asks for
a sidecar and has none.`;

interface List<T> {
  items: T[];
}

function environment(): NodeJS.ProcessEnv {
  const usual = join(homedir(), '.kube', 'config');
  return process.env.KUBECONFIG === undefined && existsSync(usual)
    ? { ...process.env, KUBECONFIG: usual }
    : process.env;
}

async function read(
  client: ApiClient,
  only: string | undefined,
): Promise<[StoredPod[], Map<string, NamespaceFacts>]> {
  const where = only === undefined ? '' : `/namespaces/${encodeURIComponent(only)}`;
  // Those that have ended take part in nothing.
  const path = `/api/v1${where}/pods?fieldSelector=status.phase!%3DSucceeded,status.phase!%3DFailed`;
  const [pods, namespaces] = await Promise.all([
    client.get<List<StoredPod>>(path),
    client.get<List<{ metadata: ObjectMeta }>>('/api/v1/namespaces'),
  ]);
  const facts = namespaces.items.map(({ metadata }): [string, NamespaceFacts] => {
    const { name, annotations = {}, labels = {} } = metadata;
    return [name, { name, annotations, labels }];
  });
  return [pods.items, new Map(facts)];
}

function options(args: readonly string[]): { help?: boolean; namespace?: string } {
  try {
    return parseArgs({
      args: [...args],
      options: { help: { type: 'boolean', short: 'h' }, namespace: { type: 'string', short: 'n' } },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${usage}`);
  }
}

export async function main(args: readonly string[]): Promise<void> {
  const { help, namespace } = options(args);
  if (help === true) {
    console.log(usage);
    return;
  }
  const client = new ApiClient(await findCredentials(environment()));
  try {
    const lines = report(...(await read(client, namespace)));
    process.stdout.write(format(lines));
    if (lines.some(({ state }) => state === 'missing' || state === 'refused')) process.exitCode = 1;
  } finally {
    await client.close();
  }
}
