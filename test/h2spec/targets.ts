/** What h2spec is run against: the codec alone, and the listeners of sidecars with an application behind them. */
import { createServer as createHttp2Server, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { meshAlpn, type PortProtocol } from '../../api/protocol.ts';
import { httpApp, onEnd, tcpApp } from '../integration/proxy/apps.ts';
import {
  CLIENT_ID,
  cluster,
  endpoint,
  SERVER_ID,
  type TestMesh,
  testMesh,
} from '../integration/proxy/mesh.ts';
import { startEchoServer } from './echo-server.ts';

export interface Target {
  readonly name: string;
  /** The port takes HTTP/1.1 as well, so that bytes without the preface are a request of that version. */
  readonly takesHttp1: boolean;
  /** See runH2spec; for a server that takes larger frames than usual. */
  readonly headerBytes?: number;
  /** Starts it until the end of the test; returns its port on 127.0.0.1. `onRequest`: the application got a request. */
  start(onRequest: () => void): Promise<number>;
}

export const targets: readonly Target[] = [
  { name: 'the codec alone', takesHttp1: false, start: codec },
  {
    name: 'an outbound listener, with an application of HTTP/1.1',
    takesHttp1: true,
    start: async onRequest => orders(testMesh(), endpoint(await http1Application(onRequest)), 'http1'),
  },
  {
    name: 'an outbound listener, with an application of HTTP/2',
    takesHttp1: false,
    start: async onRequest =>
      orders(testMesh(), endpoint(await http2Application(onRequest)), 'http2', 'http2'),
  },
  {
    name: 'an outbound listener, with a sidecar behind it that is called over mTLS',
    takesHttp1: false,
    async start(onRequest) {
      const mesh = testMesh();
      const { port } = await mesh.server(await http2Application(onRequest), { protocol: 'http2' });
      return orders(mesh, endpoint(port, { identity: SERVER_ID }), 'auto', 'grpc');
    },
  },
  {
    name: 'an inbound listener in plaintext',
    takesHttp1: false,
    start: async onRequest =>
      (await testMesh().server(await http2Application(onRequest), { protocol: 'http2' })).port,
  },
  {
    name: 'an inbound listener over mTLS, as a sidecar calls it',
    takesHttp1: false,
    // Between sidecars a frame may have 64 KiB; five of these have more after Huffman's compression, each still fits.
    headerBytes: 16_000,
    start: onRequest => inboundOverTls(meshAlpn.http2, onRequest),
  },
  {
    name: 'an inbound listener over mTLS, as proxyless gRPC calls it',
    takesHttp1: false,
    start: onRequest => inboundOverTls('h2', onRequest),
  },
];

async function codec(onRequest: () => void): Promise<number> {
  const server = await startEchoServer(onRequest);
  onEnd(() => void server.close());
  return server.port;
}

/** A listener of a client's sidecar that stands for one endpoint. */
async function orders(
  mesh: TestMesh,
  to: ReturnType<typeof endpoint>,
  towards: 'http1' | 'http2' | 'auto' = 'auto',
  protocol: PortProtocol = 'http',
): Promise<number> {
  return (await mesh.orders([cluster('orders', [to], { protocol: towards })], { protocol })).port;
}

/** h2spec has no client certificate, so its bytes are taken to the sidecar by somebody who has. */
async function inboundOverTls(alpn: string, onRequest: () => void): Promise<number> {
  const mesh = testMesh();
  const { port } = await mesh.server(await http2Application(onRequest), { protocol: 'http', mtls: 'strict' });
  const { cert, key } = mesh.authority.issue(CLIENT_ID);
  const credentials = { cert, key, ca: mesh.authority.pem, ALPNProtocols: [alpn] };
  return tcpApp(socket => {
    // A SPIFFE ID is no host name; who the server is does not matter here.
    const secured = connectTls({
      ...credentials,
      host: '127.0.0.1',
      port,
      checkServerIdentity: () => undefined,
    });
    secured.on('error', () => socket.destroy());
    socket.on('close', () => secured.destroy());
    socket.pipe(secured).pipe(socket);
  });
}

function http1Application(onRequest: () => void): Promise<number> {
  return httpApp((request, response) => {
    onRequest();
    request.resume();
    request.on('end', () => response.end('Hello over HTTP/1.1.\n'));
  });
}

/** A sidecar passes HTTP/2 on as HTTP/2 to the application of its own pod. */
async function http2Application(onRequest: () => void): Promise<number> {
  const sessions = new Set<ServerHttp2Session>();
  const server = createHttp2Server((request, response) => {
    onRequest();
    request.resume();
    request.on('end', () => response.end('Hello over HTTP/2.\n'));
  });
  server.on('session', session => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
  });
  onEnd(() => {
    server.close();
    for (const session of sessions) session.destroy();
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
