import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteBuckets, durationBuckets } from '../../api/metrics.ts';
import { addSample, DURATION, REQUEST_BYTES, RESPONSE_BYTES, recordRequest } from './edge-series.ts';
import { Metrics } from './metrics.ts';
import { edgeLabels } from './telemetry.fixture.ts';

describe('recordRequest', () => {
  it('adds to the cell of its outcome, and to no other', () => {
    const series = new Metrics(100).edge(edgeLabels());
    recordRequest(series, 200, -1, '', 3, 10, 2000);
    recordRequest(series, 200, -1, '', 7, 0, 0);
    recordRequest(series, 503, -1, 'UF', 1, 0, 0);
    recordRequest(series, 503, -1, '', 1, 0, 0);
    recordRequest(series, 200, 14, '', 1, 0, 0);
    recordRequest(series, 200, -1, '', 1e9, 1e12, 0);
    expect(series.cells.map(cell => [cell.status, cell.grpcStatus, cell.flags])).toEqual([
      [200, -1, ''],
      [503, -1, 'UF'],
      [503, -1, ''],
      [200, 14, ''],
    ]);
    const { samples } = series.cells[0];
    expect(samples[DURATION + durationBuckets.indexOf(5)]).toBe(1);
    expect(samples[DURATION + durationBuckets.indexOf(10)]).toBe(1);
    expect(samples[DURATION + durationBuckets.length]).toBe(1);
    expect(samples[DURATION + durationBuckets.length + 1]).toBe(1e9 + 10);
    expect(samples[REQUEST_BYTES]).toBe(2);
    expect(samples[REQUEST_BYTES + byteBuckets.length]).toBe(1);
    expect(samples[RESPONSE_BYTES + byteBuckets.indexOf(10_000)]).toBe(1);
    expect(samples[RESPONSE_BYTES + byteBuckets.length + 1]).toBe(2000);
  });

  it('keeps every sample when the limit of series is reached', () => {
    const metrics = new Metrics(3);
    const series = metrics.edge(edgeLabels());
    for (let status = 200; status < 210; status++) recordRequest(series, status, -1, '', 1, 1, 1);
    expect(series.cells).toHaveLength(3);
    const overflow = metrics.edges().at(-1);
    expect(overflow?.cells[0].samples[DURATION + 1]).toBe(7);
    expect(metrics.readings().get('overflowSeries')).toEqual([{ labels: {}, value: 7 }]);
  });
});

describe('addSample', () => {
  it('counts each value in the first bucket that holds it', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 4e6, noNaN: true }), { maxLength: 50 }), values => {
        const samples = new Float64Array(durationBuckets.length + 2);
        for (const value of values) addSample(samples, 0, durationBuckets, value);
        let cumulative = 0;
        durationBuckets.forEach((bound, i) => {
          cumulative += samples[i];
          expect(cumulative).toBe(values.filter(value => value <= bound).length);
        });
        expect(cumulative + samples[durationBuckets.length]).toBe(values.length);
      }),
    );
  });
});

describe('Metrics.edge', () => {
  it('gives the same series for equal labels', () => {
    const metrics = new Metrics(100);
    expect(metrics.edge(edgeLabels())).toBe(metrics.edge(edgeLabels()));
    expect(metrics.edge(edgeLabels({ security: 'none' }))).not.toBe(metrics.edge(edgeLabels()));
  });

  it('is bounded: whoever makes up labels fills one overflow series', () => {
    const metrics = new Metrics(10);
    for (let i = 0; i < 1000; i++) {
      const service = { host: `host-${i}`, name: '', namespace: '' };
      recordRequest(metrics.edge(edgeLabels({ service })), 200, -1, '', 1, 1, 1);
      metrics.service(`host-${i}`).ejections++;
    }
    expect(metrics.edges()).toHaveLength(11);
    expect(metrics.readings().get('ejections')).toHaveLength(11);
    expect(metrics.readings().get('overflowSeries')?.[0].value).toBe(990);
  });
});
