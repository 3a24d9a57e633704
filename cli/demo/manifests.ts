/** Reads the Deployments of a folder of manifests: the little that the demo, as its own kubelet, needs of them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

export interface Deployment {
  name: string;
  namespace: string;
  replicas: number;
  labels: Record<string, string>;
  serviceAccount: string;
  args: string[];
  port: number;
  /** Name of that port, which a Service may have as its target; '' without one. */
  portName?: string;
  env: Record<string, string>;
}

interface DeploymentManifest {
  kind: string;
  metadata: { name: string; namespace?: string };
  spec: {
    replicas?: number;
    template: {
      metadata: { labels: Record<string, string> };
      spec: {
        serviceAccountName?: string;
        containers: {
          args?: string[];
          ports?: { containerPort: number; name?: string }[];
          env?: { name: string; value?: string }[];
        }[];
      };
    };
  };
}

export function readDeployments(folder: string): Deployment[] {
  const deployments: Deployment[] = [];
  for (const file of readdirSync(folder).toSorted()) {
    if (!/\.ya?ml$/.test(file)) continue;
    for (const document of parseAllDocuments(readFileSync(join(folder, file), 'utf8'))) {
      const manifest = document.toJS() as DeploymentManifest | null;
      if (manifest?.kind !== 'Deployment') continue;
      const { metadata, spec } = manifest;
      const [container] = spec.template.spec.containers;
      deployments.push({
        name: metadata.name,
        namespace: metadata.namespace ?? 'default',
        replicas: spec.replicas ?? 1,
        labels: spec.template.metadata.labels,
        serviceAccount: spec.template.spec.serviceAccountName ?? 'default',
        args: container.args ?? [],
        port: container.ports?.[0]?.containerPort ?? 0,
        portName: container.ports?.[0]?.name ?? '',
        env: Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value ?? ''])),
      });
    }
  }
  return deployments;
}
