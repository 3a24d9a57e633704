/** The application behind every pod of `orders`: it sends back what it gets, over each protocol. */
import { createServer } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { Server as GrpcServer, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { WebSocketServer } from 'ws';

export interface Applications {
  readonly http1: number;
  readonly http2: number;
  readonly grpc: number;
  readonly tcp: number;
  /** Resolves when so many requests have come, since the last time, that are never answered. */
  unanswered(count: number): Promise<void>;
  close(): void;
}

const bytes = (value: Buffer): Buffer => value;

/** One method, in both directions as many messages as the client likes. */
export const CHAT = {
  path: '/test.Echo/Chat',
  requestStream: true,
  responseStream: true,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
} as const;

/** The path of requests that are never answered. */
export const NEVER = '/never';

/** `delayMs`: how long a plain request takes. */
export async function startApplications(delayMs: () => number): Promise<Applications> {
  const servers: Server[] = [];
  let unanswered = 0;
  let hear = (): void => {};
  const ignore = (): void => {
    unanswered++;
    hear();
  };
  const sockets = new Set<Socket>();
  const listen = async (server: Server): Promise<number> => {
    servers.push(server);
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };

  // Longer than a sidecar keeps a connection, so that this end is never the one that closes it.
  const http1 = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    if (request.url === NEVER) ignore();
    else setTimeout(() => request.pipe(response), delayMs());
  });
  const webSockets = new WebSocketServer({ server: http1 });
  webSockets.on('connection', socket => socket.on('message', data => socket.send(data)));

  const http2 = createHttp2Server();
  http2.on('stream', (opened, headers) => {
    const stream = opened as ServerHttp2Stream;
    stream.on('error', () => {});
    if (headers[':path'] === NEVER) return ignore();
    setTimeout(() => {
      if (stream.destroyed) return;
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    }, delayMs());
  });

  const tcp = createTcpServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });

  const grpc = new GrpcServer();
  grpc.addService(
    { chat: CHAT },
    {
      chat(call: ServerDuplexStream<Buffer, Buffer>) {
        call.on('data', (message: Buffer) => call.write(message));
        call.on('end', () => call.end());
        call.on('error', () => {});
      },
    },
  );
  const grpcPort = await new Promise<number>((resolve, reject) => {
    grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });

  return {
    http1: await listen(http1),
    http2: await listen(http2 as unknown as Server),
    tcp: await listen(tcp),
    grpc: grpcPort,
    async unanswered(count) {
      while (unanswered < count) await new Promise<void>(resolve => (hear = resolve));
      unanswered -= count;
    },
    close() {
      webSockets.close();
      grpc.forceShutdown();
      for (const server of servers) server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
