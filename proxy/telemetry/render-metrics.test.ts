import { describe, expect, it } from 'vitest';
import { durationBuckets, edgeLabels as labelNames, metricNames, requestLabels } from '../../api/metrics.ts';
import { clusterOf } from '../cluster/cluster.fixture.ts';
import { recordBytes, recordClosed, recordOpened, recordRequest } from './edge-series.ts';
import { Metrics } from './metrics.ts';
import { type ExpositionFormat, negotiate, renderMetrics } from './render-metrics.ts';
import { edgeLabels } from './telemetry.fixture.ts';

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** A reader of the exposition format, written from its description and strict: what it does not know is an error. */
function parse(text: string): { samples: Sample[]; types: Record<string, string> } {
  const samples: Sample[] = [];
  const types: Record<string, string> = {};
  expect(text.endsWith('\n')).toBe(true);
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line);
    if (comment !== null) {
      if (comment[1] === 'TYPE') {
        expect(types).not.toHaveProperty(comment[2]);
        types[comment[2]] = comment[3];
      }
      continue;
    }
    if (line === '# EOF') continue;
    const parts = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (parts === null) throw new Error(`not a sample: ${line}`);
    const labels: Record<string, string> = {};
    const rest = (parts[2] ?? '').replace(
      /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/g,
      (_, name, value) => {
        labels[name] = value.replace(/\\(.)/g, (_escape: string, c: string) => (c === 'n' ? '\n' : c));
        return '';
      },
    );
    expect(rest).toBe('');
    expect(Number(parts[3])).not.toBeNaN();
    samples.push({ name: parts[1], labels, value: Number(parts[3]) });
  }
  return { samples, types };
}

function render(metrics: Metrics, format: ExpositionFormat = 'text'): string {
  let text = '';
  renderMetrics(metrics, format, piece => {
    text += piece;
  });
  return text;
}

describe('renderMetrics', () => {
  it("has Istio's names, labels and values", () => {
    const metrics = new Metrics(100);
    const series = metrics.edge(edgeLabels());
    recordRequest(series, 200, -1, '', 3, 50, 5000);
    recordRequest(series, 200, -1, '', 70, 0, 0);
    const { samples, types } = parse(render(metrics));
    const requests = samples.filter(({ name }) => name === 'istio_requests_total');
    expect(types.istio_requests_total).toBe('counter');
    expect(requests).toHaveLength(1);
    expect(requests[0].value).toBe(2);
    expect(Object.keys(requests[0].labels)).toEqual([...labelNames, ...requestLabels]);
    expect(requests[0].labels).toMatchObject({
      reporter: 'source',
      source_workload: 'client',
      source_version: 'unknown',
      destination_workload: 'echo-v1',
      destination_principal: 'spiffe://cluster.local/ns/default/sa/echo',
      destination_service: 'echo.default.svc.cluster.local',
      destination_service_namespace: 'default',
      request_protocol: 'http',
      connection_security_policy: 'mutual_tls',
      response_code: '200',
      grpc_response_status: '',
      response_flags: '-',
    });
    const duration = samples.filter(({ name }) => name.startsWith('istio_request_duration_milliseconds'));
    const buckets = duration.filter(({ name }) => name.endsWith('_bucket'));
    expect(buckets.map(({ labels }) => labels.le)).toEqual([...durationBuckets.map(String), '+Inf']);
    expect(buckets.map(({ value }) => value)).toEqual(
      [...durationBuckets, Number.POSITIVE_INFINITY].map(bound => [3, 70].filter(v => v <= bound).length),
    );
    expect(duration.find(({ name }) => name.endsWith('_sum'))?.value).toBe(73);
    expect(duration.find(({ name }) => name.endsWith('_count'))?.value).toBe(2);
    expect(types.istio_request_duration_milliseconds).toBe('histogram');
  });

  it('has the TCP counters of an edge that carried TCP, and none of others', () => {
    const metrics = new Metrics(100);
    recordRequest(metrics.edge(edgeLabels()), 200, -1, '', 1, 1, 1);
    const series = metrics.edge(edgeLabels({ protocol: 'tcp' }));
    recordOpened(series);
    recordBytes(series, 10, 20);
    recordBytes(series, 1, 2);
    recordClosed(series, '');
    recordOpened(series);
    recordClosed(series, 'UF');
    const tcp = parse(render(metrics)).samples.filter(({ name }) => name.startsWith('istio_tcp'));
    expect(tcp.map(({ name, value }) => [name, value])).toEqual([
      ['istio_tcp_sent_bytes_total', 11],
      ['istio_tcp_received_bytes_total', 22],
      ['istio_tcp_connections_opened_total', 2],
      ['istio_tcp_connections_closed_total', 1],
      ['istio_tcp_connections_closed_total', 1],
    ]);
    expect(tcp.slice(3).map(({ labels }) => labels.response_flags)).toEqual(['UF', '-']);
    expect(tcp[0].labels.request_protocol).toBe('tcp');
  });

  it('escapes label values', () => {
    const metrics = new Metrics(100);
    const service = { host: 'a"b\\c\nd', name: '', namespace: '' };
    recordRequest(metrics.edge(edgeLabels({ service })), 200, -1, '', 1, 1, 1);
    expect(parse(render(metrics)).samples[0].labels.destination_service).toBe('a"b\\c\nd');
  });

  it('has the state of the clusters as of now, added up by Service', () => {
    const metrics = new Metrics(100);
    const clusters = [clusterOf(3), clusterOf(2)];
    clusters[0].endpoints[0].ejectedUntil = 100;
    let now = 50;
    metrics.setClusters(
      () => clusters,
      () => now,
    );
    const gauge = (name: string) =>
      parse(render(metrics)).samples.find(sample => sample.name === name)?.value;
    expect(gauge('tulle_endpoints')).toBe(5);
    expect(gauge('tulle_ejected_endpoints')).toBe(1);
    now = 100;
    expect(gauge('tulle_ejected_endpoints')).toBe(0);
  });

  it('has counters and readings under the names of the table', () => {
    const metrics = new Metrics(100);
    metrics.counter('limits', { limit: 'header-bytes' }).value += 2;
    metrics.counter('limits', { limit: 'header-bytes' }).value++;
    metrics.read('connections', () => [{ labels: { direction: 'inbound' }, value: 4 }]);
    metrics.read('connections', () => [{ labels: { direction: 'upstream' }, value: 5 }]);
    metrics.service('echo').retries.refused = 7;
    metrics.service('echo').retriesDenied.budget = 8;
    const { samples, types } = parse(render(metrics));
    const values = samples
      .filter(({ name }) => name.startsWith('tulle_'))
      .map(({ name, labels, value }) => [name, JSON.stringify(labels), value]);
    expect(values).toEqual([
      ['tulle_ejections_total', '{"destination_service":"echo"}', 0],
      ['tulle_retries_total', '{"destination_service":"echo","reason":"refused"}', 7],
      ['tulle_retries_denied_total', '{"destination_service":"echo","reason":"budget"}', 8],
      ['tulle_limits_exceeded_total', '{"limit":"header-bytes"}', 3],
      ['tulle_connections', '{"direction":"inbound"}', 4],
      ['tulle_connections', '{"direction":"upstream"}', 5],
      ['tulle_metric_series_overflow_total', '{}', 0],
    ]);
    for (const { name, type } of Object.values(metricNames)) {
      if (name in types) expect(types[name]).toBe(type);
    }
  });

  it('is OpenMetrics when asked: families without _total, float bounds, an end', () => {
    const metrics = new Metrics(100);
    recordRequest(metrics.edge(edgeLabels()), 200, 0, '', 1, 1, 1);
    const text = render(metrics, 'openmetrics');
    const { samples, types } = parse(text);
    expect(text.endsWith('\n# EOF\n')).toBe(true);
    expect(types.istio_requests).toBe('counter');
    expect(types).not.toHaveProperty('istio_requests_total');
    expect(samples[0].name).toBe('istio_requests_total');
    expect(samples.map(({ labels }) => labels.le)).toContain('1.0');
    expect(samples.map(({ labels }) => labels.le)).toContain('0.5');
  });

  it('reports the process', () => {
    const names = parse(render(new Metrics(100))).samples.map(({ name }) => name);
    expect(names).toContain('process_cpu_seconds_total');
    expect(names).toContain('process_resident_memory_bytes');
  });
});

describe('negotiate', () => {
  it('gives OpenMetrics only to who names it', () => {
    expect(negotiate('application/openmetrics-text;version=1.0.0,text/plain;q=0.5')).toBe('openmetrics');
    expect(negotiate('*/*')).toBe('text');
    expect(negotiate('')).toBe('text');
  });
});
