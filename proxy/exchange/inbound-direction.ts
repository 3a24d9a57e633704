import type { Cluster } from '../cluster/cluster.ts';
import type { WorkloadLabels } from '../cluster/cluster-config.ts';
import type { Endpoint } from '../cluster/endpoint.ts';
import type { InboundPortConfig } from '../listener/listener-config.ts';
import type { EdgeSeries } from '../telemetry/edge-series.ts';
import type { HttpTransportKind } from '../upstream/endpoint-pools.ts';
import type { OwnEdges } from './edges.ts';
import type { Exchange } from './exchange.ts';
import type { Direction } from './exchange-context.ts';
import * as fields from './fields.ts';
import {
  clientCertField,
  clientIdField,
  forwardedClientCert,
  parseSource,
  sourceField,
  stripMeshFields,
  versionField,
} from './mesh-fields.ts';
import type { FieldLines, ResponseHead } from './stream.ts';

/** What an incoming connection knows of itself; `ServerConnection.context`. */
export class InboundContext {
  /** `address:port` of the client. */
  readonly client: string;
  /** SPIFFE ID that the client has proved, '' without TLS. */
  readonly peer: string;
  readonly config: InboundPortConfig;
  /** The application behind the port. */
  readonly cluster: Cluster;
  /** The client is a sidecar, whose word about its workload and the protocol counts. */
  readonly fromSidecar: boolean;
  /** `x-forwarded-client-cert`, '' without a peer. */
  readonly forwardedCert: string;
  /** Labels of the client, as of the last `tulle-source`. */
  #source = '';
  #labels: WorkloadLabels | null = null;
  #own: WorkloadLabels | null = null;
  #http: EdgeSeries | null = null;
  #grpc: EdgeSeries | null = null;
  #tcp: EdgeSeries | null = null;

  constructor(
    client: string,
    peer: string,
    own: string,
    config: InboundPortConfig,
    cluster: Cluster,
    fromSidecar: boolean,
  ) {
    this.client = client;
    this.peer = peer;
    this.config = config;
    this.cluster = cluster;
    this.fromSidecar = fromSidecar;
    this.forwardedCert = peer === '' ? '' : forwardedClientCert(own, peer);
  }

  /** Takes over what a request says of its client; nearly always the same on one connection. */
  learnSource(value: string): void {
    if (this.#labels !== null && value === this.#source) return;
    this.#source = value;
    this.#labels = parseSource(value, this.peer);
    this.#http = this.#grpc = this.#tcp = null;
  }

  series(edges: OwnEdges, protocol: 'http' | 'grpc' | 'tcp'): EdgeSeries {
    const own = edges.labels;
    if (own !== this.#own) {
      this.#own = own;
      this.#http = this.#grpc = this.#tcp = null;
    }
    this.#labels ??= parseSource('', this.peer);
    const { service } = this.config;
    if (protocol === 'http') return (this.#http ??= edges.from(this.#labels, service, protocol));
    if (protocol === 'grpc') return (this.#grpc ??= edges.from(this.#labels, service, protocol));
    return (this.#tcp ??= edges.from(this.#labels, service, protocol));
  }
}

/** Requests that reach the pod: to the application, with the proved identity of the client. */
export class InboundDirection implements Direction {
  readonly name = 'inbound';
  readonly retriesConnections = false;
  /** For an application that closes a kept connection while a request is on its way; longer ones the client's sidecar has. */
  readonly replayBytes = 4096;
  readonly #edges: OwnEdges;

  constructor(edges: OwnEdges) {
    this.#edges = edges;
  }

  direct(exchange: Exchange): void {
    const { head } = exchange;
    const context = contextOf(exchange);
    if (context.fromSidecar) {
      context.learnSource(fields.get(head.fields, sourceField));
      // Not that of the connection between sidecars: HTTP/2 for all but tunnels.
      head.version = fields.get(head.fields, versionField) === '' ? 20 : 11;
    }
    stripMeshFields(head.fields);
    if (context.peer !== '') {
      head.fields.push(clientCertField, context.forwardedCert, clientIdField, context.peer);
    }
    exchange.forward(context.cluster, null, null);
  }

  transport(exchange: Exchange, _cluster: Cluster, _endpoint: Endpoint): HttpTransportKind {
    const { protocol } = contextOf(exchange).config;
    if (protocol === 'http2' || protocol === 'grpc') return 'http2';
    return exchange.head.version === 20 ? 'http2' : 'http1';
  }

  appendHopFields(_exchange: Exchange, _endpoint: Endpoint, _fields: FieldLines): void {}

  /** The application does not speak for the mesh. */
  editResponse(_exchange: Exchange, head: ResponseHead): void {
    stripMeshFields(head.fields);
  }

  series(exchange: Exchange, _endpoint: Endpoint | null): EdgeSeries {
    return contextOf(exchange).series(this.#edges, exchange.grpc ? 'grpc' : 'http');
  }

  peer(exchange: Exchange): string {
    return contextOf(exchange).peer;
  }

  client(exchange: Exchange): string {
    return contextOf(exchange).client;
  }
}

function contextOf(exchange: Exchange): InboundContext {
  return exchange.stream.connection.context as InboundContext;
}
