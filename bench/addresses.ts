/** Where everything of a benchmark listens; all on loopback, one port a role, so that one run needs no luck. */

/** The service behind the proxies; see bench/backends/backend.ts. */
export const backend = {
  host: '127.99.0.1',
  http1: 18_080,
  /** HTTP/2 prior knowledge. */
  http2: 18_081,
  /** Echoes bytes. */
  echo: 18_082,
  /** Echoes gRPC messages. */
  grpc: 18_083,
} as const;

/** The backend under any address of the loopback network, for clusters of many endpoints; HTTP/1.1. */
export const backendAnywhere = { host: '0.0.0.0', port: 18_084 } as const;

/** So many addresses of {@link backendAnywhere}. */
export function manyEndpoints(count: number): { host: string; port: number }[] {
  return Array.from({ length: count }, (_, i) => ({
    host: `127.98.${(i + 1) >> 8}.${(i + 1) & 255}`,
    port: backendAnywhere.port,
  }));
}

/** The proxy under test: one address per proxy, so that its ports can be the same for all. */
export const proxyPorts = {
  /** Where the load enters. */
  client: 19_001,
  /** The second of two hops: mutual TLS in. */
  server: 19_002,
} as const;
