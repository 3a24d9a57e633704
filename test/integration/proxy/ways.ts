/** The ways of a connection to an application: through the sidecar of the client, of the server, or both. */
import type { PortProtocol } from '../../../api/protocol.ts';
import { cluster, endpoint, forward, SERVER_ID, type TestMesh, testMesh } from './mesh.ts';

/**
 *  - `outbound`: client → its sidecar → application, in plaintext.
 *  - `inbound`: client → sidecar of the application → application, in plaintext (permissive mode).
 *  - `mesh`: client → its sidecar → mTLS → sidecar of the application → application.
 */
export const ways = ['outbound', 'inbound', 'mesh'] as const;
export type Way = (typeof ways)[number];

export interface WayOptions {
  readonly mesh?: TestMesh;
  /** What the port declares; `http` unless said. */
  readonly protocol?: PortProtocol;
  readonly detectTimeoutMs?: number;
}

/** @returns port at which the application on `application` is reached on that way, as the service `orders` */
export async function reach(way: Way, application: number, options: WayOptions = {}): Promise<number> {
  const { mesh = testMesh(), protocol = 'http', detectTimeoutMs = 1000 } = options;
  if (way === 'inbound') return (await mesh.server(application, { protocol, detectTimeoutMs })).port;
  const target =
    way === 'outbound'
      ? endpoint(application)
      : endpoint((await mesh.server(application, { protocol, mtls: 'strict' })).port, {
          identity: SERVER_ID,
        });
  const routes = protocol === 'opaque' ? null : [forward(['orders'])];
  const declared = protocol === 'http2' || protocol === 'grpc' ? 'http2' : 'auto';
  const orders = cluster('orders', [target], { protocol: declared });
  return (await mesh.orders([orders], { protocol, routes, client: { detectTimeoutMs } })).port;
}
