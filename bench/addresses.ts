/** Where everything of a benchmark listens; all on loopback, one port a role, so that one run needs no luck. */

/** Answers every request with the same body: HTTP/1.1 and HTTP/2 prior knowledge. */
export const backend = { host: '127.99.0.1', http1: 18_080, http2: 18_081 } as const;

/** The proxy under test: one address per proxy, one port per way through it. */
export const proxyPorts = {
  /** HTTP/1.1 in, HTTP/1.1 out. */
  http1: 19_001,
  /** HTTP/2 in, HTTP/2 out. */
  http2: 19_002,
  /** HTTP/2 in, mutual TLS to `mtlsServer`. */
  mtlsClient: 19_003,
  /** Mutual TLS in, HTTP/2 out. */
  mtlsServer: 19_004,
  /** HTTP/1.1 in, mutual TLS to `mtlsServerHttp1`. */
  mtlsClientHttp1: 19_005,
  /** Mutual TLS in, HTTP/1.1 out. */
  mtlsServerHttp1: 19_006,
} as const;
