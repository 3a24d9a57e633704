import { createServer, type Server, type Socket } from 'node:net';
import type { Logger } from '../../runtime/log.ts';
import { descriptorOf, rehouse } from '../transport/socket-handle.ts';
import { SocketTransport, type TransportShared } from '../transport/socket-transport.ts';
import type { TransportUser } from '../transport/transport.ts';

/** A connection that has been accepted. */
export interface Accepted {
  /** Does not read before `resume()`. */
  readonly transport: SocketTransport;
  readonly descriptor: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Where the connection arrived, after redirection. */
  readonly localAddress: string;
  readonly localPort: number;
}

const UNUSED: TransportUser = { receive() {}, receiveEnd() {}, closed() {} };
const BACKLOG = 1024;

/** One listening address. Accept errors (no file descriptor left) are logged, and the listener stays. */
export class TcpListener {
  readonly #server: Server;
  readonly #address: string;
  readonly #port: number;

  constructor(
    address: string,
    port: number,
    shared: TransportShared,
    log: Logger,
    accept: (accepted: Accepted) => void,
  ) {
    this.#address = address;
    this.#port = port;
    this.#server = createServer({
      pauseOnConnect: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: shared.keepaliveMs,
    });
    this.#server.on('connection', socket => take(socket, shared, accept));
    this.#server.on('error', error => log.error({ err: error, address, port }, 'listener'));
    this.#server.on('drop', info => log.warn({ address: info?.remoteAddress }, 'connection dropped'));
  }

  /** Rejects if the address cannot be bound. */
  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: this.#address, port: this.#port, backlog: BACKLOG }, () => {
        this.#server.removeListener('error', reject);
        resolve();
      });
    });
  }

  /** Where it listens; the port is the one chosen if 0 was asked for. */
  get address(): { readonly address: string; readonly port: number } {
    const bound = this.#server.address();
    if (bound === null || typeof bound === 'string') return { address: this.#address, port: this.#port };
    return { address: bound.address, port: bound.port };
  }

  /** Accepts no more. */
  close(): void {
    if (this.#server.listening) this.#server.close();
  }
}

function take(socket: Socket, shared: TransportShared, accept: (accepted: Accepted) => void): void {
  const { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 } = socket;
  const descriptor = descriptorOf(socket);
  const transport = new SocketTransport(shared, UNUSED);
  const housed = rehouse(socket, transport.onread());
  if (housed === null) return;
  transport.attach(housed, true);
  accept({
    transport,
    descriptor,
    remoteAddress: plain(remoteAddress),
    remotePort,
    localAddress: plain(localAddress),
    localPort,
  });
}

/** A dual-stack socket shows IPv4 addresses as mapped ones. */
function plain(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
