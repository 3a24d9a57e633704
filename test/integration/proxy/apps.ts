/** Applications and clients for tests: real servers and requests on loopback. */
import {
  createServer,
  type IncomingHttpHeaders,
  type RequestListener,
  request,
  type Server,
} from 'node:http';
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net';
import { afterEach } from 'vitest';

const closers: (() => void)[] = [];

/** Runs when the test is over, last first. */
export function onEnd(close: () => void): void {
  closers.push(close);
}

afterEach(() => {
  for (const close of closers.splice(0).reverse()) close();
});

export async function listen(server: Server | TcpServer): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** An HTTP/1.1 application; returns its port. */
export async function httpApp(handler: RequestListener): Promise<number> {
  const server = createServer({ keepAliveTimeout: 60_000 }, handler);
  onEnd(() => {
    server.close();
    server.closeAllConnections();
  });
  return listen(server);
}

/** A TCP application; returns its port. */
export async function tcpApp(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createTcpServer({ allowHalfOpen: true }, socket => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  onEnd(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return listen(server);
}

/** A port on which nothing listens, and which nobody is given while the test runs: a client's end has it. */
export async function closedPort(): Promise<number> {
  const client = connect({ port: await tcpApp(() => {}), host: '127.0.0.1' });
  onEnd(() => client.destroy());
  client.on('error', () => {});
  await new Promise(resolve => client.once('connect', resolve));
  return client.localPort ?? 0;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: NodeJS.Dict<string>;
  readonly body: string;
  readonly informational: number[];
}

export interface Call {
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  /** Where to connect to; the loopback address. */
  readonly address?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string | Buffer;
}

/** One HTTP/1.1 request on a connection of its own. Rejects if the answer is cut off. */
export function call(port: number, options: Call = {}): Promise<Answer> {
  const { method = 'GET', path = '/', host = 'orders', address = '127.0.0.1', headers = {}, body } = options;
  return new Promise((resolve, reject) => {
    const informational: number[] = [];
    const sent = request(
      { host: address, port, method, path, headers: { host, ...headers }, agent: false },
      received => {
        const chunks: Buffer[] = [];
        received.on('data', (chunk: Buffer) => chunks.push(chunk));
        received.on('error', reject);
        received.on('end', () => {
          const { statusCode = 0, headers: fields, trailers } = received;
          const text = Buffer.concat(chunks).toString();
          resolve({ status: statusCode, headers: fields, trailers, body: text, informational });
        });
      },
    );
    sent.on('information', info => informational.push(info.statusCode));
    sent.on('error', reject);
    sent.end(body);
  });
}

/** A TCP client that collects what it receives. */
export class TcpClient {
  readonly socket: Socket;
  received: Buffer = Buffer.alloc(0);
  ended = false;
  error: NodeJS.ErrnoException | null = null;
  closed = false;
  readonly #waiting = new Set<() => void>();

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    onEnd(() => this.socket.destroy());
    this.socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.#changed();
    });
    this.socket.on('end', () => {
      this.ended = true;
      this.#changed();
    });
    this.socket.on('error', error => {
      this.error = error;
    });
    this.socket.on('close', () => {
      this.closed = true;
      this.#changed();
    });
  }

  #changed(): void {
    for (const check of this.#waiting) check();
  }

  /** Resolves when the condition holds; the test's own timeout is the limit. */
  until(condition: (client: TcpClient) => boolean): Promise<void> {
    return new Promise(resolve => {
      const check = () => {
        if (!condition(this)) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }

  get text(): string {
    return this.received.toString('latin1');
  }
}

/** Resolves when the condition holds, looking again after every turn of the event loop. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 2));
}
