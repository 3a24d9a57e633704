/**
 * All metrics of a sidecar. The hot path holds the objects that this gives out and adds to their numbers; everything else
 * happens when it is scraped (`renderMetrics`).
 */
import type { metricNames } from '../../api/metrics.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { WorkloadLabels } from '../cluster/cluster-config.ts';
import { createServiceCounters, type ServiceCounters } from '../cluster/service-counters.ts';
import { type EdgeLabels, EdgeSeries, OutcomeCell, workloadValues } from './edge-series.ts';

export type MetricName = keyof typeof metricNames;

/** A value read at scrape time; labels in the order they are printed. */
export interface Reading {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A plain counter that its holder adds to. */
export interface Counter {
  value: number;
}

const OVERFLOW: WorkloadLabels = {
  workload: 'overflow',
  namespace: 'overflow',
  principal: 'overflow',
  app: 'overflow',
  version: 'overflow',
  canonicalService: 'overflow',
  canonicalRevision: 'overflow',
};

export class Metrics {
  readonly #maxSeries: number;
  readonly #edges = new Map<string, EdgeSeries>();
  readonly #services = new Map<string, ServiceCounters>();
  readonly #counters = new Map<MetricName, Map<string, Counter>>();
  readonly #readers = new Map<MetricName, (() => readonly Reading[])[]>();
  readonly #overflow: EdgeSeries;
  #cells = 0;
  #overflowed = 0;
  #clusters: () => Iterable<Cluster> = () => [];
  #now: () => number = () => 0;

  /** `maxSeries`: series per metric; what goes beyond is counted in one overflow series. */
  constructor(maxSeries: number) {
    this.#maxSeries = maxSeries;
    const cell = new OutcomeCell(0, -1, '');
    this.#overflow = new EdgeSeries(
      {
        reporter: 'source',
        source: OVERFLOW,
        destination: OVERFLOW,
        service: { host: 'overflow', name: 'overflow', namespace: 'overflow' },
        protocol: 'http',
        security: 'unknown',
      },
      { create: () => null, overflow: () => this.#countOverflow(cell) },
    );
    this.#overflow.cells.push(cell);
  }

  /** Series of an edge; the same object for equal labels, the overflow series when the limit is reached. */
  edge(labels: EdgeLabels): EdgeSeries {
    const key = edgeKey(labels);
    const known = this.#edges.get(key);
    if (known !== undefined) return known;
    if (this.#edges.size >= this.#maxSeries) return this.#overflow;
    const series = new EdgeSeries(labels, {
      create: (status, grpcStatus, flags) => this.#createCell(status, grpcStatus, flags),
      overflow: () => this.#countOverflow(this.#overflow.cells[0]),
    });
    this.#edges.set(key, series);
    return series;
  }

  /** Counters of a Service by its host, for `new Cluster(config, counters)`; they outlive the cluster. */
  service(host: string): ServiceCounters {
    const name = this.#services.has(host) || this.#services.size < this.#maxSeries ? host : 'overflow';
    let counters = this.#services.get(name);
    if (counters === undefined) {
      counters = createServiceCounters();
      this.#services.set(name, counters);
    }
    return counters;
  }

  /** A counter to add to; the same object for equal labels. `labels` must come from a bounded set. */
  counter(name: MetricName, labels: Readonly<Record<string, string>>): Counter {
    let byLabels = this.#counters.get(name);
    if (byLabels === undefined) {
      byLabels = new Map();
      this.#counters.set(name, byLabels);
    }
    const key = JSON.stringify(labels);
    let counter = byLabels.get(key);
    if (counter === undefined) {
      counter = { value: 0 };
      byLabels.set(key, counter);
    }
    return counter;
  }

  /** Registers what is read at scrape; several readers of one metric add their readings. */
  read(name: MetricName, reader: () => readonly Reading[]): void {
    const readers = this.#readers.get(name);
    if (readers === undefined) this.#readers.set(name, [reader]);
    else readers.push(reader);
  }

  /** Registers where the live clusters are, for the gauges of endpoints; `now` is the clock that the pickers use. */
  setClusters(clusters: () => Iterable<Cluster>, now: () => number): void {
    this.#clusters = clusters;
    this.#now = now;
  }

  /** All edges, the overflow series last and only when it is in use. */
  edges(): EdgeSeries[] {
    const edges = [...this.#edges.values()];
    if (this.#overflowed > 0 || this.#overflow.tcpOpened > 0) edges.push(this.#overflow);
    return edges;
  }

  /** Readings of every other metric at this moment. */
  readings(): Map<MetricName, Reading[]> {
    const all = new Map<MetricName, Reading[]>();
    const push = (name: MetricName, labels: Readonly<Record<string, string>>, value: number) => {
      const list = all.get(name);
      if (list === undefined) all.set(name, [{ labels, value }]);
      else list.push({ labels, value });
    };
    this.#readServices(push);
    this.#readClusters(push);
    for (const [name, counters] of this.#counters) {
      for (const [key, counter] of counters) push(name, JSON.parse(key), counter.value);
    }
    for (const [name, readers] of this.#readers) {
      for (const reader of readers) for (const { labels, value } of reader()) push(name, labels, value);
    }
    push('overflowSeries', {}, this.#overflowed + this.#overflow.tcpOpened);
    return all;
  }

  #readServices(push: (name: MetricName, labels: Record<string, string>, value: number) => void): void {
    for (const [host, counters] of this.#services) {
      const destination_service = host === '' ? 'unknown' : host;
      push('ejections', { destination_service }, counters.ejections);
      for (const [reason, value] of Object.entries(counters.retries)) {
        if (value > 0) push('retries', { destination_service, reason }, value);
      }
      for (const [reason, value] of Object.entries(counters.retriesDenied)) {
        if (value > 0) push('retriesDenied', { destination_service, reason }, value);
      }
    }
  }

  #readClusters(push: (name: MetricName, labels: Record<string, string>, value: number) => void): void {
    const byHost = new Map<string, { endpoints: number; ejected: number }>();
    const now = this.#now();
    for (const cluster of this.#clusters()) {
      // Brings the count of ejected endpoints up to date when nothing was picked since they returned.
      cluster.view(now);
      const host = cluster.config.service.host === '' ? 'unknown' : cluster.config.service.host;
      const sum = byHost.get(host) ?? { endpoints: 0, ejected: 0 };
      sum.endpoints += cluster.endpoints.length;
      sum.ejected += cluster.ejected;
      byHost.set(host, sum);
    }
    for (const [destination_service, { endpoints, ejected }] of byHost) {
      push('endpoints', { destination_service }, endpoints);
      push('ejected', { destination_service }, ejected);
    }
  }

  #createCell(status: number, grpcStatus: number, flags: string): OutcomeCell | null {
    if (this.#cells >= this.#maxSeries) return null;
    this.#cells++;
    return new OutcomeCell(status, grpcStatus, flags);
  }

  #countOverflow(cell: OutcomeCell): OutcomeCell {
    this.#overflowed++;
    return cell;
  }
}

function edgeKey({ reporter, source, destination, service, protocol, security }: EdgeLabels): string {
  return [
    reporter,
    ...workloadValues(source),
    ...workloadValues(destination),
    service.host,
    service.name,
    service.namespace,
    protocol,
    security,
  ].join('\0');
}
