/**
 * Side-by-side benchmark: every proxy through every scenario, interleaved, several times; then idle connections and
 * starts. Prints Markdown; `--save` keeps the results and writes them into the README. See bench/README.md.
 *
 *   npm run bench -- [--runs 5] [--seconds 3] [--scenario NAME]... [--proxy NAME]... [--save]
 */
import { parseArgs } from 'node:util';
import { backendListens } from './backends/backend.ts';
import { say, withBackend } from './bench.ts';
import { idleKinds, measureIdleConnections } from './idle-connections.ts';
import { measure } from './measurement.ts';
import { envoy } from './proxies/envoy.ts';
import { haproxy } from './proxies/haproxy.ts';
import { nginx } from './proxies/nginx.ts';
import type { Context } from './proxies/proxy.ts';
import { tulle } from './proxies/tulle.ts';
import { writeReadme } from './readme.ts';
import { circumstances, type SideBySide, saveResults } from './results.ts';
import { scenarios } from './scenarios.ts';
import { sideBySideReport } from './side-by-side-report.ts';
import { measureStarts } from './start-time.ts';

const IDLE_CONNECTIONS = 1000;
const STARTS = 20;
type ContextOf = (name: string) => Context;

/** Measurements that are no load; named like scenarios. */
const OTHERS = [{ name: 'idle' }, { name: 'start' }];

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    scenario: { type: 'string', multiple: true },
    proxy: { type: 'string', multiple: true },
    save: { type: 'boolean', default: false },
  },
});

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

const chosen = choose('scenario', [...scenarios, ...OTHERS], options.scenario);
const isChosen = (name: string): boolean => chosen.some(one => one.name === name);
const proxies = choose('proxy', [tulle, envoy, haproxy, nginx], options.proxy);
const results: SideBySide = {
  ...circumstances(),
  versions: Object.fromEntries(
    proxies.filter(proxy => proxy.missing('http1') === null).map(proxy => [proxy.name, proxy.version()]),
  ),
  runs: Number(options.runs),
  seconds: Number(options.seconds),
  measurements: [],
  idle: [],
  starts: [],
};

/** Half an hour of measurements does not end with one that fails; the exit code tells. */
async function attempt(what: string, run: () => Promise<string>): Promise<void> {
  try {
    say(`${what}: ${await run()}`);
  } catch (error) {
    say(`${what}: not measured: ${String(error)}`);
    process.exitCode = 1;
  }
}

async function sideBySide(contextOf: ContextOf): Promise<void> {
  const pairs = scenarios
    .filter(({ name }) => isChosen(name))
    .flatMap(scenario =>
      proxies.flatMap(proxy => {
        const reason = proxy.missing(scenario.way);
        if (reason !== null) say(`left out: ${proxy.name} in ${scenario.name}: ${reason}`);
        return reason === null ? [{ scenario, proxy }] : [];
      }),
    );
  for (let run = 1; run <= results.runs; run++) {
    for (const { scenario, proxy } of pairs) {
      const seconds = Math.max(results.seconds, scenario.minSeconds ?? 0);
      const what = `run ${run} ${scenario.name} ${proxy.name}`;
      await attempt(what, async () => {
        const context = contextOf(`${run}-${scenario.name}`);
        const measurement = await measure(scenario, proxy, context, { run, seconds });
        results.measurements.push(measurement);
        const { cpu, requestsPerSecond, failed } = measurement;
        const each = cpu.map(value => value.toFixed(2)).join(' / ');
        return `${each} µs, ${requestsPerSecond.toFixed(0)}/s, ${failed} failed`;
      });
    }
  }
}

async function idleConnections(contextOf: ContextOf): Promise<void> {
  for (const proxy of proxies) {
    if (proxy.missing('mtls') !== null) continue;
    for (const kind of idleKinds(proxy)) {
      await attempt(`idle ${kind} ${proxy.name}`, async () => {
        const context = contextOf(`idle-${kind}`);
        const idle = await measureIdleConnections(proxy, kind, IDLE_CONNECTIONS, context);
        results.idle.push(idle);
        return `${idle.without.toFixed(1)} → ${idle.with.toFixed(1)} MiB`;
      });
    }
  }
}

await withBackend(backendListens, async contextOf => {
  await sideBySide(contextOf);
  if (isChosen('idle')) await idleConnections(contextOf);
  if (isChosen('start') && proxies.includes(tulle)) {
    await attempt('start', async () => {
      results.starts = await measureStarts(STARTS, contextOf('start'));
      return `${results.starts.map(ms => ms.toFixed(0)).join(' ')} ms`;
    });
  }
});
process.stdout.write(`${sideBySideReport(results)}\n`);
if (options.save) {
  saveResults('side-by-side', results);
  writeReadme();
}
