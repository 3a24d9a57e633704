/**
 * A request and its response through both ends of the codec, without sockets: encode, frame, parse, decode, twice.
 * Run: npx node bench/micro/http2.bench.ts
 */
import { bench, run } from 'mitata';
import type {
  ClientConnectionOwner,
  FieldLines,
  RequestHandler,
  RequestHead,
  RequestReceiver,
  ResponseHead,
  ResponseReceiver,
  ServerStream,
} from '../../proxy/exchange/stream.ts';
import { Http2ClientConnection } from '../../proxy/http2/client-connection.ts';
import { TRUSTED_LIMITS } from '../../proxy/http2/limits.ts';
import { Http2ServerConnection } from '../../proxy/http2/server-connection.ts';
import { Http2Workspace } from '../../proxy/http2/workspace.ts';
import { FlushQueue, Output } from '../../proxy/transport/output.ts';
import type { Transport } from '../../proxy/transport/transport.ts';

class Pipe implements Transport {
  readonly output: Output;
  #chunks: Buffer[] = [];

  constructor(queue: FlushQueue) {
    const write = (bytes: Buffer): number => {
      this.#chunks.push(bytes);
      return 0;
    };
    this.output = new Output({ write }, queue);
  }

  /** Delivers what was written to the other end. */
  turn(other: { receive(bytes: Buffer): void }): void {
    this.output.flush();
    const chunks = this.#chunks;
    this.#chunks = [];
    for (const chunk of chunks) other.receive(chunk);
  }

  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

class ManualQueue extends FlushQueue {
  override add(): void {}
}

const RESPONSE: ResponseHead = {
  status: 200,
  fields: ['content-type', 'application/json', 'date', 'Sat, 21 Nov 2026 09:00:00 GMT', 'server', 'app'],
  contentLength: 100,
};
const EMPTY_RESPONSE: ResponseHead = { ...RESPONSE, contentLength: 0 };
const HEAD: RequestHead = {
  method: 'GET',
  scheme: 'http',
  authority: 'reviews.default.svc.cluster.local:9080',
  path: '/api/v1/reviews/0?limit=20',
  upgrade: '',
  version: 20,
  fields: [
    'user-agent',
    'python-requests/2.31.0',
    'accept',
    '*/*',
    'accept-encoding',
    'gzip, deflate',
    'x-forwarded-proto',
    'http',
    'tulle-source',
    'default/productpage',
  ],
  contentLength: 0,
};
const BODY = Buffer.alloc(100, 0x61);

class Sink implements RequestReceiver {
  onRequestData(): void {}
  onRequestTrailers(_fields: FieldLines): void {}
  onRequestReset(): void {}
  onCutOff(): void {}

  onWritable(): void {}
  onResponseSent(): void {}
}
const sink = new Sink();

let received = 0;
class Response implements ResponseReceiver {
  onInformational(): void {}
  onResponse(_head: ResponseHead, end: boolean): void {
    if (end) received++;
  }
  onResponseData(_chunk: Buffer, end: boolean): void {
    if (end) received++;
  }
  onResponseTrailers(): void {}
  onResponseReset(): void {
    throw new Error('a stream was reset');
  }
  onRequestWritable(): void {}
}
const response = new Response();

function pair(handler: RequestHandler) {
  const queue = new ManualQueue();
  const workspace = new Http2Workspace();
  const observer = { onLimit() {}, onFault() {}, onRoundTrip() {} };
  const base = { workspace, observer, limits: TRUSTED_LIMITS, clock: () => 0 };
  const down = new Pipe(queue);
  const up = new Pipe(queue);
  const owner: ClientConnectionOwner = { onCapacity() {}, onDraining() {}, onClosed() {} };
  const server = new Http2ServerConnection({
    ...base,
    transport: down,
    handler,
    context: null,
    scheme: 'http',
  });
  const client = new Http2ClientConnection({ ...base, transport: up, owner });
  return (requests: number): void => {
    for (let i = 0; i < requests; i++) client.open(HEAD, true, response);
    up.turn(server);
    down.turn(client);
  };
}

const small = pair({
  onRequest(stream: ServerStream): void {
    stream.receiver = sink;
    stream.respond(RESPONSE, false);
    stream.data(BODY, true);
  },
});
const headOnly = pair({
  onRequest(stream: ServerStream): void {
    stream.receiver = sink;
    stream.respond(EMPTY_RESPONSE, true);
  },
});
bench('8 requests and answers of 100 octets, both ends', () => small(8));
bench('1 request and answer of 100 octets, both ends', () => small(1));
bench('8 requests and answers without a body, both ends', () => headOnly(8));

await run();
if (received === 0) throw new Error('nothing was measured');
