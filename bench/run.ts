/**
 * Side-by-side benchmark: every proxy through every scenario, interleaved, several times. See bench/README.md.
 *
 *   npm run bench -- [--runs 5] [--seconds 4] [--scenario NAME]... [--proxy NAME]... [--json FILE]
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { backendListens, startBackend } from './backends/backend.ts';
import { makeCertificates } from './certificates.ts';
import { type Measurement, measure } from './measurement.ts';
import { envoy } from './proxies/envoy.ts';
import { haproxy } from './proxies/haproxy.ts';
import { nginx } from './proxies/nginx.ts';
import { tulle } from './proxies/tulle.ts';
import { scenarios } from './scenarios.ts';
import { scenarioTable } from './tables.ts';

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    scenario: { type: 'string', multiple: true },
    proxy: { type: 'string', multiple: true },
    json: { type: 'string' },
  },
});
const runs = Number(options.runs);
const seconds = Number(options.seconds);

/** All, or those that were named. */
function choose<T extends { name: string }>(
  what: string,
  all: readonly T[],
  names: string[] | undefined,
): T[] {
  const unknown = names?.find(name => !all.some(one => one.name === name));
  if (unknown !== undefined)
    throw new Error(`no ${what} ${unknown}; there are ${all.map(({ name }) => name).join(', ')}`);
  return all.filter(({ name }) => names?.includes(name) ?? true);
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const chosen = choose('scenario', scenarios, options.scenario);
const proxies = choose('proxy', [tulle, envoy, haproxy, nginx], options.proxy);
const pairs = chosen.flatMap(scenario =>
  proxies.flatMap(proxy => {
    const reason = proxy.missing(scenario.way);
    if (reason !== null) say(`left out: ${proxy.name} in ${scenario.name}: ${reason}`);
    return reason === null ? [{ scenario, proxy }] : [];
  }),
);

const folder = mkdtempSync(join(tmpdir(), 'tulle-bench-'));
// nginx started by root reads its files as another user.
chmodSync(folder, 0o711);
const certificates = makeCertificates(folder);
const backend = await startBackend(join(folder, 'backend'), backendListens);
const measurements: Measurement[] = [];
try {
  for (let run = 1; run <= runs; run++) {
    for (const { scenario, proxy } of pairs) {
      const context = { folder: join(folder, `${run}-${scenario.name}`), certificates };
      const measurement = await measure(
        scenario,
        proxy,
        context,
        Math.max(seconds, scenario.minSeconds ?? 0),
      );
      measurements.push(measurement);
      const cpu = measurement.cpu.map(value => value.toFixed(2)).join(' / ');
      const rate = measurement.requestsPerSecond.toFixed(0);
      say(`run ${run} ${scenario.name} ${proxy.name}: ${cpu} µs, ${rate}/s, ${measurement.failed} failed`);
      if (options.json !== undefined)
        writeFileSync(options.json, `${JSON.stringify(measurements, null, 1)}\n`);
    }
  }
} finally {
  await Promise.all(backend.map(process => process.stop()));
}
const machine = `${cpus().length} × ${cpus()[0].model}, Node ${process.version}, ${runs} runs of ${seconds} s; median (min–max)`;
const tables = chosen.map(scenario => scenarioTable(scenario, measurements));
process.stdout.write(`${[machine, ...tables].join('\n\n')}\n`);
rmSync(folder, { recursive: true, force: true });
