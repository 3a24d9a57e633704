/**
 * Side-by-side benchmark: every proxy through every scenario, interleaved, several times; prints medians with their
 * spread and Tulle's figures as ratios to Envoy's. See bench/README.md.
 *
 *   npm run bench -- [--runs 5] [--seconds 5] [--scenario NAME]... [--proxy NAME]... [--json FILE]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeCertificates } from './certificates.ts';
import { generate } from './load.ts';
import { cpuSeconds, privateMemory } from './process.ts';
import { backendListens, startBackend } from './proxies/backend.ts';
import { envoy } from './proxies/envoy.ts';
import { haproxy } from './proxies/haproxy.ts';
import { nginx } from './proxies/nginx.ts';
import type { Context, Proxy } from './proxies/proxy.ts';
import { tulle } from './proxies/tulle.ts';
import { type Scenario, scenarios } from './scenarios.ts';
import { quantile, spread } from './statistics.ts';

interface Measurement {
  scenario: string;
  proxy: string;
  requestsPerSecond: number;
  failed: number;
  /** µs of CPU per request, for each process in the order of the hops. */
  cpu: number[];
  /** MiB of private memory before the load and at its end, for each process. */
  idleMemory: number[];
  loadedMemory: number[];
  /** ms; NaN without a fixed rate. */
  p50: number;
  p99: number;
}

const WARM_SECONDS = 2;

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '5' },
    scenario: { type: 'string', multiple: true },
    proxy: { type: 'string', multiple: true },
    json: { type: 'string' },
  },
});
const runs = Number(options.runs);
const seconds = Number(options.seconds);
const chosen = scenarios.filter(({ name }) => options.scenario?.includes(name) ?? true);
const proxies = [tulle, envoy, haproxy, nginx].filter(({ name }) => options.proxy?.includes(name) ?? true);

async function measure(scenario: Scenario, proxy: Proxy, context: Context): Promise<Measurement> {
  const started = await proxy.start(scenario.way, context);
  try {
    const idleMemory = started.pids.map(privateMemory);
    await generate(started.url, scenario.load(WARM_SECONDS));
    const before = started.pids.map(cpuSeconds);
    const result = await generate(started.url, scenario.load(seconds));
    const loadedMemory = started.pids.map(privateMemory);
    const cpu = started.pids.map((pid, index) => ((cpuSeconds(pid) - before[index]) / result.requests) * 1e6);
    const fixed = scenario.load(seconds).kind === 'rate';
    return {
      scenario: scenario.name,
      proxy: proxy.name,
      requestsPerSecond: result.requests / result.seconds,
      failed: result.failed,
      cpu,
      idleMemory,
      loadedMemory,
      p50: fixed ? quantile(result.latencies, 0.5) : Number.NaN,
      p99: fixed ? quantile(result.latencies, 0.99) : Number.NaN,
    };
  } finally {
    await started.stop();
  }
}

const digits = (value: number): string => value.toFixed(value < 10 ? 2 : 1);

function figure(values: readonly number[]): string {
  const { min, median, max } = spread(values);
  return Number.isNaN(median) ? '' : `${digits(median)} (${digits(min)}–${digits(max)})`;
}

/** One table a scenario; columns per hop where there are two. */
function table(scenario: Scenario, all: readonly Measurement[]): string {
  const mine = all.filter(measurement => measurement.scenario === scenario.name);
  const names = [...new Set(mine.map(({ proxy }) => proxy))];
  const hops = Math.max(...mine.map(({ cpu }) => cpu.length));
  const hopNames = hops === 1 ? [''] : [' client', ' server'];
  const of = (name: string): Measurement[] => mine.filter(({ proxy }) => proxy === name);
  const median = (name: string, hop: number): number => spread(of(name).map(({ cpu }) => cpu[hop])).median;
  const header = [
    'proxy',
    ...hopNames.map(hop => `CPU µs/request${hop}`),
    ...hopNames.map(hop => `÷ Envoy${hop}`),
    'requests/s',
    'p50 ms',
    'p99 ms',
    'private MiB idle',
    'private MiB loaded',
    'failed',
  ];
  const rows = names.map(name => {
    const own = of(name);
    return [
      name,
      ...hopNames.map((_, hop) => figure(own.map(({ cpu }) => cpu[hop]))),
      ...hopNames.map((_, hop) =>
        names.includes('envoy') ? (median(name, hop) / median('envoy', hop)).toFixed(2) : '',
      ),
      figure(own.map(({ requestsPerSecond }) => requestsPerSecond)),
      figure(own.map(({ p50 }) => p50)),
      figure(own.map(({ p99 }) => p99)),
      figure(own.map(({ idleMemory }) => Math.max(...idleMemory))),
      figure(own.map(({ loadedMemory }) => Math.max(...loadedMemory))),
      String(own.reduce((sum, { failed }) => sum + failed, 0)),
    ];
  });
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [`### ${scenario.what}`, '', line(header), line(header.map(() => '---')), ...rows.map(line)].join(
    '\n',
  );
}

const folder = mkdtempSync(join(tmpdir(), 'tulle-bench-'));
const context = { folder, certificates: makeCertificates(folder) };
const usable = proxies.filter(proxy => {
  const reason = proxy.missing();
  if (reason !== null) process.stderr.write(`left out: ${proxy.name}: ${reason}\n`);
  return reason === null;
});
const backend = await startBackend(join(folder, 'backend'), backendListens);
const measurements: Measurement[] = [];
try {
  for (let run = 0; run < runs; run++) {
    for (const scenario of chosen) {
      for (const proxy of usable) {
        const own = { ...context, folder: join(folder, `${run}-${scenario.name}`) };
        const measurement = await measure(scenario, proxy, own);
        measurements.push(measurement);
        const cpu = measurement.cpu.map(digits).join(' / ');
        process.stderr.write(
          `run ${run + 1} ${scenario.name} ${proxy.name}: ${cpu} µs, ${measurement.requestsPerSecond.toFixed(0)}/s, ${measurement.failed} failed\n`,
        );
      }
    }
  }
} finally {
  await backend.stop();
}
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(measurements, null, 1)}\n`);
const machine = `${cpus().length} × ${cpus()[0].model}, Node ${process.version}, ${runs} runs of ${seconds} s; median (min–max)`;
process.stdout.write(`${machine}\n\n${chosen.map(scenario => table(scenario, measurements)).join('\n\n')}\n`);
rmSync(folder, { recursive: true, force: true });
