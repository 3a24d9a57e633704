/**
 * `npm run build`: bundles the `tulle` command into dist/, with a chunk for what roles share, so that each role loads
 * only its own code. koffi is native and is laid out beside the bundle as a package.
 */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Metafile } from 'esbuild';

const repository = fileURLToPath(new URL('..', import.meta.url));
const dist = join(repository, 'dist');
const entry = 'cli/tulle.ts';

/** What a role must not load: path fragments of sources. */
const forbidden: Readonly<Record<string, readonly string[]>> = {
  'proxy/main.ts': ['control-plane/', 'injector/', 'cli/', '@kubernetes/', '@grpc/'],
  'control-plane/main.ts': ['proxy/', 'injector/'],
  'injector/main.ts': ['proxy/', 'control-plane/', '@kubernetes/', '@grpc/'],
  'injector/redirect/main.ts': ['proxy/', 'control-plane/', '@kubernetes/', '@grpc/', 'undici/'],
};

/** Outputs that are loaded with `output`, which is among them; what is imported dynamically is not. */
function loadedWith(output: string, { outputs }: Metafile): Set<string> {
  const loaded = new Set([output]);
  for (const at of loaded) {
    for (const { path, kind, external } of outputs[at].imports) {
      if (kind !== 'dynamic-import' && external !== true) loaded.add(path);
    }
  }
  return loaded;
}

/** Every forbidden source that a role would load. */
function violations(metafile: Metafile): string[] {
  const found: string[] = [];
  for (const [output, { entryPoint }] of Object.entries(metafile.outputs)) {
    const fragments = forbidden[entryPoint ?? ''] ?? [];
    const sources = [...loadedWith(output, metafile)].flatMap(at => Object.keys(metafile.outputs[at].inputs));
    for (const source of sources) {
      const path = source.replace('node_modules/', '');
      if (fragments.some(fragment => path.startsWith(fragment))) found.push(`${entryPoint} loads ${source}`);
    }
  }
  return found;
}

/** koffi's JavaScript and its binary for this machine; sources and other platforms stay behind. */
function layOutKoffi(): void {
  const require = createRequire(import.meta.url);
  const koffi = dirname(require.resolve('koffi'));
  const platform = `koffi-${process.platform}-${process.arch}`;
  const native = join(dirname(koffi), '@koromix', platform);
  const modules = join(dist, 'node_modules');
  const copies = [
    ...['package.json', 'index.js', 'index.cjs', 'src'].map(file => [koffi, 'koffi', file]),
    ...['package.json', 'index.js', `${process.platform}_${process.arch}`].map(file => [
      native,
      join('@koromix', platform),
      file,
    ]),
  ];
  for (const [from, to, file] of copies) {
    mkdirSync(join(modules, to), { recursive: true });
    cpSync(join(from, file), join(modules, to, file), {
      recursive: true,
      filter: path => !/\.(cc|hh|S|asm|inc|def|txt|d\.ts)$/.test(path),
    });
  }
}

rmSync(dist, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: repository,
  entryPoints: [entry],
  outdir: dist,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node26',
  external: ['koffi'],
  chunkNames: 'chunks/[name]-[hash]',
  legalComments: 'linked',
  metafile: true,
  // CommonJS dependencies ask for Node's modules with require, which a module does not have.
  banner: {
    js: "import { createRequire as tulleRequire } from 'node:module';\nconst require = tulleRequire(import.meta.url);",
  },
  logLevel: 'warning',
});
layOutKoffi();

const problems = violations(metafile);
if (problems.length > 0) throw new Error(`a role loads code of another:\n  ${problems.join('\n  ')}`);
for (const [output, { entryPoint }] of Object.entries(metafile.outputs)) {
  if (entryPoint === undefined) continue;
  const bytes = [...loadedWith(output, metafile)].reduce((sum, at) => sum + metafile.outputs[at].bytes, 0);
  console.log(`${entryPoint}: ${Math.round(bytes / 1024)} KiB`);
}
