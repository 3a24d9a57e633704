import { expect, it } from 'vitest';
import type { Soak } from './results.ts';
import { growth, soakReport } from './soak-report.ts';

const soak = (memory: (at: number) => [number, number]): Soak => ({
  date: '2026-11-21',
  machine: '',
  rate: 2000,
  seconds: 600,
  requests: 1_200_000,
  failed: 0,
  latency: { p50: 1, p99: 2, p999: 3 },
  samples: Array.from({ length: 60 }, (_, i) => [(i + 1) * 10, ...memory((i + 1) * 10)]),
});

it('leaves the first minute out', () => {
  const [client, server] = growth(soak(at => (at < 60 ? [at, at] : [60, 60])));
  expect(client).toBeCloseTo(0);
  expect(server).toBeCloseTo(0);
});

it('sees a leak through the rhythm of the collector', () => {
  const leaking = soak(at => [40 + (at % 40) / 10, 40 + (at % 40) / 10 + at / 100]);
  const [client, server] = growth(leaking);
  expect(client).toBe(0);
  expect(server).toBeCloseTo(2.8);
  expect(soakReport(leaking)).toContain('**does not hold**');
  expect(soakReport(soak(() => [40, 41]))).toContain('It holds');
});
