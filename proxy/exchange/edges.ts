import type { ServiceLabels, WorkloadLabels } from '../cluster/cluster-config.ts';
import type { InboundState } from '../cluster/destination.ts';
import type { Endpoint } from '../cluster/endpoint.ts';
import type { IdentitySource } from '../identity/identity.ts';
import type { EdgeLabels, EdgeSeries } from '../telemetry/edge-series.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { formatSource } from './mesh-fields.ts';

export const UNKNOWN_WORKLOAD: WorkloadLabels = {
  workload: '',
  namespace: '',
  principal: '',
  app: '',
  version: '',
  canonicalService: '',
  canonicalRevision: '',
};

export const UNKNOWN_SERVICE: ServiceLabels = { host: '', name: '', namespace: '' };

/** What this pod is in metrics, and the series of the edges that leave it. */
export class OwnEdges {
  readonly #metrics: Metrics;
  readonly #inbound: InboundState;
  readonly #identity: IdentitySource;
  #workload: WorkloadLabels | null = null;
  #principal = '';
  #labels: WorkloadLabels = UNKNOWN_WORKLOAD;
  #source = '';

  constructor(metrics: Metrics, inbound: InboundState, identity: IdentitySource) {
    this.#metrics = metrics;
    this.#inbound = inbound;
    this.#identity = identity;
  }

  /** Labels of this pod; unknown before the first configuration. */
  get labels(): WorkloadLabels {
    this.#refresh();
    return this.#labels;
  }

  /** {@link labels} as sent to other sidecars. */
  get source(): string {
    this.#refresh();
    return this.#source;
  }

  #refresh(): void {
    const workload = this.#inbound.current?.workload ?? null;
    const principal = this.#identity.current?.spiffe ?? '';
    if (workload === this.#workload && principal === this.#principal) return;
    this.#workload = workload;
    this.#principal = principal;
    this.#labels = { ...(workload ?? UNKNOWN_WORKLOAD), principal };
    this.#source = formatSource(this.#labels);
  }

  /** Series of what goes to an endpoint; kept with it once this pod knows its own labels. */
  to(endpoint: Endpoint | null, service: ServiceLabels, protocol: EdgeLabels['protocol']): EdgeSeries {
    if (endpoint === null) return this.#find(null, service, protocol);
    const known = cached(endpoint, protocol);
    if (known !== null) return known;
    const series = this.#find(endpoint, service, protocol);
    if (this.#inbound.current === null) return series;
    if (protocol === 'http') endpoint.httpSeries = series;
    else if (protocol === 'grpc') endpoint.grpcSeries = series;
    else endpoint.tcpSeries = series;
    return series;
  }

  /** Series of what comes to this pod. */
  from(source: WorkloadLabels, service: ServiceLabels, protocol: EdgeLabels['protocol']): EdgeSeries {
    return this.#metrics.edge({
      reporter: 'destination',
      source,
      destination: this.labels,
      service,
      protocol,
      security: source.principal === '' ? 'none' : 'mutual_tls',
    });
  }

  #find(endpoint: Endpoint | null, service: ServiceLabels, protocol: EdgeLabels['protocol']): EdgeSeries {
    const labels = endpoint === null ? UNKNOWN_WORKLOAD : endpoint.labels;
    const principal = endpoint === null ? '' : endpoint.identity;
    return this.#metrics.edge({
      reporter: 'source',
      source: this.labels,
      destination: labels.principal === principal ? labels : { ...labels, principal },
      service,
      protocol,
      security: endpoint === null ? 'unknown' : securityOf(endpoint),
    });
  }
}

/** What the mesh does goes before what it opens to the application. */
function securityOf({ meshed, backendTls }: Endpoint): EdgeLabels['security'] {
  if (meshed) return 'mutual_tls';
  return backendTls === null ? 'none' : 'tls';
}

function cached(endpoint: Endpoint, protocol: EdgeLabels['protocol']): EdgeSeries | null {
  if (protocol === 'http') return endpoint.httpSeries;
  return protocol === 'grpc' ? endpoint.grpcSeries : endpoint.tcpSeries;
}
