/** Load generators of our own: programs that Node runs in a process of their own, for what wrk and h2load do not speak. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LoadResult } from './load.ts';

const run = promisify(execFile);

/** What such a program prints, as JSON. */
export interface ProgramResult {
  requests: number;
  failed: number;
  seconds: number;
}

export async function program(
  name: string,
  { host, port }: { host: string; port: number },
  args: readonly number[],
): Promise<LoadResult> {
  const file = join(import.meta.dirname, `${name}.ts`);
  const { stdout } = await run(process.execPath, [file, host, String(port), ...args.map(String)]);
  return { ...(JSON.parse(stdout) as ProgramResult), latencies: new Float64Array() };
}
