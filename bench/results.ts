/** Results as files of bench/results, one a program, from which the README's tables are made. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { IdleConnections } from './idle-connections.ts';
import type { Measurement } from './measurement.ts';

const FOLDER = join(import.meta.dirname, 'results');

/** Where and when something was measured. */
export interface Circumstances {
  date: string;
  machine: string;
}

/** What `npm run bench` measures. */
export interface SideBySide extends Circumstances {
  /** By proxy. */
  versions: Record<string, string>;
  runs: number;
  seconds: number;
  measurements: Measurement[];
  idle: IdleConnections[];
  /** ms from exec to ready, in the order of the starts. */
  starts: number[];
}

/** What soak.ts measures. */
export interface Soak extends Circumstances {
  /** Requests a second, and seconds of it. */
  rate: number;
  seconds: number;
  requests: number;
  failed: number;
  latency: { p50: number; p99: number; p999: number };
  /** Seconds since the load began, and MiB of private memory of the client's and the server's sidecar. */
  samples: [seconds: number, client: number, server: number][];
}

/** Cost of one function of the hot path as something grows. */
export interface FunctionCurve {
  function: string;
  /** What grows. */
  of: string;
  sizes: number[];
  /** Nanoseconds a call, for each size. */
  ns: number[];
}

/** Cost of a request through a whole proxy as something grows. */
export interface ProxyCurve {
  proxy: string;
  of: string;
  sizes: number[];
  /** µs of CPU a request, and MiB of private memory under load, for each size. */
  cpu: number[];
  memory: number[];
}

/** What curves/run.ts measures. */
export interface Curves extends Circumstances {
  functions: FunctionCurve[];
  proxies: ProxyCurve[];
}

export function circumstances(): Circumstances {
  const processors = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${processors.length} × ${processors[0].model.trim()}, Node ${process.version}`,
  };
}

/** One line for each member of a list, so that a difference between two files can be read. */
function format(results: object): string {
  const members = Object.entries(results).map(([name, value]) => {
    const text = Array.isArray(value)
      ? `[\n  ${value.map(member => JSON.stringify(member)).join(',\n  ')}\n ]`
      : JSON.stringify(value);
    return ` ${JSON.stringify(name)}: ${text}`;
  });
  return `{\n${members.join(',\n')}\n}\n`;
}

export function saveResults(name: string, results: object): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, `${name}.json`), format(results));
}

/** null if nothing has been saved. */
export function readResults<T>(name: string): T | null {
  try {
    return JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
