/** Which of the three forms of the same resources a client understands (docs/xds.md). */
export type Dialect = 'sidecar' | 'envoy' | 'grpc';

/** What of a client's node decides on what it is sent. */
export interface Client {
  readonly dialect: Dialect;
  /** Kubernetes namespace: decides on consumer routes and short names. '' if unknown. */
  readonly namespace: string;
  /** Topology zone, for Services that prefer close endpoints. '' if unknown. */
  readonly zone: string;
  /** grpc: certificate providers of the client's bootstrap if it asks for mTLS (gRFC A29), else null. */
  readonly tls: { readonly identity: string; readonly roots: string } | null;
  /** envoy: where the outbound listener is bound. */
  readonly outbound: { readonly address: string; readonly port: number };
}
