/**
 * Every answer that a proxy makes itself: the code in the `tulle-error` header, the status, Envoy's response flag
 * and one plain sentence. docs/reference/failures.md is made from this table.
 */

export interface Failure {
  /** HTTP status; for gRPC requests `grpc` is sent with status 200 instead. */
  status: number;
  /** gRPC status code (google.rpc.Code). */
  grpc: number;
  /** Envoy's response flag, '' if it has none. */
  flag: string;
  /** One sentence for the header, the log and the documentation. No names of this request. */
  sentence: string;
}

export const failures = {
  NO_ROUTE: {
    status: 404,
    grpc: 12,
    flag: 'NR',
    sentence: 'No rule of the routes on this service matches the request.',
  },
  INVALID_BACKEND: {
    status: 500,
    grpc: 14,
    flag: 'NC',
    sentence: 'The matching rule refers to a backend that does not exist or may not be used.',
  },
  NO_HEALTHY_ENDPOINT: { status: 503, grpc: 14, flag: 'UH', sentence: 'The service has no ready endpoint.' },
  CONNECT_FAILED: {
    status: 503,
    grpc: 14,
    flag: 'UF',
    sentence: 'No connection to the endpoint could be opened.',
  },
  CONNECT_TIMEOUT: {
    status: 503,
    grpc: 14,
    flag: 'UF',
    sentence: 'The endpoint did not accept the connection in time.',
  },
  PEER_IDENTITY: {
    status: 503,
    grpc: 14,
    flag: 'UF',
    sentence: 'The endpoint did not prove the expected identity.',
  },
  PEER_REJECTED: {
    status: 503,
    grpc: 14,
    flag: 'UF',
    sentence: 'The endpoint did not accept the certificate of this proxy.',
  },
  BACKEND_CERTIFICATE: {
    status: 503,
    grpc: 14,
    flag: 'UF',
    sentence:
      'The certificate of the application is not the one that the BackendTLSPolicy of the service asks for.',
  },
  BACKEND_TLS: {
    status: 503,
    grpc: 14,
    flag: 'UF',
    sentence: 'The application does not speak TLS as the BackendTLSPolicy of the service asks for.',
  },
  BACKEND_TLS_POLICY: {
    status: 503,
    grpc: 14,
    flag: 'NC',
    sentence: 'The BackendTLSPolicy of the service is invalid, and nothing is sent without it.',
  },
  UPSTREAM_RESET: {
    status: 503,
    grpc: 14,
    flag: 'UC',
    sentence: 'The endpoint closed the connection before its answer was complete.',
  },
  CONNECTION_RESET: {
    status: 503,
    grpc: 14,
    flag: 'UC',
    sentence: 'The endpoint reset the connection and sent no byte of an answer.',
  },
  CONNECTION_LOST: {
    status: 503,
    grpc: 14,
    flag: 'UC',
    sentence: 'The endpoint fell silent: it answers neither the protocol nor TCP.',
  },
  STREAM_RESET: {
    status: 503,
    grpc: 14,
    flag: 'UR',
    sentence: 'The endpoint reset the request before its answer was complete.',
  },
  UPSTREAM_PROTOCOL: {
    status: 502,
    grpc: 13,
    flag: 'UPE',
    sentence: 'The endpoint sent an answer that is not valid HTTP.',
  },
  UPSTREAM_LIMIT: {
    status: 502,
    grpc: 8,
    flag: 'UPE',
    sentence: 'The answer of the endpoint exceeds a limit of the proxy.',
  },
  REQUEST_TIMEOUT: {
    status: 504,
    grpc: 4,
    flag: 'UT',
    sentence: 'The endpoint did not answer within the timeout of the request.',
  },
  ATTEMPT_TIMEOUT: {
    status: 504,
    grpc: 4,
    flag: 'UT',
    sentence: 'The endpoint did not answer within the timeout of one attempt.',
  },
  IDLE_TIMEOUT: {
    status: 504,
    grpc: 4,
    flag: 'SI',
    sentence: 'Nothing was heard of the endpoint for longer than the idle timeout of a request.',
  },
  RETRY_BUDGET: {
    status: 503,
    grpc: 14,
    flag: 'UO',
    sentence: 'The request has failed, and the retry budget of the service is used up.',
  },
  OVERFLOW: {
    status: 503,
    grpc: 14,
    flag: 'UO',
    sentence: 'A limit of connections or requests is reached, of the service or of the proxy.',
  },
  BAD_REQUEST: { status: 400, grpc: 13, flag: 'DPE', sentence: 'The request is not valid HTTP.' },
  REQUEST_INCOMPLETE: {
    status: 408,
    grpc: 4,
    flag: 'DPE',
    sentence: 'The client did not complete its request in time.',
  },
  REQUEST_TOO_LARGE: {
    status: 413,
    grpc: 8,
    flag: 'DPE',
    sentence: 'The body of the request, or its framing, exceeds a limit of the proxy.',
  },
  TARGET_TOO_LONG: {
    status: 414,
    grpc: 8,
    flag: 'DPE',
    sentence: 'The request line exceeds a limit of the proxy.',
  },
  EXPECTATION_FAILED: {
    status: 417,
    grpc: 13,
    flag: 'DPE',
    sentence: 'The client expects something else than 100-continue.',
  },
  HEADERS_TOO_LARGE: {
    status: 431,
    grpc: 8,
    flag: 'DPE',
    sentence: 'The header section exceeds a limit of the proxy.',
  },
  CONFIG_UNAVAILABLE: {
    status: 503,
    grpc: 14,
    flag: 'NC',
    sentence:
      'The control plane cannot be reached and the proxy holds no configuration for this destination.',
  },
  MTLS_REQUIRED: {
    status: 403,
    grpc: 7,
    flag: 'UAEX',
    sentence: 'This workload accepts connections from the mesh only, with mutual TLS.',
  },
  LOOP: { status: 508, grpc: 13, flag: 'NR', sentence: 'The destination is the proxy itself.' },
  NOT_A_DESTINATION: {
    status: 404,
    grpc: 12,
    flag: 'NR',
    sentence: 'The proxy has no listener or service for this destination.',
  },
  DRAINING: {
    status: 503,
    grpc: 14,
    flag: 'DR',
    sentence: 'The proxy has shut down before it could pass the request on.',
  },
  CUT_OFF: {
    status: 503,
    grpc: 14,
    flag: 'DR',
    sentence: 'The proxy has shut down, and the answer was not complete at the end of its drain time.',
  },
} as const satisfies Record<string, Failure>;

export type FailureCode = keyof typeof failures;

/** With these a sidecar says that its application has seen nothing of the request: it may be sent again, elsewhere. */
export const notProcessed = [
  'CONNECT_FAILED',
  'CONNECT_TIMEOUT',
  'DRAINING',
  'OVERFLOW',
  'CONFIG_UNAVAILABLE',
] as const satisfies readonly FailureCode[];

/** With these it says that its application may have seen the request, but gives no answer. */
export const answerLost = [
  'CUT_OFF',
  'UPSTREAM_RESET',
  'CONNECTION_RESET',
  'CONNECTION_LOST',
  'STREAM_RESET',
  'UPSTREAM_PROTOCOL',
] as const satisfies readonly FailureCode[];

/** The header in which a proxy says why it answered itself: `CODE; sentence`. */
export const failureHeader = 'tulle-error';
