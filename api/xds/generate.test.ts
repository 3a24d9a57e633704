import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect, test } from 'vitest';

const folder = import.meta.dirname;
const programs = join(folder, '../../node_modules/.bin');

test('the generated code is what `npm run generate` makes of the .proto files', () => {
  const output = mkdtempSync(join(tmpdir(), 'tulle-generate-'));
  try {
    const env = { ...process.env, PATH: `${programs}${delimiter}${process.env.PATH}` };
    execFileSync(join(programs, 'buf'), ['generate', '--output', output], {
      cwd: folder,
      env,
      stdio: 'pipe',
    });
    const made = contents(join(output, 'gen'));
    const committed = contents(join(folder, 'gen'));
    expect([...committed.keys()]).toEqual([...made.keys()]);
    const differing = [...made].filter(([name, text]) => committed.get(name) !== text).map(([name]) => name);
    expect(differing, 'run `npm run generate` and commit the result').toEqual([]);
  } finally {
    rmSync(output, { recursive: true });
  }
});

function contents(root: string): Map<string, string> {
  const names = globSync('**/*.ts', { cwd: root }).sort();
  return new Map(names.map(name => [name, readFileSync(join(root, name), 'utf8')]));
}
