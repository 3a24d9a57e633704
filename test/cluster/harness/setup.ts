/** Once before all files: a cluster, the image, the installation. */
import { fileURLToPath } from 'node:url';
import { systemNamespace } from '../../../api/installation.ts';
import { hasKit, importImage, kit, tulleImage } from './images.ts';
import { kubectl, rolledOut } from './kubectl.ts';
import { must, run } from './run.ts';

/** The `tulle` command. */
export const tulle = fileURLToPath(new URL('../../../cli/tulle.ts', import.meta.url));

/** Sets what the kit's `env` prints, and starts its cluster; returns whether the cluster under test is the kit's. */
export async function useCluster(): Promise<boolean> {
  const given = process.env.KUBECONFIG;
  if (!hasKit()) {
    if (given === undefined) throw new Error('set KUBECONFIG to the cluster to test against');
    return false;
  }
  const printed = await must(`${kit}/env`, []);
  const own = /KUBECONFIG=(\S+)/.exec(printed)?.[1];
  const path = /PATH=([^:]+)/.exec(printed)?.[1];
  if (own === undefined || path === undefined)
    throw new Error(`the kit's env prints something else: ${printed}`);
  process.env.PATH = `${path}:${process.env.PATH}`;
  if (given !== undefined && given !== own) return false;
  await must(`${kit}/up`, []);
  process.env.KUBECONFIG = own;
  return true;
}

/** Manifests of the installation under test, YAML. */
export function installManifests(): Promise<string> {
  return must(process.execPath, [tulle, 'install', '--image', tulleImage, '--log-level', 'debug']);
}

/** Builds the image, where the cluster is the kit's, and installs Tulle, or brings it up to date. */
export async function install(ofKit: boolean): Promise<void> {
  await importImage(ofKit);
  // An earlier installation may be on its way out.
  const namespace = `namespace/${systemNamespace}`;
  const leaving = await kubectl('get', namespace, '--ignore-not-found', '-o', 'jsonpath={.status.phase}');
  if (leaving === 'Terminating') await kubectl('wait', namespace, '--for=delete', '--timeout=120s');
  await must('kubectl', ['apply', '-f', '-'], { input: await installManifests() });
  // The image has changed under the same name.
  await kubectl('rollout', 'restart', '-n', systemNamespace, 'deployment');
  await rolledOut('tulle-injector', systemNamespace, 120);
  await rolledOut('tulle-control-plane', systemNamespace, 120);
}

export async function setup(): Promise<void> {
  await install(await useCluster());
}

/** What the tests leave: nothing but the cluster and its images. TULLE_KEEP=1 keeps the installation too. */
export async function teardown(): Promise<void> {
  if (process.env.TULLE_KEEP !== '1') await uninstall();
}

export async function uninstall(): Promise<void> {
  await run('kubectl', ['delete', '--ignore-not-found', '--wait=false', '-f', '-'], {
    input: await installManifests(),
  });
}
