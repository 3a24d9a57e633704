import { join } from 'node:path';
import { hasKit, kit } from '../harness/images.ts';
import { run } from '../harness/run.ts';

/** Whether the cluster under test is the one of ../shared/cluster, which is the tests' own to do with as they need. */
export async function isKitCluster(): Promise<boolean> {
  if (!hasKit()) return false;
  const { stdout } = await run(join(kit, 'env'), []);
  return stdout.includes(`KUBECONFIG=${process.env.KUBECONFIG} `);
}
