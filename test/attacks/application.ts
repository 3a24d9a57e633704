import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';

/** An HTTP/2 application with an answer for everybody: at once, never, or without end. */
export class Application {
  /** Requests that are under way. */
  active = 0;
  readonly #server: Http2Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Http2Server) {
    this.#server = server;
  }

  static async start(): Promise<Application> {
    const server = createServer({ settings: { maxConcurrentStreams: 10_000 } });
    const application = new Application(server);
    server.on('sessionError', () => {});
    server.on('connection', (socket: Socket) => {
      application.#sockets.add(socket);
      socket.on('close', () => application.#sockets.delete(socket));
    });
    server.on('stream', (stream: ServerHttp2Stream, headers) => {
      application.active++;
      stream.on('close', () => application.active--);
      stream.on('error', () => {});
      const path = headers[':path'];
      if (path === '/hang') return;
      if (path === '/stream') {
        stream.respond({ ':status': 200 });
        const chunk = Buffer.alloc(65_536);
        const more = (): void => {
          while (!stream.destroyed && stream.write(chunk));
        };
        stream.on('drain', more);
        more();
        return;
      }
      let octets = 0;
      stream.on('data', (chunk: Buffer) => {
        octets += chunk.length;
      });
      stream.on('end', () => {
        if (stream.destroyed) return;
        stream.respond({ ':status': 200 });
        stream.end(path === '/sink' ? String(octets) : 'served');
      });
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    return application;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
