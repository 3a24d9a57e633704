import { createHash } from 'node:crypto';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cachedFolder, findTool, run, type Tool } from '../peers/tool-cache.ts';

const source = join(import.meta.dirname, 'grpc-go-client');
const files = ['main.go', 'go.mod', 'go.sum'];
const BUILD_MS = 400_000;

/** A client of grpc-go with xDS, built by Go once for each version of its source. */
export function findGoClient(): Promise<Tool<{ readonly program: string }>> {
  return findTool(async () => {
    const digest = createHash('sha256');
    for (const file of files) digest.update(readFileSync(join(source, file)));
    const name = `grpc-go-client-${digest.digest('hex').slice(0, 16)}`;
    const folder = await cachedFolder(name, async made => {
      for (const file of files) cpSync(join(source, file), join(made, file));
      await run('go', ['build', '-o', 'client', '.'], { cwd: made, timeout: BUILD_MS });
    });
    return { program: join(folder, 'client') };
  });
}
