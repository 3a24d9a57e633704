/** Clusters and endpoints as values, decoded from xDS and validated; `cluster.ts` makes them live. */

/** What metrics say of the other side; '' where unknown. */
export interface WorkloadLabels {
  readonly workload: string;
  readonly namespace: string;
  readonly principal: string;
  readonly app: string;
  readonly version: string;
  readonly canonicalService: string;
  readonly canonicalRevision: string;
}

/** The Service that a cluster stands for; '' where there is none (pod addresses, pass-through). */
export interface ServiceLabels {
  /** Full DNS name: `destination_service`. */
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
}

export interface EndpointConfig {
  /** IP address. */
  readonly address: string;
  readonly port: number;
  /** The endpoint has a sidecar: TLS with mesh ALPN, and its identity must be one of the cluster's. */
  readonly meshed: boolean;
  /**
   * SPIFFE ID that the endpoint must prove; '' if not meshed.
   */
  readonly identity: string;
  /** 1.. */
  readonly weight: number;
  /** 0 is tried first. */
  readonly priority: number;
  readonly zone: string;
  readonly labels: WorkloadLabels;
}

export type BalancingPolicy = 'peak-ewma' | 'least-request' | 'round-robin' | 'random';

export interface OutlierConfig {
  /** Failures (connection failures, 5xx) in a row that eject an endpoint; 0 switches ejection off. */
  readonly consecutiveFailures: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  /** Most endpoints that may be ejected at once, 0..1 of the cluster. */
  readonly maxEjectedFraction: number;
}

export interface RetryBudgetConfig {
  /** Retries in flight as a share of requests in flight, 0..1. */
  readonly fraction: number;
  /** Retries that are always allowed. */
  readonly min: number;
  /** In place of both: what a policy says of the time that has passed. */
  readonly rate: RetryRateConfig | null;
}

/** Retries as a share of the requests of an interval (GEP-3388). */
export interface RetryRateConfig {
  /** 0..1 of all requests, retries among them. */
  readonly fraction: number;
  readonly intervalMs: number;
  /** Retries that are allowed in any case in a time. */
  readonly minCount: number;
  readonly minIntervalMs: number;
}

/** How bytes travel to an endpoint that is not meshed, or to the application behind the mesh hop. */
export type UpstreamProtocol = 'http1' | 'http2' | 'opaque';

/** How the requests of a client are kept on one endpoint (GEP-1619). */
export interface SessionConfig {
  /** Where the client keeps the token that names its endpoint. */
  readonly kind: 'cookie' | 'header';
  /** Of the cookie, or of the header in lower case. */
  readonly name: string;
  /** Path of the cookie, '' for none. */
  readonly path: string;
  /** Time from the first request after which a session is over; 0: never. */
  readonly timeoutMs: number;
  /** The cookie outlives the browser's session, until the timeout. */
  readonly permanent: boolean;
  /** What tokens are made with. */
  readonly key: string;
}

/**
 * TLS that the application of an endpoint serves itself.
 *  - `verified`: opened with this name and checked against these authorities.
 *  - `refused`: the policy that asks for it is invalid, and nothing may be sent.
 */
export type BackendTlsConfig =
  | {
      readonly kind: 'verified';
      /** Server Name Indication. */
      readonly serverName: string;
      /** The certificate must have one of them. */
      readonly names: readonly CertificateName[];
      /** Certificates, PEM; null: those that the runtime knows. */
      readonly authorities: string | null;
      /** Opaque connections pass as they come: the client speaks TLS itself. */
      readonly clientTls: boolean;
    }
  | { readonly kind: 'refused'; readonly clientTls: boolean };

export interface CertificateName {
  readonly kind: 'dns' | 'uri';
  /** `regex`: an expression that must match the whole name. */
  readonly match: { readonly kind: 'exact' | 'regex'; readonly value: string };
}

export interface ClusterConfig {
  readonly name: string;
  readonly version: string;
  readonly service: ServiceLabels;
  /** For endpoints without a sidecar: HTTP/1.1 unless the port is declared http2 or grpc. `auto`: as the request came. */
  readonly protocol: 'http1' | 'http2' | 'auto';
  readonly connectTimeoutMs: number;
  readonly balancing: BalancingPolicy;
  readonly outlier: OutlierConfig;
  readonly retryBudget: RetryBudgetConfig;
  /** 0: no limit. */
  readonly maxConnections: number;
  /** Requests in flight; 0: no limit. */
  readonly maxRequests: number;
  /** For rules that have none of their own. */
  readonly session: SessionConfig | null;
  /** null: the application is spoken to in plaintext. */
  readonly backendTls: BackendTlsConfig | null;
}

export interface EndpointsConfig {
  /** Name of the cluster. */
  readonly name: string;
  readonly version: string;
  readonly endpoints: readonly EndpointConfig[];
}
