/** The borders between planes (docs/architecture.md) are lint rules; each is proved by a planted violation. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tulle-borders-'));
  // Rules that need types look for the whole program; borders are judged by imports alone.
  const config = readFileSync(join(ROOT, '.oxlintrc.json'), 'utf8').replace(
    '"typeAware": true',
    '"typeAware": false',
  );
  writeFileSync(join(folder, '.oxlintrc.json'), config);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What the linter says of a file with one import. The target need not exist for the rule to judge it. */
function lint(file: string, imported: string): string {
  const path = join(folder, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `import * as planted from '${imported}';\n\nexport const use = planted;\n`);
  try {
    execFileSync(join(ROOT, 'node_modules/.bin/oxlint'), [file], {
      cwd: folder,
      encoding: 'utf8',
    });
    return '';
  } catch (error) {
    return (error as { stdout: string }).stdout;
  } finally {
    rmSync(path);
  }
}

const FORBIDDEN: [file: string, imported: string][] = [
  ['api/planted.ts', '../proxy/main.ts'],
  ['runtime/planted.ts', '../control-plane/main.ts'],
  ['proxy/planted.ts', '../control-plane/model/model.ts'],
  ['proxy/route/planted.ts', '../../injector/main.ts'],
  ['proxy/listener/planted.ts', '../../control-plane/model/model.ts'],
  ['control-plane/planted.ts', '../proxy/main.ts'],
  ['injector/planted.ts', '../control-plane/main.ts'],
  ['proxy/route/planted.ts', 'node:net'],
  ['proxy/http2/planted.ts', 'node:tls'],
  ['proxy/exchange/planted.ts', 'undici'],
  ['control-plane/translate/planted.ts', '@kubernetes/client-node'],
  ['control-plane/xds/planted.ts', '../sources/directory/source.ts'],
];

test.each(FORBIDDEN)('%s may not import %s', (file, imported) => {
  expect(lint(file, imported)).toContain('docs/architecture.md, Borders');
});

const ALLOWED: [file: string, imported: string][] = [
  ['proxy/planted.ts', '../api/ports.ts'],
  ['proxy/planted.ts', '../runtime/clock.ts'],
  ['proxy/listener/planted.ts', 'node:net'],
  ['proxy/upstream/planted.ts', 'node:tls'],
  ['control-plane/sources/planted.ts', '@kubernetes/client-node'],
  ['cli/planted.ts', '../proxy/main.ts'],
];

test.each(ALLOWED)('%s may import %s', (file, imported) => {
  expect(lint(file, imported)).toBe('');
});
