/** Namespaces of one test file, and the objects that tests put there. */
import { testImage } from '../../apps/image.ts';
import { apply, type KubernetesObject, kubectl } from './kubectl.ts';

/** A Namespace. The webhook makes the label out of the annotation. */
export function namespace(name: string, annotations: Record<string, string> = {}): KubernetesObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, annotations } };
}

export const enabled = { 'tulle.dev/inject': 'enabled' };
export const disabled = { 'tulle.dev/inject': 'disabled' };

export interface PodOptions {
  annotations?: Record<string, string>;
  labels?: Record<string, string>;
  /** Members of the spec besides containers. */
  spec?: object;
  /** Members of the container besides name, image and args. */
  container?: object;
}

/** A pod whose container `app` runs a role of the test application, `['server']`. */
export function pod(
  of: string,
  name: string,
  args: readonly string[],
  options: PodOptions = {},
): KubernetesObject {
  const { annotations = {}, labels = {}, spec = {}, container = {} } = options;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: of, annotations, labels },
    spec: {
      terminationGracePeriodSeconds: 5,
      containers: [{ name: 'app', image: testImage, args, ...container }],
      ...spec,
    },
  };
}

/** Deletes namespaces that an earlier run has left, with what is in them, and creates them anew. */
export async function freshNamespaces(...namespaces: KubernetesObject[]): Promise<void> {
  const names = namespaces.map(({ metadata }) => String(metadata.name));
  await kubectl('delete', 'namespace', '--ignore-not-found', '--timeout=60s', ...names);
  await apply(...namespaces);
}

export async function deleteNamespaces(...names: string[]): Promise<void> {
  await kubectl('delete', 'namespace', '--ignore-not-found', '--wait=false', ...names);
}
