/**
 * The image of the test application: Node.js, curl and a shell, and the bundle in /app. It is made and imported once
 * before all cluster tests, unless TULLE_TEST_IMAGE names one that the cluster has already (test/apps/Containerfile).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kit } from '../cluster/harness/images.ts';
import { must } from '../cluster/harness/run.ts';
import { isKitCluster } from '../cluster/mesh/kit-cluster.ts';
import { bundle } from './bundle.ts';

export const testImage = process.env.TULLE_TEST_IMAGE ?? 'localhost/tulle-test:dev';

/** vitest's globalSetup, after the one that makes sure of the cluster. */
export async function setup(): Promise<void> {
  if (process.env.TULLE_TEST_IMAGE !== undefined) return;
  if (!(await isKitCluster()))
    throw new Error(
      'TULLE_TEST_IMAGE must name an image of test/apps/Containerfile that the cluster can have',
    );
  const directory = mkdtempSync(join(tmpdir(), 'tulle-test-image-'));
  try {
    const root = join(directory, 'root');
    await bundle(join(directory, 'app'));
    const paths = [`${process.execPath}=/usr/local/bin/node`, '/usr/bin/curl', `${directory}/app=/app`];
    await must(join(kit, 'rootfs'), [root, ...paths]);
    const start = ['/usr/local/bin/node', '/app/main.mjs'];
    await must(join(kit, 'image'), ['-u', '1000:1000', '-w', '/tmp', testImage, root, ...start]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
