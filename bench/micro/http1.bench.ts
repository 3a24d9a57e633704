/**
 * CPU per operation of the HTTP/1.1 codec without sockets: `npx node bench/micro/http1.bench.ts`.
 * An exchange includes the flush of its output and, on the client side, writing the request.
 */
import { bench, do_not_optimize, run } from 'mitata';
import type {
  ClientConnectionOwner,
  ClientStream,
  RequestHandler,
  RequestHead,
  RequestReceiver,
  ResponseHead,
  ResponseReceiver,
  ServerStream,
} from '../../proxy/exchange/stream.ts';
import { Http1ClientConnection } from '../../proxy/http1/client-connection.ts';
import { FieldCache } from '../../proxy/http1/field-cache.ts';
import { HeadParser } from '../../proxy/http1/head-parser.ts';
import { writeHead } from '../../proxy/http1/head-writer.ts';
import { Http1Codec } from '../../proxy/http1/http1-codec.ts';
import { DEFAULT_HTTP1_LIMITS } from '../../proxy/http1/limits.ts';
import { Http1ServerConnection } from '../../proxy/http1/server-connection.ts';
import { FlushQueue, Output } from '../../proxy/transport/output.ts';
import type { Transport } from '../../proxy/transport/transport.ts';

/** Takes everything at once; its turns are taken by hand. */
class NullQueue extends FlushQueue {
  output: Output | null = null;

  override add(output: Output): void {
    this.output = output;
  }

  turn(): void {
    this.output?.flush();
  }
}

class NullTransport implements Transport {
  readonly queue = new NullQueue();
  readonly output = new Output({ write: () => 0 }, this.queue);
  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

const SILENT = { onLimit() {}, onRefusal() {} };

const BODY = Buffer.alloc(100, 'x');
const RESPONSE: ResponseHead = {
  status: 200,
  fields: ['content-type', 'text/plain', 'date', 'Sat, 21 Nov 2026 08:00:00 GMT', 'server', 'app'],
  contentLength: 100,
};
const REQUEST: RequestHead = {
  method: 'GET',
  scheme: 'http',
  authority: 'orders.shop.svc.cluster.local:8080',
  path: '/api/v1/orders/4711?expand=items',
  upgrade: '',
  version: 11,
  fields: [
    'user-agent',
    'client/1.0',
    'accept',
    '*/*',
    'x-request-id',
    '0b1ff3a0-7c1e-4a52-9d6a-1c2a5f0f5d11',
  ],
  contentLength: 0,
};

class Answering implements RequestHandler, RequestReceiver {
  #stream: ServerStream | null = null;

  onRequest(stream: ServerStream, _head: RequestHead, end: boolean): void {
    stream.receiver = this;
    this.#stream = stream;
    if (end) this.#answer();
  }

  onRequestData(chunk: Buffer, end: boolean): void {
    this.#stream?.consumed(chunk.length);
    if (end) this.#answer();
  }

  #answer(): void {
    this.#stream?.respond(RESPONSE, false);
    this.#stream?.data(BODY, true);
  }

  onRequestTrailers(): void {}
  onRequestReset(): void {}
  onCutOff(): void {}

  onWritable(): void {}
  onResponseSent(): void {}
}

class Receiving implements ResponseReceiver, ClientConnectionOwner {
  stream: ClientStream | null = null;
  onInformational(): void {}
  onResponse(): void {}
  onResponseData(chunk: Buffer): void {
    this.stream?.consumed(chunk.length);
  }
  onResponseTrailers(): void {}
  onResponseReset(): void {}
  onRequestWritable(): void {}
  onCapacity(): void {}
  onDraining(): void {}
  onClosed(): void {}
}

function requestBytes(extra: string, body = ''): Buffer {
  return Buffer.from(
    `${body === '' ? 'GET' : 'POST'} ${REQUEST.path} HTTP/1.1\r\nHost: ${REQUEST.authority}\r\nUser-Agent: client/1.0\r\nAccept: */*\r\n${extra}\r\n${body}`,
  );
}

const MINIMAL = Buffer.from('GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n');
const TYPICAL = requestBytes('X-Request-Id: 0b1ff3a0-7c1e-4a52-9d6a-1c2a5f0f5d11\r\n');
const BROWSER = requestBytes(
  'Accept-Language: en-US,en;q=0.9,de;q=0.8\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nCache-Control: no-cache\r\n' +
    'Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: none\r\nUpgrade-Insecure-Requests: 1\r\n' +
    `Cookie: session=${'s'.repeat(120)}; theme=dark\r\nTraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n`,
);
const POSTED = requestBytes('Content-Type: application/json\r\nContent-Length: 100\r\n', 'x'.repeat(100));
const CHUNKED = requestBytes('Transfer-Encoding: chunked\r\n', `64\r\n${'x'.repeat(100)}\r\n0\r\n\r\n`);
const ANSWER_HEAD = Buffer.from(
  'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Sat, 21 Nov 2026 08:00:00 GMT\r\nServer: app\r\nContent-Length: 100\r\n\r\n',
);
const ANSWER = Buffer.concat([ANSWER_HEAD, BODY]);

const parser = new HeadParser(DEFAULT_HTTP1_LIMITS, new FieldCache());
bench('parse request head, 40 bytes', () => do_not_optimize(parser.parseRequest(MINIMAL, 0, MINIMAL.length)));
bench('parse request head, 200 bytes', () =>
  do_not_optimize(parser.parseRequest(TYPICAL, 0, TYPICAL.length)),
);
bench('parse request head, 650 bytes', () =>
  do_not_optimize(parser.parseRequest(BROWSER, 0, BROWSER.length)),
);
bench('parse response head, 130 bytes', () =>
  do_not_optimize(parser.parseResponse(ANSWER_HEAD, 0, ANSWER_HEAD.length)),
);

const writer = new NullTransport();
bench('write response head', () => {
  writeHead(writer.output, 'HTTP/1.1 200 OK\r\n', RESPONSE.fields, 'content-length: 100\r\n\r\n');
  writer.output.end = 0;
});

function serverBench(name: string, bytes: Buffer): void {
  const transport = new NullTransport();
  const codec = new Http1Codec(SILENT);
  const connection = new Http1ServerConnection(codec, transport, new Answering(), 'http', null);
  bench(`server exchange, ${name}`, () => {
    connection.receive(bytes);
    transport.queue.turn();
  });
}
serverBench('GET 40 bytes', MINIMAL);
serverBench('GET 200 bytes', TYPICAL);
serverBench('GET 650 bytes', BROWSER);
serverBench('POST length 100', POSTED);
serverBench('POST chunked 100', CHUNKED);

const transport = new NullTransport();
const receiving = new Receiving();
const client = new Http1ClientConnection(new Http1Codec(SILENT), transport, receiving);
bench('client exchange, GET', () => {
  receiving.stream = client.open(REQUEST, true, receiving);
  transport.queue.turn();
  client.receive(ANSWER);
});

await run();
