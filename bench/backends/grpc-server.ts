/**
 * A gRPC service that sends back each message as it comes, whatever the method; on Tulle's own HTTP/2 codec, because
 * the usual servers cost more than the proxies under measurement. Arguments of the program: address and port.
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import type { RequestHandler, RequestReceiver, ServerStream } from '../../proxy/exchange/stream.ts';
import { UNTRUSTED_LIMITS } from '../../proxy/http2/limits.ts';
import { Http2ServerConnection } from '../../proxy/http2/server-connection.ts';
import { Http2Workspace } from '../../proxy/http2/workspace.ts';
import { FlushQueue } from '../../proxy/transport/output.ts';
import { createSharedReadBuffer } from '../../proxy/transport/read-buffer.ts';
import { SocketTransport } from '../../proxy/transport/socket-transport.ts';

const noUser = { receive() {}, receiveEnd() {}, closed() {} };

class EchoCall implements RequestReceiver {
  readonly #stream: ServerStream;
  #began = false;

  constructor(stream: ServerStream) {
    this.#stream = stream;
  }

  onRequestData(chunk: Buffer, end: boolean): void {
    if (!this.#began) {
      this.#began = true;
      const fields = ['content-type', 'application/grpc'];
      this.#stream.respond({ status: 200, fields, contentLength: -1 }, false);
    }
    if (chunk.length > 0) this.#stream.data(chunk, false);
    this.#stream.consumed(chunk.length);
    if (end) this.#stream.trailers(['grpc-status', '0']);
  }

  onRequestTrailers(): void {}
  onRequestReset(): void {}
  onCutOff(): void {}

  onWritable(): void {}
  onResponseSent(): void {}
}

const handler: RequestHandler = {
  onRequest(stream) {
    stream.receiver = new EchoCall(stream);
  },
};

/** Listens; port 0 means any that is free. */
export async function serveGrpcEcho(address: string, port: number): Promise<Server> {
  const shared = { queue: new FlushQueue(), readBuffer: createSharedReadBuffer(), keepaliveMs: 10_000 };
  const workspace = new Http2Workspace();
  const observer = { onLimit() {}, onFault() {}, onRoundTrip() {} };
  const server = createServer({ noDelay: true }, socket => {
    const transport = new SocketTransport(shared, noUser);
    transport.attach(socket, false);
    transport.user = new Http2ServerConnection({
      transport,
      workspace,
      observer,
      handler,
      limits: UNTRUSTED_LIMITS,
      clock: () => performance.now(),
      context: null,
      scheme: 'http',
    });
  });
  server.listen(port, address);
  await once(server, 'listening');
  return server;
}

if (import.meta.main) {
  process.on('SIGTERM', () => process.exit());
  await serveGrpcEcho(process.argv[2], Number(process.argv[3]));
}
