import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

test('every flag is one that V8 knows', () => {
  const program = `import { setEngineFlags } from ${JSON.stringify(new URL('engine-flags.ts', import.meta.url).href)}; setEngineFlags();`;
  // V8 names what it does not know on standard error, and goes on.
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
});
