import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cachedFolder, findTool, run, type Tool } from './tool-cache.ts';

const BUILD_MS = 240_000;

/** The folder with these packages' programs, built by Go once per machine. */
export function goInstalled(name: string, packages: readonly string[]): Promise<string> {
  return cachedFolder(name, async made => {
    await run('go', ['install', ...packages], { env: { ...process.env, GOBIN: made }, timeout: BUILD_MS });
  });
}

/** A program in Go: the one that the environment variable names, otherwise the last element of the package's path, built. */
export function findGoProgram(
  variable: string,
  path: string,
  version: string,
): Promise<Tool<{ readonly path: string }>> {
  return findTool(async () => {
    const given = process.env[variable];
    if (given !== undefined) {
      if (!existsSync(given)) throw new Error(`${variable} is ${given}, which does not exist`);
      return { path: given };
    }
    const name = path.slice(path.lastIndexOf('/') + 1);
    const folder = await goInstalled(`${variable.toLowerCase()}-${version}`, [`${path}@${version}`]);
    return { path: join(folder, name) };
  });
}
