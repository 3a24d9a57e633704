/** One measurement: a fresh start of one proxy, warming, load. */
import { generate } from './load/load.ts';
import { cpuSeconds, privateMemory } from './process.ts';
import type { Context, Proxy } from './proxies/proxy.ts';
import type { Scenario } from './scenarios.ts';
import { quantiles } from './statistics.ts';

/** Most of Tulle's hot functions are compiled then; V8 is done after up to 4 s of load, so some of that is in the figures. */
const WARM_SECONDS = 2;

export interface Measurement {
  /** 1 for the first round of all proxies and scenarios. */
  run: number;
  scenario: string;
  proxy: string;
  requestsPerSecond: number;
  failed: number;
  /** µs of CPU per request, of each process in the order of the hops. */
  cpu: number[];
  /** MiB of private memory before the load and at its end, of each process. */
  idleMemory: number[];
  loadedMemory: number[];
  /** Milliseconds below which half, 99 % and 99.9 % of the answers came; null without a fixed rate. */
  latency: { p50: number; p99: number; p999: number } | null;
}

function latencyOf(latencies: Float64Array): Measurement['latency'] {
  if (latencies.length === 0) return null;
  const [p50, p99, p999] = quantiles(latencies, [0.5, 0.99, 0.999]);
  return { p50, p99, p999 };
}

/** `seconds` of load, after the warming. Throws if nothing is answered. */
export async function measure(
  scenario: Scenario,
  proxy: Proxy,
  context: Context,
  { run, seconds }: { run: number; seconds: number },
): Promise<Measurement> {
  const { target, pids, stop } = await proxy.start(scenario.way, context);
  try {
    const idleMemory = pids.map(privateMemory);
    await generate(target, scenario.load, WARM_SECONDS);
    const before = pids.map(cpuSeconds);
    const result = await generate(target, scenario.load, seconds);
    const cpu = pids.map((pid, index) => ((cpuSeconds(pid) - before[index]) / result.requests) * 1e6);
    if (result.requests === 0) throw new Error(`not one of ${result.failed} requests was answered`);
    return {
      run,
      scenario: scenario.name,
      proxy: proxy.name,
      requestsPerSecond: result.requests / result.seconds,
      failed: result.failed,
      cpu,
      idleMemory,
      loadedMemory: pids.map(privateMemory),
      latency: scenario.load.kind === 'rate' ? latencyOf(result.latencies) : null,
    };
  } finally {
    await stop();
  }
}
