/** The live view of the demo: who calls whom, how fast, how well, and what the sidecars did about failures. */
import { type Load, quantile } from './load.ts';
import { parsePrometheusText, type Sample } from './prometheus-text.ts';
import type { World } from './world.ts';

const REFRESH_MS = 1000;
const WINDOW_MS = 5000;

interface Edge {
  source: string;
  destination: string;
  version: string;
  requests: number;
  succeeded: number;
  mutualTls: number;
  /** Cumulative counts by upper bound in milliseconds. */
  buckets: Map<number, number>;
}

interface Snapshot {
  at: number;
  edges: Map<string, Edge>;
  retries: number;
  ejections: number;
}

function edgeOf(edges: Map<string, Edge>, labels: Record<string, string>): Edge {
  const {
    source_workload: source,
    destination_service_name: destination,
    destination_version: version,
  } = labels;
  const name = `${source} ${destination} ${version}`;
  let edge = edges.get(name);
  if (edge === undefined) {
    edge = { source, destination, version, requests: 0, succeeded: 0, mutualTls: 0, buckets: new Map() };
    edges.set(name, edge);
  }
  return edge;
}

function add(snapshot: Snapshot, sample: Sample): void {
  const { name, labels, value } = sample;
  if (name === 'tulle_retries_total') snapshot.retries += value;
  if (name === 'tulle_ejections_total') snapshot.ejections += value;
  if (labels.reporter !== 'source') return;
  if (name === 'istio_requests_total') {
    const edge = edgeOf(snapshot.edges, labels);
    edge.requests += value;
    if (!labels.response_code.startsWith('5') && labels.response_code !== '0') edge.succeeded += value;
    if (labels.connection_security_policy === 'mutual_tls') edge.mutualTls += value;
  } else if (name === 'istio_request_duration_milliseconds_bucket') {
    const { buckets } = edgeOf(snapshot.edges, labels);
    const bound = labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le);
    buckets.set(bound, (buckets.get(bound) ?? 0) + value);
  }
}

async function observe(world: World): Promise<Snapshot> {
  const snapshot: Snapshot = { at: performance.now(), edges: new Map(), retries: 0, ejections: 0 };
  const texts = await Promise.all(world.pods.map(pod => world.metrics(pod).catch(() => '')));
  for (const text of texts) for (const sample of parsePrometheusText(text)) add(snapshot, sample);
  return snapshot;
}

/** Interpolated within its bucket, as Prometheus' histogram_quantile does. */
function histogramQuantile(share: number, now: Edge, before: Edge | undefined): number {
  let lower = 0;
  let below = 0;
  const total =
    (now.buckets.get(Number.POSITIVE_INFINITY) ?? 0) - (before?.buckets.get(Number.POSITIVE_INFINITY) ?? 0);
  if (total === 0) return Number.NaN;
  for (const bound of [...now.buckets.keys()].sort((a, b) => a - b)) {
    const count = (now.buckets.get(bound) ?? 0) - (before?.buckets.get(bound) ?? 0);
    if (count >= share * total) {
      if (bound === Number.POSITIVE_INFINITY) return lower;
      return lower + ((bound - lower) * (share * total - below)) / Math.max(1, count - below);
    }
    lower = bound;
    below = count;
  }
  return lower;
}

const milliseconds = (value: number): string => (Number.isNaN(value) ? '-' : value.toFixed(1));

function row(cells: readonly string[]): string {
  const [source, destination, version, ...figures] = cells;
  return `  ${source.padEnd(12)}${destination.padEnd(14)}${version.padEnd(8)}${figures.map(cell => cell.padStart(10)).join('')}`;
}

function render(now: Snapshot, before: Snapshot, load: Load, manifests: string): string {
  const seconds = Math.max(0.001, (now.at - before.at) / 1000);
  const lines = [
    'Tulle demo: a service mesh on this machine. Ctrl-C ends it.',
    `Edit a manifest in ${manifests} and watch the traffic follow.`,
    '',
    row(['FROM', 'TO', 'VERSION', 'REQ/S', 'SUCCESS', 'P50 MS', 'P99 MS', 'SHARE', 'MTLS']),
  ];
  const rates = new Map<string, number>();
  for (const [name, edge] of now.edges)
    rates.set(name, (edge.requests - (before.edges.get(name)?.requests ?? 0)) / seconds);
  for (const [name, edge] of [...now.edges].sort(([a], [b]) => a.localeCompare(b))) {
    const rate = rates.get(name) ?? 0;
    if (rate === 0) continue;
    const old = before.edges.get(name);
    const requests = edge.requests - (old?.requests ?? 0);
    let all = 0;
    for (const [other, { source, destination }] of now.edges)
      if (source === edge.source && destination === edge.destination) all += rates.get(other) ?? 0;
    lines.push(
      row([
        edge.source,
        edge.destination,
        edge.version,
        rate.toFixed(1),
        `${((100 * (edge.succeeded - (old?.succeeded ?? 0))) / requests).toFixed(1)} %`,
        milliseconds(histogramQuantile(0.5, edge, old)),
        milliseconds(histogramQuantile(0.99, edge, old)),
        `${((100 * rate) / all).toFixed(1)} %`,
        edge.mutualTls - (old?.mutualTls ?? 0) === requests ? 'yes' : 'NO',
      ]),
    );
  }
  lines.push(
    '',
    `  retries ${now.retries}   ejections ${now.ejections}`,
    '',
    '  as the load generator sees it:',
  );
  for (const [name, tally] of load.tallies) {
    const statuses = [...tally.statuses]
      .map(([status, count]) => `${status === 0 ? 'failed' : status}: ${count}`)
      .join('  ');
    const { latencies } = tally;
    lines.push(
      `  ${name.padEnd(12)}p50 ${milliseconds(quantile(latencies, 0.5))} ms  p99 ${milliseconds(quantile(latencies, 0.99))} ms  ${statuses}`,
    );
  }
  return lines.join('\n');
}

/** Draws once a second until it is stopped: in place on a terminal, as plain paragraphs elsewhere. */
export function showScreen(
  world: World,
  load: Load,
  manifests: string,
  output: NodeJS.WriteStream,
): () => void {
  const history: Snapshot[] = [];
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    void observe(world)
      .then(snapshot => {
        history.push(snapshot);
        while (history.length > 2 && snapshot.at - history[0].at > WINDOW_MS) history.shift();
        const text = render(snapshot, history[0], load, manifests);
        output.write(output.isTTY ? `\x1b[H\x1b[2J${text}\n` : `${text}\n\n`);
      })
      .finally(() => {
        busy = false;
      });
  }, REFRESH_MS);
  return () => clearInterval(timer);
}
