/** How the protocol of a Service port is declared and what it means for the data path. */

/**
 *  - `http`: HTTP/1.x and HTTP/2 prior knowledge, told apart by the first bytes.
 *  - `http2`: HTTP/2 towards the application.
 *  - `grpc`: as http2, with gRPC status in metrics and gRPC errors.
 *  - `opaque`: bytes only, never inspected.
 *  - `detect`: not declared; decided by the first bytes of each connection.
 */
export type PortProtocol = 'http' | 'http2' | 'grpc' | 'opaque' | 'detect';

const NAMES: Readonly<Record<string, PortProtocol>> = {
  http: 'http',
  http1: 'http',
  'kubernetes.io/ws': 'http',
  ws: 'http',
  http2: 'http2',
  h2c: 'http2',
  'kubernetes.io/h2c': 'http2',
  grpc: 'grpc',
  'grpc-web': 'http',
  tcp: 'opaque',
  tls: 'opaque',
  https: 'opaque',
  'kubernetes.io/wss': 'opaque',
  mongo: 'opaque',
  mysql: 'opaque',
  redis: 'opaque',
  'tulle.dev/opaque': 'opaque',
};

/** Ports of protocols in which the server speaks first; waiting for the client's bytes would stall them. */
export const serverFirstPorts: ReadonlySet<number> = new Set([25, 587, 3306, 4444, 5432, 6379, 9300, 11211]);

/**
 * Protocol of a Service port: `appProtocol` decides, then the port name (`http`, or `http-` and anything),
 * then known server-first ports, else detection. An unknown `appProtocol` means detection.
 */
export function portProtocol(
  appProtocol: string | undefined,
  name: string | undefined,
  port: number,
): PortProtocol {
  if (appProtocol !== undefined) return NAMES[appProtocol.toLowerCase()] ?? 'detect';
  if (name !== undefined) {
    const declared = NAMES[name.split('-', 1)[0].toLowerCase()];
    if (declared !== undefined) return declared;
  }
  return serverFirstPorts.has(port) ? 'opaque' : 'detect';
}

const TLS_NAMES: ReadonlySet<string> = new Set(['tls', 'https', 'kubernetes.io/wss']);

/** Whether the port is declared as one whose clients speak TLS themselves; declared as in {@link portProtocol}. */
export function clientsSpeakTls(appProtocol: string | undefined, name: string | undefined): boolean {
  return TLS_NAMES.has(appProtocol?.toLowerCase() ?? name?.split('-', 1)[0].toLowerCase() ?? '');
}

/** ALPN protocol names between sidecars. Any other TLS belongs to the application. */
export const meshAlpn = {
  /** HTTP of any version, carried as HTTP/2. */
  http2: 'tulle-h2',
  /** One HTTP/1.1 request that may become a tunnel: upgrades and CONNECT. */
  http1: 'tulle-h1',
  /** Bytes. */
  tcp: 'tulle-tcp',
} as const;
