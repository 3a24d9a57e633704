/** What the suite expects of a cluster, besides a mesh. */
import { apply, type KubernetesObject, kubectl, waitFor } from '../cluster/harness/kubectl.ts';
import type { BuiltSuite } from './build-suite.ts';

/** v1.6.1 waits, for a mesh too, for a ready pod in each of two namespaces that it makes only for gateways. */
const forGateways = ['gateway-conformance-app-backend', 'gateway-conformance-web-backend'];

const namespaceOf = (name: string): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name },
});

/**
 * Installs Gateway API's CRDs where there are none, deletes what an earlier run has left, so that all pods are created anew
 * and injected by the mesh that is there now, and makes what the suite waits for.
 */
export async function prepareCluster({ crds, image }: BuiltSuite): Promise<void> {
  const crd = 'crd/httproutes.gateway.networking.k8s.io';
  if ((await kubectl('get', crd, '--ignore-not-found', '-o', 'name')) === '') {
    await kubectl('apply', '--server-side', '-f', crds);
    await kubectl('wait', crd, '--for=condition=Established', '--timeout=60s');
  }
  const names = (await kubectl('get', 'namespaces', '-o', 'name')).split('\n');
  const old = names.filter(name => name.startsWith('namespace/gateway-conformance-'));
  if (old.length > 0) await kubectl('delete', '--timeout=120s', ...old);
  const container = { name: 'stand-in', image, args: ['--port=8080'] };
  await apply(
    ...forGateways.flatMap(namespace => [
      namespaceOf(namespace),
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'stand-in', namespace },
        spec: { containers: [container] },
      },
    ]),
  );
  for (const namespace of forGateways) await waitFor('pod/stand-in', 'condition=Ready', namespace, 120);
}
