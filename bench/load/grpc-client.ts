/**
 * Load of a gRPC echo service, on Tulle's own HTTP/2 codec (h2load speaks no streams): on each stream one call after
 * the other, in each call one message after the other, each sent when the one before has come back.
 * Arguments: address, port, connections, streams a connection, messages a call, bytes a message, seconds. Prints a
 * ProgramResult as JSON, whose requests are messages.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { type CallReceiver, GrpcCall } from '../../proxy/grpc/call.ts';
import { type GrpcStatus, statusCodes } from '../../proxy/grpc/status.ts';
import { Http2ClientConnection } from '../../proxy/http2/client-connection.ts';
import { TRUSTED_LIMITS } from '../../proxy/http2/limits.ts';
import { Http2Workspace } from '../../proxy/http2/workspace.ts';
import { FlushQueue } from '../../proxy/transport/output.ts';
import { createSharedReadBuffer } from '../../proxy/transport/read-buffer.ts';
import { SocketTransport } from '../../proxy/transport/socket-transport.ts';
import type { ProgramResult } from './program.ts';

const [address, ...numbers] = process.argv.slice(2);
const [port, connections, streams, messages, bytes, seconds] = numbers.map(Number);

const noUser = { receive() {}, receiveEnd() {}, closed() {} };
const shared = { queue: new FlushQueue(), readBuffer: createSharedReadBuffer(), keepaliveMs: 10_000 };
const workspace = new Http2Workspace();
const observer = { onLimit() {}, onFault() {}, onRoundTrip() {} };
const message = Buffer.alloc(bytes, 'x');
const request = {
  authority: `${address}:${port}`,
  path: messages === 1 ? '/bench.Echo/Unary' : '/bench.Echo/Stream',
  scheme: 'http',
  metadata: [],
} as const;
const result: ProgramResult = { requests: 0, failed: 0, seconds };
let ended = false;

class Calls implements CallReceiver {
  readonly #connection: Http2ClientConnection;
  #call: GrpcCall | null = null;
  #sent = 0;
  #received = 0;

  constructor(connection: Http2ClientConnection) {
    this.#connection = connection;
  }

  begin(): void {
    this.#sent = 0;
    this.#received = 0;
    this.#call = new GrpcCall(this.#connection, { ...request, metadata: [] }, this);
    this.#send();
  }

  #send(): void {
    this.#sent++;
    if (this.#sent === messages) this.#call?.sendLast(message);
    else this.#call?.send(message);
  }

  onMessage(echo: Buffer): void {
    this.#received++;
    if (echo.length !== bytes) result.failed++;
    if (!ended) result.requests++;
    if (this.#sent < messages) this.#send();
  }

  onEnd(status: GrpcStatus): void {
    if (ended) return;
    if (status.code !== statusCodes.ok || this.#received !== messages) {
      process.stderr.write(`call ended with ${status.code} ${status.message} after ${this.#received}\n`);
      result.failed++;
      // A stream that fails stays silent: the others show the rate that is left.
      return;
    }
    this.begin();
  }
}

async function open(): Promise<void> {
  const transport = new SocketTransport(shared, noUser);
  const socket = connect({ host: address, port, noDelay: true, onread: transport.onread() });
  await once(socket, 'connect');
  transport.attach(socket, true);
  const connection = new Http2ClientConnection({
    transport,
    workspace,
    observer,
    limits: TRUSTED_LIMITS,
    clock: () => performance.now(),
    owner: { onCapacity() {}, onDraining() {}, onClosed() {} },
  });
  transport.user = connection;
  for (let i = 0; i < streams; i++) new Calls(connection).begin();
}

const started = performance.now();
await Promise.all(Array.from({ length: connections }, open));
setTimeout(() => {
  ended = true;
  result.seconds = (performance.now() - started) / 1000;
  process.stdout.write(JSON.stringify(result), () => process.exit());
}, seconds * 1000);
