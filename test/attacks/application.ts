import { createServer } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';

/** What both protocols give: a body, and where the answer goes when the head of it is sent. */
interface Exchange {
  readonly path: string;
  readonly body: Readable;
  readonly gone: () => boolean;
  readonly answer: () => Writable;
}

/** An application with an answer for everybody: at once, never, or without end. */
export class Application {
  /** Requests that are under way. */
  active = 0;
  /** Why it has ended HTTP/2 connections that did not end by themselves. */
  readonly cutOff: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(protocol: 'http' | 'http2'): Promise<Application> {
    const application = protocol === 'http' ? Application.#http1() : Application.#http2();
    await new Promise<void>(resolve => application.#server.listen(0, '127.0.0.1', resolve));
    return application;
  }

  static #http2(): Application {
    const server = createHttp2Server({ settings: { maxConcurrentStreams: 10_000 } });
    const application = new Application(server);
    server.on('sessionError', error => application.cutOff.push(error.message));
    server.on('stream', (stream: ServerHttp2Stream, headers) => {
      application.#begin(stream);
      serve({
        path: headers[':path'] ?? '',
        body: stream,
        gone: () => stream.destroyed,
        answer() {
          stream.respond({ ':status': 200 });
          return stream;
        },
      });
    });
    return application;
  }

  static #http1(): Application {
    const server = createServer({ keepAliveTimeout: 600_000, requestTimeout: 0, headersTimeout: 0 });
    const application = new Application(server);
    server.on('request', (request, response) => {
      application.#begin(response);
      request.on('error', () => {});
      serve({
        path: request.url ?? '',
        body: request,
        gone: () => response.destroyed,
        answer: () => response,
      });
    });
    return application;
  }

  #begin(answer: NodeJS.EventEmitter): void {
    this.active++;
    answer.on('close', () => this.active--);
    answer.on('error', () => {});
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

const CHUNK = Buffer.alloc(65_536);

function serve({ path, body, gone, answer }: Exchange): void {
  if (path === '/hang') {
    body.resume();
    return;
  }
  if (path === '/stream') {
    const stream = answer();
    const more = (): void => {
      while (!gone() && stream.write(CHUNK));
    };
    stream.on('drain', more);
    more();
    return;
  }
  let octets = 0;
  body.on('data', (chunk: Buffer) => {
    octets += chunk.length;
  });
  body.on('end', () => {
    if (!gone()) answer().end(path === '/sink' ? String(octets) : 'served');
  });
}
