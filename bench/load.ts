/** Load generators: wrk for HTTP/1.1 at full speed, h2load for HTTP/2 and for fixed rates. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface LoadResult {
  requests: number;
  failed: number;
  seconds: number;
  /** Milliseconds; only of runs with a fixed rate. */
  latencies: Float64Array;
}

export type LoadShape =
  | { kind: 'http1'; connections: number; seconds: number }
  | { kind: 'http2'; connections: number; streams: number; seconds: number }
  /** Requests per second over all connections. */
  | {
      kind: 'rate';
      protocol: 'http1' | 'http2';
      connections: number;
      streams: number;
      rate: number;
      seconds: number;
    };

async function wrk(url: string, connections: number, seconds: number): Promise<LoadResult> {
  const { stdout } = await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, url]);
  const total = /(\d+) requests in ([\d.]+)(m?s)/.exec(stdout);
  if (total === null) throw new Error(`wrk said:\n${stdout}`);
  const bad = /Non-2xx or 3xx responses: (\d+)/.exec(stdout);
  const socket = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout);
  const errors = socket === null ? 0 : socket.slice(1).reduce((sum, count) => sum + Number(count), 0);
  return {
    requests: Number(total[1]),
    failed: Number(bad?.[1] ?? 0) + errors,
    seconds: Number(total[2]),
    latencies: new Float64Array(),
  };
}

async function h2load(url: string, args: readonly string[], seconds: number): Promise<LoadResult> {
  const folder = mkdtempSync(join(tmpdir(), 'tulle-h2load-'));
  const log = join(folder, 'log');
  try {
    const { stdout } = await run('h2load', ['-D', String(seconds), '--log-file', log, ...args, url], {
      maxBuffer: 1 << 24,
    });
    const totals = /requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed/.exec(
      stdout,
    );
    if (totals === null) throw new Error(`h2load said:\n${stdout}`);
    const codes = /status codes: (\d+) 2xx/.exec(stdout);
    const done = Number(totals[2]);
    // One line per request: start in µs since the epoch, status, duration in µs.
    const latencies = readFileSync(log, 'utf8')
      .trimEnd()
      .split('\n')
      .map(line => Number(line.split('\t')[2]) / 1000);
    return {
      requests: done,
      failed: done - Number(codes?.[1] ?? 0),
      seconds,
      latencies: Float64Array.from(latencies),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function generate(url: string, shape: LoadShape): Promise<LoadResult> {
  switch (shape.kind) {
    case 'http1':
      return wrk(url, shape.connections, shape.seconds);
    case 'http2':
      return h2load(url, ['-t1', `-c${shape.connections}`, `-m${shape.streams}`], shape.seconds);
    case 'rate': {
      const args = [
        '-t1',
        `-c${shape.connections}`,
        `-m${shape.streams}`,
        `--rps=${shape.rate / shape.connections}`,
      ];
      return h2load(url, shape.protocol === 'http1' ? ['--h1', ...args] : args, shape.seconds);
    }
  }
}
