/** Images of the tests, and how they come into the cluster. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { must } from './run.ts';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
/** The kit that starts a cluster on this machine (its README). */
export const kit = join(repository, '../shared/cluster');

/** Image of Tulle. TULLE_IMAGE names one that the cluster has already; then nothing is built. */
export const tulleImage = process.env.TULLE_IMAGE ?? 'localhost/tulle:dev';

/** Image of the applications: Node.js, curl and a shell, and the scripts of test/cluster/apps in /apps. */
export const appImage = process.env.TULLE_TEST_APP_IMAGE ?? 'localhost/tulle-test-app:dev';

async function withDirectory(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'tulle-image-'));
  try {
    await use(join(directory, 'root'));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function importTulle(): Promise<void> {
  await must(process.execPath, [join(repository, 'deploy/build.ts')]);
  await withDirectory(async root => {
    await must(process.execPath, [join(repository, 'deploy/rootfs.ts'), root]);
    const entrypoint = [
      '/usr/local/bin/node',
      '--disable-sigusr1',
      '--disable-proto=delete',
      '/app/tulle.js',
    ];
    await must(join(kit, 'image'), ['-u', '14337:14337', '-w', '/app', tulleImage, root, ...entrypoint]);
  });
}

async function importApps(): Promise<void> {
  await withDirectory(async root => {
    await must(join(kit, 'rootfs'), [root, `${process.execPath}=/usr/local/bin/node`, '/usr/bin/curl']);
    mkdirSync(join(root, 'apps'), { recursive: true });
    cpSync(join(dirname(import.meta.dirname), 'apps'), join(root, 'apps'), { recursive: true });
    await must(join(kit, 'image'), ['-u', '1000:1000', '-w', '/apps', appImage, root, '/usr/local/bin/node']);
  });
}

/** Builds and imports both images, unless they are given. Throws if the cluster is not the kit's and they are not. */
export async function importImages(ofKit: boolean): Promise<void> {
  const missing = ['TULLE_IMAGE', 'TULLE_TEST_APP_IMAGE'].filter(name => process.env[name] === undefined);
  if (missing.length > 0 && !ofKit) {
    throw new Error(
      `${missing.join(' and ')} must name images that the cluster has; see test/cluster/harness/images.ts`,
    );
  }
  if (process.env.TULLE_IMAGE === undefined) await importTulle();
  if (process.env.TULLE_TEST_APP_IMAGE === undefined) await importApps();
}

export const hasKit = (): boolean => existsSync(join(kit, 'up'));
