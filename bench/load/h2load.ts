/** h2load: HTTP/2, and either protocol at a fixed rate. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LoadResult } from './load.ts';

const run = promisify(execFile);

/** Counts of what h2load prints; throws if it is not a report. */
export function parseH2load(output: string): { requests: number; failed: number } {
  const totals = /requests: \d+ total, \d+ started, (\d+) done, \d+ succeeded, \d+ failed/.exec(output);
  if (totals === null) throw new Error(`h2load said:\n${output}`);
  const codes = /status codes: (\d+) 2xx/.exec(output);
  const requests = Number(totals[1]);
  // An answer that is under way at the end has a status and is not done.
  return { requests, failed: Math.max(0, requests - Number(codes?.[1] ?? 0)) };
}

/** Milliseconds of each request, from lines of its start in µs since the epoch, its status and its duration in µs. */
export function parseLatencies(log: string): Float64Array {
  const lines = log.split('\n').filter(line => line !== '');
  return Float64Array.from(lines, line => Number(line.split('\t')[2]) / 1000);
}

export async function h2load(url: string, args: readonly string[], seconds: number): Promise<LoadResult> {
  const folder = mkdtempSync(join(tmpdir(), 'tulle-h2load-'));
  const log = join(folder, 'log');
  try {
    const all = ['-t1', '-D', String(seconds), '--log-file', log, ...args, url];
    const { stdout } = await run('h2load', all, { maxBuffer: 1 << 24 });
    return { ...parseH2load(stdout), seconds, latencies: parseLatencies(readFileSync(log, 'utf8')) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
