/**
 * The application of cluster tests: one process that serves what a mesh must carry. It tells what it received, and
 * misbehaves on request. Nothing in it helps a mesh: at SIGTERM it finishes what it has begun and ends.
 *
 *   8080 and 8082 HTTP/1.1, WebSocket echo on /ws, Prometheus on /metrics
 *   8081 HTTP/2 without TLS                    9000 gRPC (echo, and grpc.health.v1)
 *   8443 HTTP/1.1 and HTTP/2 over TLS, if the environment has TLS_CERTIFICATE and TLS_KEY, PEM
 *   6000, 6001, 3306 TCP that speaks first, then echoes
 */

import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import {
  createServer as createHttp2Server,
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import { WebSocketServer } from 'ws';
import { echoService, healthService } from './grpc-services.ts';

export const BANNER = '220 tulle test server\r\n';
const TCP_PORTS = [6000, 6001, 3306];
/** What has not ended by then is cut off. */
const LONGEST_END_MS = 10_000;

interface Answer {
  status: number;
  /** Flat, name and value. */
  fields: string[];
  delayMs: number;
  body: string;
}

interface Asked {
  method: string;
  target: string;
  headers: IncomingHttpHeaders;
  /** As they came, flat. */
  rawHeaders: readonly string[];
  protocol: string;
  /** By which a client of TLS has called; '': by none. */
  serverName?: string;
}

/** The SPIFFE identity of the caller, as its sidecar's certificate proved it; '' without one. */
const callerOf = (header: string | string[] | Buffer | undefined): string =>
  /URI=([^;,]+)/.exec(String(header))?.[1] ?? '';

/** Not compressed, with its length in front (gRPC over HTTP/2, Length-Prefixed-Message). */
function grpcMessage(text: string): Buffer {
  const message = Buffer.from(text);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

export class Application {
  readonly #pod: string;
  readonly #version: string;
  readonly #tcp: TcpServer[] = [];
  readonly #failed = new Map<string, number>();
  #failing = process.env.FAIL === 'true';
  #requests = 0;
  /** Of HTTP/1.1, and not answered yet. */
  #active = 0;

  constructor(pod: string, version: string) {
    this.#pod = pod;
    this.#version = version;
  }

  /**
   * `PUT /fail?on=true`: every further answer is a 503, and health says so. `PUT /close`: the TCP ports are no longer
   * served. `PUT /crash`: the process ends at once, without an answer.
   */
  #control(url: URL): void {
    if (url.pathname === '/fail') this.#failing = url.searchParams.get('on') === 'true';
    if (url.pathname === '/crash') process.exit(1);
    if (url.pathname === '/close') for (const server of this.#tcp) server.close();
  }

  /** `?status=`, `?delay=` in milliseconds, `?header=Name:value` any number of times, `?bytes=` to add to the body. */
  answer({ method, target, headers, rawHeaders, protocol, serverName }: Asked): Answer {
    const url = new URL(target, 'http://server');
    if (method === 'PUT') this.#control(url);
    else if (this.#failing)
      return { status: 503, fields: [], delayMs: 0, body: JSON.stringify({ pod: this.#pod, failing: true }) };
    this.#requests++;
    const told = {
      pod: this.#pod,
      version: this.#version,
      protocol,
      ...(serverName === undefined ? {} : { serverName }),
      method,
      path: target,
      caller: callerOf(headers['x-forwarded-client-cert']),
      headers,
      rawHeaders,
      padding: 'x'.repeat(Number(url.searchParams.get('bytes') ?? 0)),
    };
    return {
      status: Number(url.searchParams.get('status') ?? 200),
      fields: url.searchParams.getAll('header').flatMap(field => field.split(':', 2)),
      delayMs: Number(url.searchParams.get('delay') ?? 0),
      body: JSON.stringify(told),
    };
  }

  /** gRPC status of a call with `test-fail: <name>/<times>/<status>`: the first calls of the name fail. */
  #failureOf(field: string | string[] | undefined): string {
    const [name, times, status] = String(field ?? '').split('/');
    if (status === undefined) return '0';
    const failed = this.#failed.get(name) ?? 0;
    if (failed >= Number(times)) return '0';
    this.#failed.set(name, failed + 1);
    return status;
  }

  #exposition(): string {
    return [
      '# TYPE test_app_requests_total counter',
      `test_app_requests_total{version="${this.#version}"} ${this.#requests}`,
      '# TYPE test_app_requests_active gauge',
      `test_app_requests_active ${this.#active}`,
      '',
    ].join('\n');
  }

  http1(): Server {
    const server = createServer((request, response) => {
      const { method = '', url = '', headers, rawHeaders, httpVersion } = request;
      request.resume();
      if (url === '/metrics') {
        response.end(this.#exposition());
        return;
      }
      const asked = { method, target: url, headers, rawHeaders, protocol: `HTTP/${httpVersion}` };
      const { status, fields, delayMs, body } = this.answer(asked);
      this.#active++;
      const send = (): void => {
        this.#active--;
        response.writeHead(status, ['content-type', 'application/json', ...fields]).end(body);
      };
      if (delayMs === 0) send();
      else setTimeout(send, delayMs);
    });
    server.keepAliveTimeout = 60_000;
    const sockets = new WebSocketServer({ server, path: '/ws' });
    sockets.on('connection', socket =>
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
    );
    return server;
  }

  http2(): ReturnType<typeof createHttp2Server> {
    return createHttp2Server((request, response) => this.#answerHttp2(request, response));
  }

  /** Serves both versions of HTTP; the protocol that it tells is `TLS, ` and the version. */
  tls(cert: string, key: string): Http2SecureServer {
    const options = { cert, key, allowHTTP1: true };
    return createSecureServer(options, (request, response) => this.#answerHttp2(request, response, 'TLS, '));
  }

  #answerHttp2(request: Http2ServerRequest, response: Http2ServerResponse, over = ''): void {
    const { method, url: target, headers, rawHeaders, httpVersion } = request;
    const protocol = `${over}HTTP/${httpVersion === '2.0' ? '2' : httpVersion}`;
    const { servername } = request.socket as Partial<TLSSocket>;
    const tls = servername === undefined ? {} : { serverName: servername || '' };
    const asked = { method, target, headers, rawHeaders, protocol, ...tls };
    const { status, delayMs, body } = this.answer(asked);
    // A gRPC call of any service and method is answered with one message, which has the same text as an answer of HTTP.
    const isGrpc = headers['content-type']?.startsWith('application/grpc') === true;
    const failure = isGrpc ? this.#failureOf(headers['test-fail']) : '0';
    const send = (): void => {
      const fields = { 'content-type': isGrpc ? 'application/grpc' : 'application/json' };
      // Trailers alone, so that it may be retried.
      if (failure !== '0')
        response.stream.respond({ ':status': 200, ...fields, 'grpc-status': failure }, { endStream: true });
      else {
        response.writeHead(status, fields);
        if (isGrpc) response.addTrailers({ 'grpc-status': '0' });
        response.end(isGrpc ? grpcMessage(body) : body);
      }
    };
    setTimeout(send, delayMs + Number(headers['test-delay'] ?? 0));
  }

  grpc(): GrpcServer {
    const server = new GrpcServer();
    server.addService(echoService.definition, echoService.implementation(this.#pod, callerOf));
    server.addService(
      healthService.definition,
      healthService.implementation(() => !this.#failing),
    );
    return server;
  }

  listenTcp(): void {
    for (const port of TCP_PORTS) {
      const server = createTcpServer({ allowHalfOpen: true }, socket => {
        socket.write(BANNER);
        socket.pipe(socket);
        socket.on('error', () => socket.destroy());
      });
      this.#tcp.push(server.listen(port));
    }
  }
}

export function serve(): void {
  const application = new Application(process.env.HOSTNAME ?? '', process.env.VERSION ?? '');
  const http1 = [8080, 8082].map(port => application.http1().listen(port));
  const http2 = application.http2().listen(8081);
  const { TLS_CERTIFICATE = '', TLS_KEY = '' } = process.env;
  const tls = TLS_KEY === '' ? null : application.tls(TLS_CERTIFICATE, TLS_KEY).listen(8443);
  const grpc = application.grpc();
  application.listenTcp();
  grpc.bindAsync('0.0.0.0:9000', ServerCredentials.createInsecure(), error => {
    if (error !== null) throw error;
  });
  process.on('SIGTERM', () => {
    http2.close();
    tls?.close();
    const ended = [
      ...http1.map(server => new Promise(resolve => server.close(resolve))),
      new Promise<void>(resolve => grpc.tryShutdown(() => resolve())),
    ];
    void Promise.all(ended).then(() => process.exit(0));
    setTimeout(() => process.exit(0), LONGEST_END_MS).unref();
  });
}
