/**
 * Counters of one edge: who called whom, over which protocol. Looked up once (`Metrics.edge`) and cached by the caller on
 * its endpoint or connection; after that a sample is a few additions to numbers.
 */
import { byteBuckets, durationBuckets } from '../../api/metrics.ts';
import type { ServiceLabels, WorkloadLabels } from '../cluster/cluster-config.ts';

/** Values of `edgeLabels` in api/metrics.ts. */
export interface EdgeLabels {
  readonly reporter: 'source' | 'destination';
  readonly source: WorkloadLabels;
  readonly destination: WorkloadLabels;
  readonly service: ServiceLabels;
  readonly protocol: 'http' | 'grpc' | 'tcp';
  readonly security: 'mutual_tls' | 'tls' | 'none' | 'unknown';
}

/** Where each histogram begins in {@link OutcomeCell.samples}: buckets, +Inf bucket, sum. */
export const DURATION = 0;
export const REQUEST_BYTES = DURATION + durationBuckets.length + 2;
export const RESPONSE_BYTES = REQUEST_BYTES + byteBuckets.length + 2;
const CELL_SIZE = RESPONSE_BYTES + byteBuckets.length + 2;

/** Samples of one outcome: one array for all its histograms, since a cell is the unit of memory. */
export class OutcomeCell {
  /** 0 if no response was sent. */
  readonly status: number;
  /** -1 if there is none. */
  readonly grpcStatus: number;
  /** Envoy's response flags, '' for none. */
  readonly flags: string;
  /** Three histograms, not cumulative; doubles, so that no count wraps. */
  readonly samples: Float64Array;

  constructor(status: number, grpcStatus: number, flags: string) {
    this.status = status;
    this.grpcStatus = grpcStatus;
    this.flags = flags;
    this.samples = new Float64Array(CELL_SIZE);
  }
}

/** Gives out cells within the limit of series; null when it is reached. */
export interface CellSource {
  create(status: number, grpcStatus: number, flags: string): OutcomeCell | null;
  /** Takes the samples that found no cell; counts each. */
  overflow(): OutcomeCell;
}

export class EdgeSeries {
  readonly labels: EdgeLabels;
  readonly cells: OutcomeCell[];
  tcpSentBytes: number;
  tcpReceivedBytes: number;
  tcpOpened: number;
  tcpClosed: number;
  /** Of {@link tcpClosed}, those that did not end as they should, by their flags; null while there is none. */
  tcpBroken: Map<string, number> | null;
  readonly source: CellSource;
  #last: OutcomeCell | null;

  constructor(labels: EdgeLabels, source: CellSource) {
    this.labels = labels;
    this.cells = [];
    this.tcpSentBytes = 0;
    this.tcpReceivedBytes = 0;
    this.tcpOpened = 0;
    this.tcpClosed = 0;
    this.tcpBroken = null;
    this.source = source;
    this.#last = null;
  }

  /** The cell of an outcome; nearly always the one used last. */
  cell(status: number, grpcStatus: number, flags: string): OutcomeCell {
    const last = this.#last;
    if (last !== null && last.status === status && last.grpcStatus === grpcStatus && last.flags === flags) {
      return last;
    }
    return this.#find(status, grpcStatus, flags);
  }

  #find(status: number, grpcStatus: number, flags: string): OutcomeCell {
    const { cells } = this;
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i];
      if (cell.status === status && cell.grpcStatus === grpcStatus && cell.flags === flags) {
        this.#last = cell;
        return cell;
      }
    }
    const created = this.source.create(status, grpcStatus, flags);
    if (created === null) return this.source.overflow();
    cells.push(created);
    this.#last = created;
    return created;
  }
}

/**
 * Counts one request. `status` 0 if no response was sent; `grpcStatus` -1 if there is none; `flags` as in
 * `Failure.flag`, '' for none; the duration in ms from the first byte of the request to the last of the response.
 */
export function recordRequest(
  series: EdgeSeries,
  status: number,
  grpcStatus: number,
  flags: string,
  durationMs: number,
  requestBytes: number,
  responseBytes: number,
): void {
  const { samples } = series.cell(status, grpcStatus, flags);
  addSample(samples, DURATION, durationBuckets, durationMs);
  addSample(samples, REQUEST_BYTES, byteBuckets, requestBytes);
  addSample(samples, RESPONSE_BYTES, byteBuckets, responseBytes);
}

/** Adds a value to the histogram that begins at `start`. */
export function addSample(
  samples: Float64Array,
  start: number,
  bounds: readonly number[],
  value: number,
): void {
  let i = 0;
  while (i < bounds.length && value > bounds[i]) i++;
  samples[start + i]++;
  samples[start + bounds.length + 1] += value;
}

/** Counts a TCP connection that was opened. */
export function recordOpened(series: EdgeSeries): void {
  series.tcpOpened++;
}

/** Adds bytes of a TCP connection since the last call; `sent` to the client, `received` from it. */
export function recordBytes(series: EdgeSeries, sent: number, received: number): void {
  series.tcpSentBytes += sent;
  series.tcpReceivedBytes += received;
}

/** Counts a TCP connection that was closed; `flags` as in `recordRequest`. */
export function recordClosed(series: EdgeSeries, flags: string): void {
  series.tcpClosed++;
  if (flags === '') return;
  series.tcpBroken ??= new Map();
  series.tcpBroken.set(flags, (series.tcpBroken.get(flags) ?? 0) + 1);
}

/** The labels' values, in the order in which metrics print them. */
export function workloadValues(labels: WorkloadLabels): string[] {
  return [
    labels.workload,
    labels.namespace,
    labels.principal,
    labels.app,
    labels.version,
    labels.canonicalService,
    labels.canonicalRevision,
  ];
}
