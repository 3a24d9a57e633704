import { expect, it } from 'vitest';
import { bars, barTable } from './bars.ts';
import type { Measurement } from './measurement.ts';
import type { SideBySide } from './results.ts';
import { scenarios } from './scenarios.ts';

const base: Omit<Measurement, 'scenario' | 'proxy' | 'cpu'> = {
  run: 1,
  requestsPerSecond: 1,
  failed: 0,
  idleMemory: [20, 25],
  loadedMemory: [30, 30],
  latency: { p50: 1, p99: 2, p999: 3 },
};

const results = (measurements: Measurement[]): SideBySide => ({
  date: '2026-11-21',
  machine: '',
  versions: {},
  runs: 1,
  seconds: 1,
  measurements,
  idle: [
    { proxy: 'tulle', kind: 'outbound', connections: 1000, without: 20, with: 46 },
    { proxy: 'tulle', kind: 'inbound', connections: 1000, without: 20, with: 44 },
  ],
  starts: [390, 410, 300],
});

const rowOf = (table: string, what: string): string | undefined =>
  table.split('\n').find(line => line.startsWith(`| ${what}`));

it('has a value for every bar when every scenario was measured', () => {
  const measurements = scenarios.flatMap(({ name }) =>
    ['tulle', 'envoy'].map(proxy => ({ ...base, scenario: name, proxy, cpu: [10, 10] })),
  );
  const full = results(measurements);
  expect(bars.filter(bar => bar.measured(full).length === 0)).toEqual([]);
  expect(barTable(full).split('\n')).toHaveLength(bars.length + 2);
});

it('judges by the median of the runs and by the worse hop', () => {
  const of = (run: number, proxy: string, cpu: number[]): Measurement => ({
    ...base,
    run,
    scenario: 'mtls-4x8',
    proxy,
    cpu,
  });
  const table = barTable(
    results([
      of(1, 'tulle', [3, 4]),
      of(1, 'envoy', [10, 10]),
      of(2, 'tulle', [3, 5]),
      of(2, 'envoy', [10, 10]),
      of(3, 'tulle', [3, 9]),
      of(3, 'envoy', [10, 10]),
    ]),
  );
  expect(rowOf(table, 'CPU, HTTP/2 over mTLS, 4 × 8')).toMatch(/0\.50 \(0\.40–0\.90\) \| \*\*no\*\*/);
});

it('adds the two hops where the bar is for both together', () => {
  const run = (proxy: string, cpu: number[]): Measurement => ({
    ...base,
    scenario: 'mtls-http1',
    proxy,
    cpu,
  });
  const table = barTable(results([run('tulle', [3, 8]), run('envoy', [10, 10])]));
  expect(rowOf(table, 'CPU, HTTP/1.1 in and out')).toContain('| 0.6 ÷ Envoy | 0.55 | yes |');
});

it('leaves out what was not measured', () => {
  const table = barTable(results([]));
  expect(rowOf(table, 'CPU')).toBeUndefined();
  expect(rowOf(table, 'exec to ready')).toContain('| 390.0 (300.0–410.0) | yes |');
  expect(rowOf(table, 'private memory with 1,000 idle connections, HTTP/1.1 of')).toContain('**no**');
});
