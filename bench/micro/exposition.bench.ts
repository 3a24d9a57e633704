/**
 * One scrape of 100 request series: the sidecar's own writer against prom-client fed from the same numbers (a registered
 * metric whose `get` makes the values). Also what importing prom-client adds to the memory of the process.
 * Run: npx node --expose-gc bench/micro/exposition.bench.ts
 */
import { durationBuckets } from '../../api/metrics.ts';
import { type EdgeSeries, recordRequest } from '../../proxy/telemetry/edge-series.ts';
import { Metrics } from '../../proxy/telemetry/metrics.ts';
import { renderMetrics } from '../../proxy/telemetry/render-metrics.ts';

const workload = (name: string) => ({
  workload: name,
  namespace: 'default',
  principal: `spiffe://cluster.local/ns/default/sa/${name}`,
  app: name,
  version: 'v1',
  canonicalService: name,
  canonicalRevision: 'v1',
});

function fill(): Metrics {
  const metrics = new Metrics(2000);
  for (let i = 0; i < 50; i++) {
    const name = `service-${i}`;
    const series = metrics.edge({
      reporter: 'source',
      source: workload('client'),
      destination: workload(name),
      service: { host: `${name}.default.svc.cluster.local`, name, namespace: 'default' },
      protocol: 'http',
      security: 'mutual_tls',
    });
    for (let j = 0; j < 1000; j++) recordRequest(series, j % 10 === 0 ? 503 : 200, -1, '', j / 5, j, j * 10);
  }
  return metrics;
}

function labelsOf({ labels }: EdgeSeries, status: number): Record<string, string> {
  return {
    reporter: labels.reporter,
    source_workload: labels.source.workload,
    source_workload_namespace: labels.source.namespace,
    source_principal: labels.source.principal,
    source_app: labels.source.app,
    source_version: labels.source.version,
    source_canonical_service: labels.source.canonicalService,
    source_canonical_revision: labels.source.canonicalRevision,
    destination_workload: labels.destination.workload,
    destination_workload_namespace: labels.destination.namespace,
    destination_principal: labels.destination.principal,
    destination_app: labels.destination.app,
    destination_version: labels.destination.version,
    destination_canonical_service: labels.destination.canonicalService,
    destination_canonical_revision: labels.destination.canonicalRevision,
    destination_service: labels.service.host,
    destination_service_name: labels.service.name,
    destination_service_namespace: labels.service.namespace,
    request_protocol: labels.protocol,
    connection_security_policy: labels.security,
    response_code: String(status),
    grpc_response_status: '',
    response_flags: '-',
  };
}

function promValues(
  metrics: Metrics,
): { labels: Record<string, string>; value: number; metricName: string }[] {
  const values = [];
  for (const edge of metrics.edges()) {
    for (const cell of edge.cells) {
      const labels = labelsOf(edge, cell.status);
      values.push({ labels, value: 1, metricName: 'istio_requests_total' });
      // The same number of lines as the three histograms have.
      for (let i = 0; i < 42; i++) {
        const le = String(durationBuckets[i % durationBuckets.length]);
        values.push({ labels: { ...labels, le }, value: cell.samples[i % 39], metricName: 'h_bucket' });
      }
    }
  }
  return values;
}

function milliseconds(run: () => void): number {
  const start = performance.now();
  run();
  return performance.now() - start;
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1];

const metrics = fill();
globalThis.gc?.();
const before = process.memoryUsage().rss;
const own: number[] = [];
let bytes = 0;
for (let i = 0; i < 15; i++) {
  own.push(
    milliseconds(() => {
      bytes = 0;
      renderMetrics(metrics, 'text', text => {
        bytes += Buffer.from(text, 'latin1').length;
      });
    }),
  );
}
globalThis.gc?.();
const between = process.memoryUsage().rss;
const prom = await import('prom-client');
globalThis.gc?.();
const imported = process.memoryUsage().rss;
const registry = new prom.Registry();
const metric = {
  name: 'istio',
  help: 'all',
  type: 'counter',
  aggregator: 'sum',
  get: () =>
    Promise.resolve({
      name: 'istio',
      help: 'all',
      type: 'counter',
      values: promValues(metrics),
      aggregator: 'sum',
    }),
};
registry.registerMetric(metric as unknown as Parameters<typeof registry.registerMetric>[0]);
const theirs: number[] = [];
for (let i = 0; i < 15; i++) {
  const start = performance.now();
  Buffer.from(await registry.metrics(), 'latin1');
  theirs.push(performance.now() - start);
}
globalThis.gc?.();
const after = process.memoryUsage().rss;
const mb = (value: number) => `${(value / 1e6).toFixed(1)} MB`;
console.log(`100 request series, ${mb(bytes)} of text`);
console.log(`own writer   median ${median(own).toFixed(1)} ms, rss +${mb(between - before)}`);
console.log(
  `prom-client  median ${median(theirs).toFixed(1)} ms, rss +${mb(after - imported)}, import +${mb(imported - between)}`,
);
