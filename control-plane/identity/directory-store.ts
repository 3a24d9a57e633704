import { mkdirSync, watch } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AuthorityFiles } from './authority.ts';
import type { AuthorityStore } from './authority-store.ts';

/**
 * The authority as the files tls.crt, tls.key and ca.crt of a directory, for one control plane. Throws if the directory
 * cannot be made.
 */
export function directoryStore(directory: string): AuthorityStore {
  mkdirSync(directory, { recursive: true });
  return {
    name: `directory ${directory}`,
    read: () => readFiles(directory),
    async create(files) {
      // ca.crt comes last: who waits for the roots finds everything else in place.
      const contents = { 'tls.key': files.key, 'tls.crt': files.certificate, 'ca.crt': files.roots };
      const names = Object.entries(contents);
      for (const [name, text] of names) {
        await writeFile(join(directory, `.${name}`), text, { mode: name === 'tls.key' ? 0o600 : 0o644 });
      }
      for (const [name] of names) await rename(join(directory, `.${name}`), join(directory, name));
      return files;
    },
    watch(changed) {
      const watcher = watch(directory, { persistent: false }, changed);
      watcher.on('error', () => watcher.close());
      return () => watcher.close();
    },
  };
}

/** null only if none of the files is there: half an authority is a problem to be told, not one to be overwritten. */
async function readFiles(directory: string): Promise<AuthorityFiles | null> {
  const [certificate, key, roots] = await Promise.all(
    ['tls.crt', 'tls.key', 'ca.crt'].map(file => optional(join(directory, file))),
  );
  if (certificate === null && key === null && roots === null) return null;
  return { certificate: certificate ?? '', key: key ?? '', roots: roots ?? '' };
}

const optional = (path: string): Promise<string | null> =>
  readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
