/** What Tulle has set itself to keep, and whether it does. */

import { figure, markdownTable } from './markdown.ts';
import type { Measurement } from './measurement.ts';
import type { SideBySide } from './results.ts';
import { ratios } from './scenario-table.ts';
import { spread } from './statistics.ts';

export interface Bar {
  what: string;
  /** The most that the median may be. */
  atMost: number;
  unit: '÷ Envoy' | 'MiB' | 'ms';
  /** One value a run; none if it was not measured. */
  measured(results: SideBySide): number[];
}

/** Tulle's figure divided by Envoy's, run by run. */
function ratio(results: SideBySide, scenario: string, of: (measurement: Measurement) => number): number[] {
  const all = results.measurements.filter(measurement => measurement.scenario === scenario);
  return ratios(all, 'tulle', 'envoy', of);
}

/** CPU of the process that compares worse: the only one, or one of the two hops. */
const cpu = (what: string, scenario: string, atMost: number): Bar => ({
  what,
  atMost,
  unit: '÷ Envoy',
  measured: results => {
    const first = ratio(results, scenario, measurement => measurement.cpu[0]);
    const last = ratio(results, scenario, measurement => measurement.cpu.at(-1) ?? Number.NaN);
    return spread(first).median >= spread(last).median ? first : last;
  },
});

const cpuTogether = (what: string, scenario: string, atMost: number): Bar => ({
  what,
  atMost,
  unit: '÷ Envoy',
  measured: results =>
    ratio(results, scenario, measurement => measurement.cpu.reduce((sum, one) => sum + one)),
});

const latency = (what: string, of: keyof NonNullable<Measurement['latency']>): Bar => ({
  what: `latency at 2,000 requests/s through two sidecars, ${what}`,
  atMost: 1,
  unit: '÷ Envoy',
  measured: results => ratio(results, 'rate-mtls', measurement => measurement.latency?.[of] ?? Number.NaN),
});

const idleConnections = (what: string, kind: string): Bar => ({
  what: `private memory with 1,000 idle connections, ${what}`,
  atMost: 45,
  unit: 'MiB',
  measured: ({ idle }) => idle.filter(one => one.proxy === 'tulle' && one.kind === kind).map(one => one.with),
});

export const bars: readonly Bar[] = [
  cpu('CPU, HTTP/1.1, 32 connections, 100 B', 'http1', 0.75),
  cpu('CPU, HTTP/2, 4 × 8', 'http2', 0.5),
  cpu('CPU, HTTP/2 over mTLS, 4 × 8, the worse hop', 'mtls-4x8', 0.4),
  cpu('CPU, HTTP/2 over mTLS, 1 × 1, the worse hop', 'mtls-1x1', 0.6),
  cpuTogether('CPU, HTTP/1.1 in and out, mTLS between, both together', 'mtls-http1', 0.6),
  cpu('CPU, 2,000 requests/s, HTTP/1.1', 'rate-http1', 0.65),
  cpu('CPU, 2,000 requests/s, HTTP/2 over mTLS, the worse hop', 'rate-mtls', 0.65),
  cpu('CPU, gRPC unary over mTLS, the worse hop', 'mtls-grpc-unary', 0.5),
  cpu('CPU, gRPC stream over mTLS, the worse hop', 'mtls-grpc-stream', 0.5),
  cpu('CPU, answers of 64 KiB', 'body-64k', 1.05),
  cpu('CPU, answers of 64 KiB over mTLS, the worse hop', 'mtls-body-64k', 1.05),
  cpu('CPU, requests of 64 KiB over mTLS, the worse hop', 'mtls-upload-64k', 1.05),
  cpu('CPU, answers of 1 MiB over mTLS, the worse hop', 'mtls-body-1m', 1.1),
  cpu('CPU, TCP echo of 64 KiB over mTLS, the worse hop', 'mtls-tcp-64k', 1.1),
  latency('p50', 'p50'),
  latency('p99', 'p99'),
  latency('p99.9', 'p999'),
  {
    what: 'private memory idle, the larger sidecar',
    atMost: 30,
    unit: 'MiB',
    measured: ({ measurements }) =>
      measurements.filter(({ proxy }) => proxy === 'tulle').map(({ idleMemory }) => Math.max(...idleMemory)),
  },
  idleConnections('HTTP/1.1 of applications', 'outbound'),
  idleConnections('HTTP/1.1 plaintext inbound', 'inbound'),
  { what: 'exec to ready', atMost: 400, unit: 'ms', measured: ({ starts }) => starts },
];

/** Bars that were measured. A median decides; the spread is shown. */
export function barTable(results: SideBySide): string {
  const rows = bars.flatMap(({ what, atMost, unit, measured }) => {
    const values = measured(results).filter(value => !Number.isNaN(value));
    if (values.length === 0) return [];
    const holds = spread(values).median <= atMost ? 'yes' : '**no**';
    return [[what, `${atMost} ${unit}`, figure(values), holds]];
  });
  return markdownTable(['bar', 'at most', 'measured', 'holds'], rows);
}
