/** `node test/apps/bundle.ts DIR`: bundles the test application into a directory: main.mjs, and a chunk for each role. */
import { join } from 'node:path';
import { build } from 'esbuild';

export async function bundle(outdir: string): Promise<void> {
  await build({
    entryPoints: [join(import.meta.dirname, 'main.ts')],
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    outExtension: { '.js': '.mjs' },
    // CommonJS dependencies ask for Node's modules with require, which a module does not have.
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module';\nconst require = makeRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
}

if (import.meta.main) await bundle(process.argv[2] ?? 'dist-test');
