import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import { Server, type ServerCredentials } from '@grpc/grpc-js';

/** A dead peer is found within 40 s; sidecars that ping as often are not sent away. */
const KEEPALIVE = {
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.max_send_message_length': -1,
};

/** Makes a gRPC server, lets `add` put services on it, and listens. Rejects if the port is taken. */
export async function listenGrpc(
  address: string,
  port: number,
  credentials: ServerCredentials,
  add: (server: Server) => void,
): Promise<Server> {
  const server = new Server(KEEPALIVE);
  add(server);
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(authority(address, port), credentials, error => {
      if (error === null) resolve();
      else
        reject(new Error(`cannot listen on ${authority(address, port)}: ${error.message}`, { cause: error }));
    });
  });
  return server;
}

/** Lets running calls end; what has not ended by `ms` is cut off. */
export async function closeGrpc(server: Server, ms: number): Promise<void> {
  const timer = setTimeout(() => server.forceShutdown(), ms);
  await new Promise<void>(resolve => {
    server.tryShutdown(() => resolve());
  });
  clearTimeout(timer);
}

export async function listenHttp(server: HttpServer, address: string, port: number): Promise<void> {
  server.listen({ host: address, port });
  await once(server, 'listening');
}

export async function closeHttp(server: HttpServer): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

/** `<address>:<port>`, as in a URL. */
export function authority(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
