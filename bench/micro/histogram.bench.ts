/**
 * Cost of counting a request in its series.
 * Run: npx node bench/micro/histogram.bench.ts
 */
import { durationBuckets } from '../../api/metrics.ts';
import { addSample, recordRequest } from '../../proxy/telemetry/edge-series.ts';
import { Metrics } from '../../proxy/telemetry/metrics.ts';
import { edgeLabels } from '../../proxy/telemetry/telemetry.fixture.ts';
import { measure, report } from './measure.ts';

const CALLS = 1_000_000;
const metrics = new Metrics(2000);
const series = metrics.edge(edgeLabels());
const samples = new Float64Array(durationBuckets.length + 2);

report(
  'one sample, up to 64 ms',
  measure(CALLS, i => addSample(samples, 0, durationBuckets, (i & 63) + 0.5)),
);
report(
  'one request, the outcome of the last',
  measure(CALLS, i => recordRequest(series, 200, -1, '', (i & 15) + 0.5, 0, 100)),
);
report(
  'one request, two outcomes in turn',
  measure(CALLS, i => recordRequest(series, (i & 1) === 0 ? 200 : 404, -1, '', (i & 15) + 0.5, 0, 100)),
);
report(
  'one edge looked up',
  measure(CALLS / 10, () => metrics.edge(edgeLabels())),
);
