/**
 * The application of cluster tests: one process that serves what a mesh must carry. It tells what it received, and
 * misbehaves on request.
 *
 *   8080 HTTP/1.1, and WebSocket echo on /ws      8081 HTTP/2 without TLS
 *   9000 gRPC (echo, and grpc.health.v1)          6000 TCP that speaks first, then echoes
 */

import { createServer, type IncomingHttpHeaders } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer as createTcpServer } from 'node:net';
import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import { WebSocketServer } from 'ws';
import { echoService, healthService } from './grpc-services.ts';

export const BANNER = '220 tulle test server\r\n';

interface Answer {
  status: number;
  delayMs: number;
  body: string;
}

const pod = process.env.HOSTNAME ?? '';
let failing = process.env.FAIL === 'true';

/** `?status=`, `?delay=` (ms) and `?bytes=`; PUT /fail?on=true makes every further answer a 503. */
function answer(method: string, target: string, headers: IncomingHttpHeaders, protocol: string): Answer {
  const url = new URL(target, 'http://server');
  if (method === 'PUT' && url.pathname === '/fail') failing = url.searchParams.get('on') === 'true';
  else if (failing) return { status: 503, delayMs: 0, body: JSON.stringify({ pod, failing }) };
  const caller = /URI=([^;,]+)/.exec(String(headers['x-forwarded-client-cert'] ?? ''))?.[1] ?? '';
  const version = process.env.VERSION ?? '';
  const padding = 'x'.repeat(Number(url.searchParams.get('bytes') ?? 0));
  return {
    status: Number(url.searchParams.get('status') ?? 200),
    delayMs: Number(url.searchParams.get('delay') ?? 0),
    body: JSON.stringify({ pod, version, protocol, method, path: target, caller, headers, padding }),
  };
}

export function serve(): void {
  const http1 = createServer((request, response) => {
    const { status, delayMs, body } = answer(
      request.method ?? '',
      request.url ?? '',
      request.headers,
      'HTTP/1.1',
    );
    request.resume();
    setTimeout(() => response.writeHead(status, { 'content-type': 'application/json' }).end(body), delayMs);
  });
  const sockets = new WebSocketServer({ server: http1, path: '/ws' });
  sockets.on('connection', socket => socket.on('message', data => socket.send(data)));
  const http2 = createHttp2Server((request, response) => {
    const { status, delayMs, body } = answer(request.method, request.url, request.headers, 'HTTP/2');
    setTimeout(() => response.writeHead(status, { 'content-type': 'application/json' }).end(body), delayMs);
  });
  const tcp = createTcpServer(socket => {
    socket.write(BANNER);
    socket.pipe(socket);
    socket.on('error', () => socket.destroy());
  });
  const grpc = new GrpcServer();
  grpc.addService(echoService.definition, echoService.implementation(pod));
  grpc.addService(healthService.definition, healthService.implementation());
  grpc.bindAsync('0.0.0.0:9000', ServerCredentials.createInsecure(), error => {
    if (error !== null) throw error;
  });
  http1.keepAliveTimeout = 60_000;
  http1.listen(8080);
  http2.listen(8081);
  tcp.listen(6000);
  // Kubernetes removes the endpoint at the same time: go on serving for a moment, then finish what is there.
  process.on('SIGTERM', () => {
    setTimeout(
      () => {
        http1.close(() => process.exit(0));
        http1.closeIdleConnections();
        setTimeout(() => process.exit(0), 5000).unref();
      },
      Number(process.env.LINGER_MS ?? 0),
    );
  });
}
