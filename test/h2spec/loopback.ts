/** Binds connections of the codec to loopback sockets, for tests, benchmarks and h2spec. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { ClientConnectionOwner, RequestHandler } from '../../proxy/exchange/stream.ts';
import { Http2ClientConnection } from '../../proxy/http2/client-connection.ts';
import { type Http2Limits, type Http2Observer, UNTRUSTED_LIMITS } from '../../proxy/http2/limits.ts';
import { Http2ServerConnection } from '../../proxy/http2/server-connection.ts';
import { Http2Workspace } from '../../proxy/http2/workspace.ts';
import { FlushQueue } from '../../proxy/transport/output.ts';
import { createSharedReadBuffer } from '../../proxy/transport/read-buffer.ts';
import { SocketTransport, type TransportShared } from '../../proxy/transport/socket-transport.ts';
import type { TransportUser } from '../../proxy/transport/transport.ts';

const NOBODY: TransportUser = { receive() {}, receiveEnd() {}, closed() {} };
export const SILENT: Http2Observer = { onLimit() {}, onFault() {}, onRoundTrip() {} };

export interface LoopbackOptions {
  limits?: Readonly<Http2Limits>;
  observer?: Http2Observer;
}

/** What the connections of one test share. */
export class Loopback {
  readonly workspace = new Http2Workspace();
  readonly servers: Http2ServerConnection[] = [];
  readonly #shared: TransportShared = {
    queue: new FlushQueue(),
    readBuffer: createSharedReadBuffer(),
    keepaliveMs: 10_000,
  };
  readonly #sockets = new Set<Socket>();
  #listener: Server | null = null;

  #options(options: LoopbackOptions) {
    return {
      workspace: this.workspace,
      limits: options.limits ?? UNTRUSTED_LIMITS,
      observer: options.observer ?? SILENT,
      clock: () => performance.now(),
    };
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('close', () => this.#sockets.delete(socket));
  }

  /** Serves `handler` on a free port of 127.0.0.1; returns the port. */
  async listen(handler: RequestHandler, options: LoopbackOptions = {}): Promise<number> {
    const listener = createServer({ allowHalfOpen: true }, socket => {
      this.#track(socket);
      const transport = new SocketTransport(this.#shared, NOBODY);
      const base = this.#options(options);
      const server = new Http2ServerConnection({
        ...base,
        transport,
        handler,
        context: null,
        scheme: 'http',
      });
      transport.user = server;
      this.servers.push(server);
      transport.attach(socket, false);
    });
    this.#listener = listener;
    await new Promise<void>(resolve => listener.listen(0, '127.0.0.1', resolve));
    return (listener.address() as AddressInfo).port;
  }

  /** A client connection to 127.0.0.1:port. */
  async connect(
    port: number,
    owner: ClientConnectionOwner,
    options: LoopbackOptions = {},
  ): Promise<Http2ClientConnection> {
    const transport = new SocketTransport(this.#shared, NOBODY);
    const connecting = { port, host: '127.0.0.1', allowHalfOpen: true, onread: transport.onread() };
    const socket = connect(connecting as unknown as Parameters<typeof connect>[0]);
    this.#track(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    transport.attach(socket, true);
    const client = new Http2ClientConnection({ ...this.#options(options), transport, owner });
    transport.user = client;
    return client;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const listener = this.#listener;
    if (listener !== null) await new Promise(resolve => listener.close(resolve));
  }
}
