/**
 * `probed.ts HTTP TCP GRPC [FILE]`: serves HTTP at /healthz, accepts TCP, and answers gRPC health checks, each at its
 * port. While FILE exists all of them fail.
 */
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { createServer as createTcpServer } from 'node:net';

const [http, tcp, grpc, file = '/nowhere'] = process.argv.slice(2);
const healthy = (): boolean => !existsSync(file);

createServer((request, response) => {
  const right = request.url === '/healthz' && request.headers['x-probe'] === 'yes';
  response.writeHead(right && healthy() ? 200 : 500).end();
}).listen(Number(http));

createTcpServer(socket => {
  socket.on('error', () => undefined);
  socket.end();
}).listen(Number(tcp));

/** HealthCheckResponse{status} (grpc.health.v1) in a length-prefixed message. */
const health = (): Buffer => Buffer.from([0, 0, 0, 0, 2, 8, healthy() ? 1 : 2]);

const server = createHttp2Server();
server.on('stream', (stream: ServerHttp2Stream) => {
  stream.on('error', () => undefined);
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.resume();
  stream.end(health());
});
server.listen(Number(grpc), () => console.log('listening'));
