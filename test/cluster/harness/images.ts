/** The image under test, and how it comes into the cluster. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { must } from './run.ts';

/** Root of this repository. */
export const repository = fileURLToPath(new URL('../../..', import.meta.url));
/** The kit that starts a cluster on this machine (its README). */
export const kit = join(repository, '../shared/cluster');

/** Image of Tulle. TULLE_IMAGE names one that the cluster has already; then nothing is built. */
export const tulleImage = process.env.TULLE_IMAGE ?? 'localhost/tulle:dev';

async function importTulle(): Promise<void> {
  await must(process.execPath, [join(repository, 'deploy/build.ts')]);
  const directory = mkdtempSync(join(tmpdir(), 'tulle-image-'));
  try {
    const root = join(directory, 'root');
    await must(process.execPath, [join(repository, 'deploy/rootfs.ts'), root]);
    const entrypoint = [
      '/usr/local/bin/node',
      '--disable-sigusr1',
      '--disable-proto=delete',
      '/app/tulle.js',
    ];
    await must(join(kit, 'image'), ['-u', '14337:14337', '-w', '/app', tulleImage, root, ...entrypoint]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Builds and imports the image, unless one is named. Throws if the cluster is not the kit's and none is. */
export async function importImage(ofKit: boolean): Promise<void> {
  if (process.env.TULLE_IMAGE !== undefined) return;
  if (!ofKit) throw new Error('TULLE_IMAGE must name an image of Tulle that the cluster has');
  await importTulle();
}

export const hasKit = (): boolean => existsSync(join(kit, 'up'));
