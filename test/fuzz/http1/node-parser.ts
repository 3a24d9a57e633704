import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { Duplex } from 'node:stream';
import { endToEnd, forwardedTrailers, type Message, type Parsed } from './message.ts';

/** A connection in memory: what is pushed is read, what is written is dropped. */
class Wire extends Duplex {
  override _read(): void {}

  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done();
  }

  // What node:http calls on sockets.
  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  destroySoon(): void {
    this.destroy();
  }
}

/** Turns of the event loop after which node:http has said all that it will. */
async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise<void>(resolve => setImmediate(resolve));
}

/** Node's llhttp, through node:http over a connection in memory: the oracle of the differential fuzz. */
export class NodeParser {
  readonly #server: Server;
  readonly #results = new WeakMap<object, Parsed>();

  constructor() {
    const server = createServer({
      requireHostHeader: false,
      maxHeaderSize: 262_144,
      headersTimeout: 0,
      requestTimeout: 0,
      keepAliveTimeout: 0,
      connectionsCheckingInterval: 0x7fffffff,
      shouldUpgradeCallback: isTunnel,
    });
    server.maxHeadersCount = 0;
    server.on('request', (incoming, response) => {
      this.#record(incoming);
      incoming.on('end', () => response.end());
    });
    server.on('checkExpectation', (incoming, response) => {
      this.#record(incoming);
      incoming.on('end', () => response.end());
    });
    server.on('connect', (incoming: IncomingMessage) => this.#record(incoming));
    server.on('upgrade', (incoming: IncomingMessage) => this.#record(incoming));
    server.on('clientError', (error: NodeJS.ErrnoException, wire) => {
      const result = this.#results.get(wire);
      // Requests before the error still have to end, so the wire stays.
      if (result !== undefined) result.error ||= error.code ?? error.message;
    });
    this.#server = server;
  }

  #record(incoming: IncomingMessage): void {
    const result = this.#results.get(incoming.socket);
    if (result === undefined) return;
    const message = collect(incoming, requestStart(incoming));
    result.messages.push(message);
  }

  /** What node:http makes of requests. `error` is left '' if more bytes are needed. */
  async requests(pieces: readonly Buffer[]): Promise<Parsed> {
    const wire = new Wire();
    const result: Parsed = { messages: [], error: '' };
    this.#results.set(wire, result);
    wire.on('error', () => {});
    this.#server.emit('connection', wire);
    for (const piece of pieces) wire.push(piece);
    await settle();
    wire.destroy();
    return result;
  }

  /** What node:http makes of the response to one request, after which the connection ends. */
  async response(method: string, pieces: readonly Buffer[]): Promise<Parsed> {
    const wire = new Wire();
    const result: Parsed = { messages: [], error: '' };
    const client = request({
      method,
      createConnection: () => wire,
      maxHeaderSize: 262_144,
      headers: { host: 'a.test' },
    });
    client.maxHeadersCount = 0;
    client.on('error', (error: NodeJS.ErrnoException) => {
      result.error ||= error.code ?? error.message;
    });
    client.on('response', incoming => {
      incoming.on('error', (error: NodeJS.ErrnoException) => {
        result.error ||= error.code ?? error.message;
      });
      result.messages.push(collect(incoming, String(incoming.statusCode)));
    });
    client.on('upgrade', (incoming, socket) => {
      socket.on('error', () => {});
      result.messages.push(collect(incoming, String(incoming.statusCode)));
    });
    client.end();
    await new Promise<void>(resolve => setImmediate(resolve));
    for (const piece of pieces) wire.push(piece);
    wire.push(null);
    await settle();
    wire.destroy();
    return result;
  }
}

function collect(incoming: IncomingMessage, start: string): Message {
  const message: Message = {
    start,
    fields: endToEnd(incoming.rawHeaders),
    body: '',
    trailers: [],
    ended: false,
    asksUpgrade: incoming.headers.upgrade !== undefined || incoming.method === 'CONNECT',
  };
  incoming.on('data', (chunk: Buffer) => {
    message.body += chunk.toString('latin1');
  });
  incoming.on('end', () => {
    message.ended = incoming.complete;
    message.trailers = forwardedTrailers(incoming.rawTrailers);
  });
  return message;
}

function isTunnel(incoming: IncomingMessage): boolean {
  if (incoming.httpVersion === '1.0') return false;
  const protocols = (incoming.headers.upgrade ?? '')
    .split(',')
    .map(protocol => protocol.trim().toLowerCase());
  return protocols.some(protocol => protocol !== '' && !/^(h2c?|http\/.*)$/.test(protocol));
}

/** Method, authority and path as RFC 9112 §3 derives them from the request line and Host. */
function requestStart(incoming: IncomingMessage): string {
  const method = incoming.method ?? '';
  const url = incoming.url ?? '';
  if (method === 'CONNECT') return `CONNECT ${url.toLowerCase()} `;
  const absolute = /^https?:\/\/([^/?]*)(.*)$/is.exec(url);
  const host = (absolute?.[1] ?? incoming.headers.host ?? '').toLowerCase();
  if (absolute === null) return `${method} ${host} ${url}`;
  const rest = absolute[2];
  if (rest === '') return `${method} ${host} ${method === 'OPTIONS' ? '*' : '/'}`;
  return `${method} ${host} ${rest.startsWith('/') ? rest : `/${rest}`}`;
}
