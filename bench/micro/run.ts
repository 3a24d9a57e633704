/**
 * All microbenchmarks, one process each: what one leaves on the heap or teaches the compiler is not the next one's.
 * Run: npx node bench/micro/run.ts [NAME]...
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const SUFFIX = '.bench.ts';
const names = readdirSync(import.meta.dirname)
  .filter(file => file.endsWith(SUFFIX))
  .map(file => file.slice(0, -SUFFIX.length));
const wanted = process.argv.slice(2);
const unknown = wanted.find(name => !names.includes(name));
if (unknown !== undefined) throw new Error(`no microbenchmark ${unknown}; there are ${names.join(', ')}`);

for (const name of wanted.length > 0 ? wanted : names) {
  process.stdout.write(`\n# ${name}\n`);
  const file = join(import.meta.dirname, name + SUFFIX);
  const { status } = spawnSync(process.execPath, ['--expose-gc', file], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
