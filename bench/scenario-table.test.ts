import { expect, it } from 'vitest';
import type { Measurement } from './measurement.ts';
import { ratios, scenarioTable } from './scenario-table.ts';
import { scenarios } from './scenarios.ts';

const measurement = (
  proxy: string,
  cpu: number[],
  latency: Measurement['latency'] = null,
  run = 1,
): Measurement => ({
  run,
  scenario: 'rate-mtls',
  proxy,
  requestsPerSecond: 2000,
  failed: 1,
  cpu,
  idleMemory: [20, 21],
  loadedMemory: [30, 29],
  latency,
});

it('divides run by run', () => {
  const all = [
    measurement('tulle', [1], null, 1),
    measurement('envoy', [2], null, 1),
    measurement('tulle', [9], null, 2),
    measurement('tulle', [3], null, 3),
    measurement('envoy', [4], null, 3),
  ];
  // Envoy failed in the second run.
  expect(ratios(all, 'tulle', 'envoy', ({ cpu }) => cpu[0])).toEqual([0.5, 0.75]);
});

it('has no ratios without the base', () => {
  expect(ratios([measurement('tulle', [1])], 'tulle', 'envoy', ({ cpu }) => cpu[0])).toEqual([]);
});

it('shows hops, latency and the larger memory', () => {
  const scenario = scenarios.find(({ name }) => name === 'rate-mtls');
  if (scenario === undefined) throw new Error('rate-mtls is gone');
  const latency = { p50: 1, p99: 2, p999: 3 };
  const table = scenarioTable(scenario, [
    measurement('tulle', [10, 20], latency),
    measurement('envoy', [20, 20], latency),
  ]);
  expect(table.split('\n').slice(4)).toEqual([
    '| proxy | CPU µs/request client | CPU µs/request server | ÷ Envoy client | ÷ Envoy server | requests/s | p50 ms | p99 ms | p99.9 ms | private MiB idle | private MiB loaded | failed |',
    `|${' --- |'.repeat(12)}`,
    '| tulle | 10.0 | 20.0 | 0.50 | 1.00 | 2000 | 1.00 | 2.00 | 3.00 | 21.0 | 30.0 | 1 |',
    '| envoy | 20.0 | 20.0 | 1.00 | 1.00 | 2000 | 1.00 | 2.00 | 3.00 | 21.0 | 30.0 | 1 |',
  ]);
});
