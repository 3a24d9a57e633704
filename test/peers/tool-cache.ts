/** Programs of other projects that judge the sidecar, made once per machine in the user's cache folder. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

export const run = promisify(execFile);

/** A tool, or why it is not there. */
export type Tool<T> =
  | ({ readonly kind: 'ready' } & T)
  | { readonly kind: 'missing'; readonly reason: string };

/**
 * The folder of a tool. If it is not there, `make` fills a temporary folder, which takes its place when it is complete:
 * several tests may want it at the same time, and the first one wins.
 */
export async function cachedFolder(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const folder = join(cache, 'tulle', name);
  if (existsSync(folder)) return folder;
  mkdirSync(dirname(folder), { recursive: true });
  const made = mkdtempSync(`${folder}.`);
  try {
    await make(made);
    if (!existsSync(folder)) renameSync(made, folder);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
  return folder;
}

/** Looks for a tool; what `find` throws is why it is missing. */
export async function findTool<T>(find: () => Promise<T>): Promise<Tool<T>> {
  try {
    return { kind: 'ready', ...(await find()) };
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    return { kind: 'missing', reason: (stderr || message).trim().split('\n').slice(-3).join(' ') };
  }
}
