/** The measurements of a scenario as a table. */
import { figure, markdownTable } from './markdown.ts';
import type { Measurement } from './measurement.ts';
import type { Scenario } from './scenarios.ts';

/** Quotients of two proxies' figures in one scenario, run by run: what else the machine did in a run hit both. */
export function ratios(
  all: readonly Measurement[],
  proxy: string,
  base: string,
  of: (measurement: Measurement) => number,
): number[] {
  return all.flatMap(measurement => {
    const divisor = all.find(({ proxy: name, run }) => name === base && run === measurement.run);
    return measurement.proxy === proxy && divisor !== undefined ? [of(measurement) / of(divisor)] : [];
  });
}

/** One table a scenario; columns per hop where there are two, and for latency where the rate was fixed. */
export function scenarioTable(scenario: Scenario, measurements: readonly Measurement[]): string {
  const all = measurements.filter(measurement => measurement.scenario === scenario.name);
  const hops = all[0]?.cpu.length === 2 ? [' client', ' server'] : [''];
  const header = [
    'proxy',
    ...hops.map(hop => `CPU µs/${scenario.unit ?? 'request'}${hop}`),
    ...hops.map(hop => `÷ Envoy${hop}`),
    `${scenario.unit ?? 'request'}s/s`,
    ...(scenario.load.kind === 'rate' ? ['p50 ms', 'p99 ms', 'p99.9 ms'] : []),
    'private MiB idle',
    'private MiB loaded',
    'failed',
  ];
  const rows = [...new Set(all.map(({ proxy }) => proxy))].map(proxy => {
    const own = all.filter(measurement => measurement.proxy === proxy);
    const latencies = own.flatMap(({ latency }) => latency ?? []);
    return [
      proxy,
      ...hops.map((_, hop) => figure(own.map(({ cpu }) => cpu[hop]))),
      ...hops.map((_, hop) => figure(ratios(all, proxy, 'envoy', ({ cpu }) => cpu[hop]))),
      figure(own.map(({ requestsPerSecond }) => requestsPerSecond)),
      ...(scenario.load.kind === 'rate'
        ? [
            figure(latencies.map(({ p50 }) => p50)),
            figure(latencies.map(({ p99 }) => p99)),
            figure(latencies.map(({ p999 }) => p999)),
          ]
        : []),
      figure(own.map(({ idleMemory }) => Math.max(...idleMemory))),
      figure(own.map(({ loadedMemory }) => Math.max(...loadedMemory))),
      String(own.reduce((sum, { failed }) => sum + failed, 0)),
    ];
  });
  return `### ${scenario.what}\n\n\`${scenario.name}\`\n\n${markdownTable(header, rows)}`;
}
