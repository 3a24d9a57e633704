/**
 * Prometheus' discovery of pods (kubernetes_sd_configs, role pod), as HTTP discovery: Debian's Prometheus is built without
 * the former. Targets and labels are those of
 * https://prometheus.io/docs/prometheus/latest/configuration/configuration/#pod
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { kubectl } from '../harness/kubectl.ts';

interface Container {
  ports?: { containerPort: number }[];
}

interface Pod {
  metadata: { name: string; namespace: string; annotations?: Record<string, string> };
  spec: { initContainers?: Container[]; containers: Container[] };
  status: { podIP?: string };
}

interface TargetGroup {
  targets: string[];
  labels: Record<string, string>;
}

/** One target for each port that a container declares, and one without a port for a container that declares none. */
function groupOf({ metadata, spec, status }: Pod): TargetGroup[] {
  const { podIP } = status;
  if (podIP === undefined) return [];
  const labels = Object.entries(metadata.annotations ?? {}).map(([name, value]) => [
    `__meta_kubernetes_pod_annotation_${name.replaceAll(/[^a-zA-Z0-9_]/g, '_')}`,
    value,
  ]);
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  const targets = containers.flatMap(({ ports = [] }) =>
    ports.length === 0 ? [podIP] : ports.map(({ containerPort }) => `${podIP}:${containerPort}`),
  );
  return [
    {
      targets,
      labels: {
        ...Object.fromEntries(labels),
        __meta_kubernetes_namespace: metadata.namespace,
        __meta_kubernetes_pod_name: metadata.name,
      },
    },
  ];
}

export interface PodDiscovery {
  url: string;
  close(): Promise<void>;
}

/** Serves the pods of a namespace, as they are when it is asked. */
export async function servePodDiscovery(namespace: string): Promise<PodDiscovery> {
  const server = createServer((_request, response) => {
    kubectl('get', 'pod', '-n', namespace, '-o', 'json').then(
      output => {
        const { items } = JSON.parse(output) as { items: Pod[] };
        response.setHeader('content-type', 'application/json').end(JSON.stringify(items.flatMap(groupOf)));
      },
      (error: Error) => response.writeHead(500).end(error.message),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('discovery listens nowhere');
  return {
    url: `http://127.0.0.1:${address.port}/`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
