/** The two ends of a transfer: clients and applications of each protocol, as a pair of streams each. */
import { createServer, request } from 'node:http';
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type ServerHttp2Stream,
} from 'node:http2';
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net';
import type { Readable, Writable } from 'node:stream';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What an end receives, and where it writes. */
export interface End {
  readonly input: Readable;
  readonly output: Writable;
}

/** What an application does with a request for a path, or with a connection ('' for its path). */
export type Serve = (end: End, path: string) => void;

/** Of Node's HTTP/2 sessions: so large that no stream of ours waits for another's. */
const SESSION_WINDOW_BYTES = 1_073_741_824;

export class Applications {
  serve: Serve = () => {};
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();

  http1(): Promise<Address> {
    const server = createServer({ keepAlive: true }, (input, output) =>
      this.serve({ input, output }, input.url ?? ''),
    );
    return this.#listen(server);
  }

  /** Without TLS, with prior knowledge. */
  http2(): Promise<Address> {
    const server = createHttp2Server();
    server.on('session', session => session.setLocalWindowSize(SESSION_WINDOW_BYTES));
    server.on('stream', (opened, headers) => {
      const stream = opened as ServerHttp2Stream;
      stream.on('error', () => {});
      stream.respond({ ':status': 200 });
      this.serve({ input: stream, output: stream }, headers[':path'] ?? '');
    });
    return this.#listen(server as unknown as Server);
  }

  tcp(): Promise<Address> {
    const server = createTcpServer({ allowHalfOpen: true }, socket => {
      socket.on('error', () => {});
      this.serve({ input: socket, output: socket }, '');
    });
    return this.#listen(server);
  }

  async #listen(server: Server): Promise<Address> {
    this.#servers.push(server);
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Requests, or connections, of one protocol to one address. */
export interface Client {
  /** Begins a request whose body is what is written to `output`. Rejects if there is no answer with 200. */
  open(path: string): { readonly output: Writable; readonly input: Promise<Readable> };
  close(): void;
}

/** Each request on a connection of its own. */
export function http1Client({ host, port }: Address): Client {
  const open = new Set<Writable>();
  return {
    open(path) {
      const output = request({ host, port, path, method: 'POST', agent: false, headers: { host: 'orders' } });
      open.add(output);
      const input = new Promise<Readable>((resolve, reject) => {
        output.on('error', reject);
        output.on('response', answer => {
          if (answer.statusCode === 200) resolve(answer);
          else reject(new Error(`${answer.statusCode} ${String(answer.headers['tulle-error'])}`));
        });
      });
      return { output, input };
    },
    close: () => open.forEach(output => output.destroy()),
  };
}

/** All requests on one connection. */
export function http2Client({ host, port }: Address): Client {
  const session = connectHttp2(`http://${host}:${port}`);
  session.on('error', () => {});
  session.once('connect', () => session.setLocalWindowSize(SESSION_WINDOW_BYTES));
  return {
    open(path) {
      const stream = session.request({ ':method': 'POST', ':path': path, ':authority': 'orders' });
      const input = new Promise<Readable>((resolve, reject) => {
        stream.on('error', reject);
        stream.on('response', headers => {
          if (headers[':status'] === 200) resolve(stream);
          else reject(new Error(`${headers[':status']} ${String(headers['tulle-error'])}`));
        });
      });
      return { output: stream, input };
    },
    close: () => session.destroy(),
  };
}

/** A connection is open in both directions from the start. */
export function tcpClient({ host, port }: Address): Client {
  const open = new Set<Socket>();
  return {
    open() {
      const socket = connect({ host, port, allowHalfOpen: true });
      open.add(socket);
      const input = new Promise<Readable>((resolve, reject) => {
        socket.on('error', reject);
        socket.on('connect', () => resolve(socket));
      });
      return { output: socket, input };
    },
    close: () => open.forEach(socket => socket.destroy()),
  };
}
