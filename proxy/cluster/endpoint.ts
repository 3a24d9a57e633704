import type { EdgeSeries } from '../telemetry/edge-series.ts';
import type { BackendTlsConfig, EndpointConfig, WorkloadLabels } from './cluster-config.ts';

/** What makes two configurations the same endpoint: statistics, ejection and pools persist while it does not change. */
export function endpointKey(config: EndpointConfig): string {
  return `${config.address}|${config.port}|${config.meshed ? config.identity : '-'}`;
}

/**
 * One address of a cluster. The object survives updates of the configuration, and with it what was learned about the
 * endpoint. Plain mutable fields: the picker reads them and the attempt writes them on every request.
 */
export class Endpoint {
  readonly key: string;
  readonly address: string;
  readonly port: number;
  readonly meshed: boolean;
  /** SPIFFE ID that it must prove; '' if not meshed. */
  readonly identity: string;
  /** Of its cluster; an endpoint has one way to be connected to, for life. */
  readonly backendTls: BackendTlsConfig | null;
  /** Its sidecar reads the requests, and answers for the application: no TLS of the application's hides them. */
  readonly proxied: boolean;
  /** 1.. as configured. */
  weight: number;
  priority: number;
  zone: string;
  labels: WorkloadLabels;

  /** Weight relative to the mean of its priority level; kept by the view. */
  share: number;
  /** Attempts in flight: from the pick to the end of the answer. */
  active: number;
  /** Peak-sensitive moving average of the time to the response head, in ms, as of {@link observedAt}. */
  latencyMs: number;
  /** Clock time of the last sample; NaN before the first. */
  observedAt: number;

  /** Failures in a row. */
  consecutiveFailures: number;
  /** Clock time until which it is ejected; 0 while it is not. */
  ejectedUntil: number;
  /** Ejections without a long healthy time between them; the exponent of the next ejection's length. */
  ejections: number;
  /** Clock time at which its last ejection ended or will end. */
  returnedAt: number;
  /** Back from ejection and not yet proved: takes one attempt at a time. */
  probing: boolean;

  /** No longer in the configuration; takes no new attempts. */
  removed: boolean;
  /** Called once when it is removed, so that the owner of {@link pool} can drain it. */
  onRemoved: ((endpoint: Endpoint) => void) | null;
  /** Connections to the endpoint; belongs to proxy/upstream. */
  pool: unknown;
  /** Metric series of requests by protocol, cached by who records them; null again when the labels change. */
  httpSeries: EdgeSeries | null;
  grpcSeries: EdgeSeries | null;
  tcpSeries: EdgeSeries | null;

  constructor(config: EndpointConfig, backendTls: BackendTlsConfig | null = null) {
    this.key = endpointKey(config);
    this.address = config.address;
    this.port = config.port;
    this.meshed = config.meshed;
    this.identity = config.identity;
    this.backendTls = backendTls;
    this.proxied = config.meshed && backendTls === null;
    this.weight = config.weight;
    this.priority = config.priority;
    this.zone = config.zone;
    this.labels = config.labels;
    this.share = 1;
    this.active = 0;
    this.latencyMs = 0;
    this.observedAt = Number.NaN;
    this.consecutiveFailures = 0;
    this.ejectedUntil = 0;
    this.ejections = 0;
    this.returnedAt = Number.NEGATIVE_INFINITY;
    this.probing = false;
    this.removed = false;
    this.onRemoved = null;
    this.pool = null;
    this.httpSeries = null;
    this.grpcSeries = null;
    this.tcpSeries = null;
  }

  /** Takes over what may change without being another endpoint. */
  update(config: EndpointConfig): void {
    this.weight = config.weight;
    this.priority = config.priority;
    this.zone = config.zone;
    if (sameLabels(this.labels, config.labels)) return;
    this.labels = config.labels;
    this.httpSeries = null;
    this.grpcSeries = null;
    this.tcpSeries = null;
  }

  remove(): void {
    if (this.removed) return;
    this.removed = true;
    const callback = this.onRemoved;
    this.onRemoved = null;
    if (callback !== null) callback(this);
  }
}

function sameLabels(a: WorkloadLabels, b: WorkloadLabels): boolean {
  return (
    a.workload === b.workload &&
    a.namespace === b.namespace &&
    a.principal === b.principal &&
    a.app === b.app &&
    a.version === b.version &&
    a.canonicalService === b.canonicalService &&
    a.canonicalRevision === b.canonicalRevision
  );
}
