import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Path of each manifest file of a directory, and what changes when the file does. */
export type Scan = ReadonlyMap<string, string>;

const MANIFEST = /\.(ya?ml|json)$/i;

/** Files and folders with a leading dot are passed over: editors' copies, and the inner folders of mounted ConfigMaps. */
function isManifest(entry: Dirent): boolean {
  return !entry.name.startsWith('.') && MANIFEST.test(entry.name);
}

async function collect(directory: string, files: Map<string, string>): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory() && !entry.name.startsWith('.')) await collect(path, files);
    else if (isManifest(entry)) {
      // Follows symbolic links; a file that has gone since is not there.
      const stats = await stat(path).catch(() => null);
      if (stats?.isFile() === true)
        files.set(path, `${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`);
    }
  }
}

/** Looks at a directory and the folders in it. Rejects if it cannot be read. */
export async function scanDirectory(directory: string): Promise<Scan> {
  const files = new Map<string, string>();
  await collect(directory, files);
  return files;
}
