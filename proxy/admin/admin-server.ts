import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { RequestHandler, RequestHead, RequestReceiver, ServerStream } from '../exchange/stream.ts';
import { ConnectionSet, DownstreamConnection } from '../listener/downstream-connection.ts';
import { type ServerCodecs, serveHttp } from '../listener/server-codecs.ts';
import { TcpListener } from '../listener/tcp-listener.ts';
import type { TransportShared } from '../transport/socket-transport.ts';

const TICK_MS = 1000;

export interface AdminRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly accept: string;
  /** It came from this host, and its Host field says so too (a web page that was rebound to us would not). */
  readonly local: boolean;
}

export interface AdminResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export type AdminHandler = (request: AdminRequest) => AdminResponse | Promise<AdminResponse>;

export interface AdminServerOptions {
  readonly address: string;
  readonly port: number;
  readonly transport: TransportShared;
  readonly codecs: ServerCodecs;
  readonly clock: Clock;
  readonly log: Logger;
  readonly handler: AdminHandler;
  /** Connections at once; more are refused. */
  readonly maxConnections: number;
  readonly onLimit: (limit: 'maxAdminConnections') => void;
}

export interface AdminServer {
  /** Rejects if the address cannot be bound. */
  listen(): Promise<void>;
  readonly address: { readonly address: string; readonly port: number };
  close(): void;
}

export const text = (status: number, body: string): AdminResponse => ({
  status,
  contentType: 'text/plain; charset=utf-8',
  body,
});

/** The admin port, on the sidecar's own HTTP/1.1 codec: node:http would cost 5 MB and 37 ms of CPU at the start. */
export function createAdminServer(options: AdminServerOptions): AdminServer {
  const { transport, codecs, clock, log } = options;
  const connections = new ConnectionSet(options.maxConnections);
  let stopTicking = (): void => {};
  const tick = (): void => {
    connections.tick(clock.now(), clock.unix());
    stopTicking = clock.after(TICK_MS, tick);
  };
  const listener = new TcpListener(options.address, options.port, transport, log, accepted => {
    if (connections.full) {
      options.onLimit('maxAdminConnections');
      accepted.transport.destroy();
      return;
    }
    const client = `${accepted.remoteAddress}:${accepted.remotePort}`;
    const connection = new DownstreamConnection(connections, accepted.transport, client);
    accepted.transport.user = connection;
    const handler = requestHandler(options.handler, isLoopback(accepted.remoteAddress), log);
    const serve = { version: 'http1', scheme: 'http', trusted: false, context: null } as const;
    connection.serve(serveHttp(codecs, accepted.transport, handler, serve), EMPTY);
    accepted.transport.resume();
  });
  return {
    async listen() {
      await listener.listen();
      tick();
    },
    get address() {
      return listener.address;
    },
    close() {
      stopTicking();
      listener.close();
      connections.destroy();
    },
  };
}

const EMPTY = Buffer.alloc(0);

function requestHandler(handler: AdminHandler, fromLoopback: boolean, log: Logger): RequestHandler {
  return {
    onRequest(stream, head) {
      const receiver = new AdminExchange(stream);
      stream.receiver = receiver;
      const query = head.path.indexOf('?');
      const request: AdminRequest = {
        method: head.method,
        path: query < 0 ? head.path : head.path.slice(0, query),
        accept: fieldOf(head, 'accept'),
        local: fromLoopback && isLoopback(hostOf(head.authority)),
      };
      void answer(handler, request, log).then(response => receiver.respond(response, head.method === 'HEAD'));
    },
  };
}

async function answer(handler: AdminHandler, request: AdminRequest, log: Logger): Promise<AdminResponse> {
  try {
    return await handler(request);
  } catch (error) {
    log.error({ err: error, path: request.path }, 'admin request failed');
    return text(500, 'the sidecar failed; its log has the cause\n');
  }
}

/** One request; its body, if any, is not looked at. */
class AdminExchange implements RequestReceiver {
  readonly #stream: ServerStream;
  #gone = false;

  constructor(stream: ServerStream) {
    this.#stream = stream;
  }

  respond({ status, contentType, body }: AdminResponse, headOnly: boolean): void {
    if (this.#gone) return;
    const bytes = Buffer.from(body);
    const fields = ['content-type', contentType, 'cache-control', 'no-store'];
    const bodiless = headOnly || bytes.length === 0;
    this.#stream.respond({ status, fields, contentLength: bytes.length }, bodiless);
    if (!bodiless) this.#stream.data(bytes, true);
  }

  onRequestData(chunk: Buffer): void {
    this.#stream.consumed(chunk.length);
  }

  onRequestTrailers(): void {}

  onRequestReset(): void {
    this.#gone = true;
  }

  onCutOff(): void {}

  onWritable(): void {}

  onResponseSent(): void {}
}

function fieldOf(head: RequestHead, name: string): string {
  for (let i = 0; i < head.fields.length; i += 2) if (head.fields[i] === name) return head.fields[i + 1];
  return '';
}

function hostOf(authority: string): string {
  const host = authority.replace(/:\d*$/, '');
  return host.startsWith('[') ? host.slice(1, -1) : host;
}

/** RFC 1122 §3.2.1.3 and RFC 4291 §2.5.3. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}
