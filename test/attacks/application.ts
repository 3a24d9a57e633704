/** A process with the application that the victim's sidecar stands before: what it computes is not the attackers'. */
import { createServer } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { serve } from './child.ts';

export type Order =
  /** Answers with the port. */
  { readonly kind: 'start'; readonly protocol: 'http' | 'http2' } | { readonly kind: 'state' };

export interface State {
  /** Requests that are under way. */
  readonly active: number;
  /** Why it has ended HTTP/2 connections that did not end by themselves. */
  readonly cutOff: readonly string[];
}

/** What both protocols give: a body, and where the answer goes when the head of it is sent. */
interface Exchange {
  readonly path: string;
  readonly body: Readable;
  readonly gone: () => boolean;
  readonly answer: () => Writable;
}

/** An application with an answer for everybody: at once, never, or without end. */
class Application implements State {
  active = 0;
  readonly cutOff: string[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket: Socket) => socket.on('error', () => {}));
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
      respond({
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
      respond({
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
}

const CHUNK = Buffer.alloc(65_536);

function respond({ path, body, gone, answer }: Exchange): void {
  if (path === '/hang') {
    body.resume();
    return;
  }
  // Not even its content is taken.
  if (path === '/stall') return;
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

let application: Application;

serve<Order>(async order => {
  switch (order.kind) {
    case 'start':
      application = await Application.start(order.protocol);
      return application.port;
    case 'state': {
      const { active, cutOff } = application;
      return { active, cutOff } satisfies State;
    }
  }
});
