/** What `tulle install` prints: plain manifests, the same for the same options. */
import { stringify } from 'yaml';
import { injectorName, systemNamespace, webhookSecretName } from '../../api/installation.ts';
import { type KubernetesObject, metadataOf } from './object.ts';
import type { InstallOptions } from './options.ts';
import { accounts } from './rbac.ts';
import { webhookConfiguration } from './webhooks.ts';
import { workloads } from './workloads.ts';

/** Control plane and injector satisfy the strictest Pod Security level, and nothing else is to run here. */
const namespace: KubernetesObject = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name: systemNamespace,
    labels: {
      'app.kubernetes.io/part-of': 'tulle',
      'pod-security.kubernetes.io/enforce': 'restricted',
      'pod-security.kubernetes.io/warn': 'restricted',
    },
  },
};

/** Empty: the injector fills it in, and needs no right to create Secrets. Applying it again leaves the data alone. */
const webhookSecret: KubernetesObject = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: metadataOf(injectorName, webhookSecretName),
  type: 'Opaque',
};

/** All objects, each after those that it needs. */
export function manifests(options: InstallOptions): KubernetesObject[] {
  return [namespace, ...accounts(), webhookSecret, ...workloads(options), webhookConfiguration()];
}

export function render(objects: readonly KubernetesObject[]): string {
  return objects
    .map(object => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }))
    .join('---\n');
}
