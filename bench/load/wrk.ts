/** wrk: HTTP/1.1 at full speed. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LoadResult } from './load.ts';

const run = promisify(execFile);

/** Reads what wrk prints; throws if it is not a report. */
export function parseWrk(output: string): LoadResult {
  const total = /(\d+) requests in ([\d.]+)(ms|s|m)/.exec(output);
  if (total === null) throw new Error(`wrk said:\n${output}`);
  const bad = /Non-2xx or 3xx responses: (\d+)/.exec(output);
  const socket = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output);
  const errors = socket === null ? 0 : socket.slice(1).reduce((sum, count) => sum + Number(count), 0);
  const unit = { ms: 0.001, s: 1, m: 60 }[total[3]] ?? 1;
  return {
    requests: Number(total[1]),
    failed: Number(bad?.[1] ?? 0) + errors,
    seconds: Number(total[2]) * unit,
    latencies: new Float64Array(),
  };
}

/** @param upload bytes of the body of each request, which is then a POST; 0 for GET */
export async function wrk(
  url: string,
  connections: number,
  seconds: number,
  upload = 0,
): Promise<LoadResult> {
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`];
  if (upload === 0) return parseWrk((await run('wrk', [...args, url])).stdout);
  const folder = mkdtempSync(join(tmpdir(), 'tulle-wrk-'));
  try {
    const script = join(folder, 'post.lua');
    writeFileSync(script, `wrk.method = "POST"\nwrk.body = string.rep("x", ${upload})\n`);
    return parseWrk((await run('wrk', [...args, '-s', script, url])).stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
