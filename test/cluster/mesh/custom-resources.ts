/** The definitions that users bring: Gateway API's and SMI's. */
import { join } from 'node:path';
import { controlPlaneName, systemNamespace } from '../../../api/installation.ts';
import { kit } from '../harness/images.ts';
import { eventually, kubectl, tryKubectl } from '../harness/kubectl.ts';
import { must } from '../harness/run.ts';
import { isKitCluster } from './kit-cluster.ts';

export interface Definitions {
  /** One of them, by which it is seen whether they are there. */
  crd: string;
  /** All of them. */
  group: string;
  /** Kind of the objects that tests make. */
  resource: string;
  install(): Promise<void>;
  /** Whether they can be installed from here. */
  available(): Promise<boolean>;
}

const gatewayApiCommand = join(kit, 'gateway-api-crds');

export const gatewayApi: Definitions = {
  crd: 'httproutes.gateway.networking.k8s.io',
  group: 'gateway.networking.k8s.io',
  resource: 'httproutes.gateway.networking.k8s.io',
  available: isKitCluster,
  install: async () => {
    await must(gatewayApiCommand, []);
  },
};

const manifest = join(import.meta.dirname, '../manifests/traffic-split-crd.yaml');

export const trafficSplits: Definitions = {
  crd: 'trafficsplits.split.smi-spec.io',
  group: 'split.smi-spec.io',
  resource: 'trafficsplits.split.smi-spec.io',
  available: () => Promise.resolve(true),
  install: async () => {
    await kubectl('apply', '-f', manifest);
    await kubectl('wait', '-f', manifest, '--for=condition=Established', '--timeout=30s');
  },
};

export async function isInstalled({ crd }: Definitions): Promise<boolean> {
  return (await tryKubectl(['get', 'crd', crd])).code === 0;
}

/** Null once the cluster has them, or why it has not. */
export async function ensure(definitions: Definitions): Promise<string | null> {
  if (await isInstalled(definitions)) return null;
  if (!(await definitions.available()))
    return `the cluster has no ${definitions.crd}, and they cannot be had here`;
  await definitions.install();
  return null;
}

/**
 * Takes the definitions away, so that a test can bring them while Tulle runs. Returns why not: on a cluster that is not
 * the kit's nothing is taken away, and nowhere if there are objects of theirs.
 */
export async function takeAway(definitions: Definitions): Promise<string | null> {
  if (!(await definitions.available())) return `${definitions.crd} cannot be installed from here`;
  if (!(await isInstalled(definitions))) return null;
  if (!(await isKitCluster()))
    return `${definitions.crd} is installed in this cluster, which is not the test's own`;
  try {
    // Objects of namespaces that are just being deleted.
    await eventually('no objects', async () => {
      const objects = await kubectl('get', definitions.resource, '-A', '-o', 'name');
      return objects.trim() === '' ? true : null;
    });
  } catch {
    return `there are objects of ${definitions.crd}`;
  }
  const names = (await kubectl('get', 'crd', '-o', 'name'))
    .split('\n')
    .filter(name => name.endsWith(`.${definitions.group}`));
  await kubectl('delete', '--timeout=60s', ...names);
  return null;
}

/** Since when the control plane's pods have run, as the API server says it; the latest of them. */
export async function controlPlaneStart(): Promise<Date> {
  const selector = `app.kubernetes.io/name=${controlPlaneName}`;
  const path = 'jsonpath={.items[*].status.startTime}';
  const times = await kubectl('get', 'pod', '-n', systemNamespace, '-l', selector, '-o', path);
  return new Date(Math.max(...times.split(' ').map(time => Date.parse(time))));
}
