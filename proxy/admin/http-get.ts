import { connect } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { Clock } from '../../runtime/clock.ts';
import type {
  ClientStream,
  FieldLines,
  ResetReason,
  ResponseHead,
  ResponseReceiver,
} from '../exchange/stream.ts';
import { Http1ClientConnection } from '../http1/client-connection.ts';
import type { Http1Codec } from '../http1/http1-codec.ts';
import { SocketTransport, type TransportShared } from '../transport/socket-transport.ts';

export interface GetContext {
  readonly transport: TransportShared;
  readonly http1: Http1Codec;
  readonly clock: Clock;
}

export interface GetRequest {
  readonly address: string;
  /** Local address of the connection; any if absent. */
  readonly source?: string;
  readonly port: number;
  /** TLS without looking at the certificate, as the kubelet does it. */
  readonly tls: boolean;
  readonly authority: string;
  readonly path: string;
  readonly fields: FieldLines;
  readonly timeoutMs: number;
  /** Longest body that is taken. */
  readonly maxBytes: number;
}

export type GetResult =
  | { readonly kind: 'answer'; readonly status: number; readonly fields: FieldLines; readonly body: Buffer }
  /** `refused`: nobody listens there. */
  | { readonly kind: 'failed'; readonly refused: boolean; readonly reason: string };

const noUser = { receive() {}, receiveEnd() {}, closed() {} };
const noOwner = { onCapacity() {}, onDraining() {}, onClosed() {} };

/** One GET on a connection of its own, on the sidecar's own codec. Never rejects. */
export function httpGet(context: GetContext, request: GetRequest): Promise<GetResult> {
  return new Promise(resolve => {
    const { address, source, port, tls, timeoutMs } = request;
    const transport = new SocketTransport(context.transport, noUser);
    const common = {
      host: address,
      port,
      ...(source === undefined ? {} : { localAddress: source }),
      noDelay: true,
      allowHalfOpen: true,
      onread: transport.onread(),
    };
    const socket = tls
      ? connectTls({ ...common, rejectUnauthorized: false } as ConnectionOptions)
      : connect(common);
    const finish = (result: GetResult): void => {
      cancelTimer();
      socket.destroy();
      resolve(result);
    };
    const fail = (reason: string, refused = false): void => finish({ kind: 'failed', refused, reason });
    const cancelTimer = context.clock.after(timeoutMs, () => fail(`no answer within ${timeoutMs} ms`));
    socket.on('error', (error: NodeJS.ErrnoException) => fail(error.message, error.code === 'ECONNREFUSED'));
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      transport.attach(socket, true);
      const connection = new Http1ClientConnection(context.http1, transport, noOwner);
      transport.user = connection;
      const receiver = new BodyCollector(request.maxBytes, finish);
      receiver.stream = connection.open(
        {
          method: 'GET',
          scheme: tls ? 'https' : 'http',
          authority: request.authority,
          path: request.path,
          upgrade: '',
          version: 11,
          fields: request.fields,
          contentLength: 0,
        },
        true,
        receiver,
      );
    });
  });
}

class BodyCollector implements ResponseReceiver {
  stream: ClientStream | null = null;
  readonly #maxBytes: number;
  readonly #finish: (result: GetResult) => void;
  #head: ResponseHead = { status: 0, fields: [], contentLength: 0 };
  readonly #chunks: Buffer[] = [];
  #length = 0;

  constructor(maxBytes: number, finish: (result: GetResult) => void) {
    this.#maxBytes = maxBytes;
    this.#finish = finish;
  }

  onInformational(): void {}

  onResponse(head: ResponseHead, end: boolean): void {
    this.#head = head;
    if (end) this.#complete();
  }

  onResponseData(chunk: Buffer, end: boolean): void {
    this.#length += chunk.length;
    if (this.#length > this.#maxBytes) {
      this.#finish({
        kind: 'failed',
        refused: false,
        reason: `the answer is longer than ${this.#maxBytes} bytes`,
      });
      return;
    }
    // Short chunks are lent only.
    this.#chunks.push(Buffer.from(chunk));
    this.stream?.consumed(chunk.length);
    if (end) this.#complete();
  }

  onResponseTrailers(): void {
    this.#complete();
  }

  onResponseReset(reason: ResetReason): void {
    this.#finish({ kind: 'failed', refused: false, reason: `the connection failed: ${reason}` });
  }

  onRequestWritable(): void {}

  #complete(): void {
    const { status, fields } = this.#head;
    this.#finish({ kind: 'answer', status, fields, body: Buffer.concat(this.#chunks) });
  }
}
