/** Calls over the sidecar's own HTTP/2 codec to node:http2, which answers as real and broken servers do. */
import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../runtime/clock.ts';
import { Http2ClientConnection } from '../http2/client-connection.ts';
import { UNTRUSTED_LIMITS } from '../http2/limits.ts';
import { Http2Workspace } from '../http2/workspace.ts';
import { FlushQueue } from '../transport/output.ts';
import { createSharedReadBuffer } from '../transport/read-buffer.ts';
import { SocketTransport } from '../transport/socket-transport.ts';
import { frameMessage, MessageReader } from './message-reader.ts';
import { describeStatus } from './status.ts';
import { callOnce } from './unary.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** Calls a server that answers with `answer`; the message, or the status as text. */
async function call(
  answer: (stream: ServerHttp2Stream, body: Buffer) => void,
  timeoutMs = 2000,
): Promise<string> {
  const server: Http2Server = createServer();
  const sessions: ServerHttp2Session[] = [];
  server.on('session', session => sessions.push(session));
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => {});
    expect(headers).toMatchObject({
      'content-type': 'application/grpc',
      te: 'trailers',
      authorization: 'Bearer x',
    });
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => answer(stream, Buffer.concat(chunks)));
  });
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve);
  });
  closers.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  const user = { receive() {}, receiveEnd() {}, closed() {} };
  const transport = new SocketTransport(
    { queue: new FlushQueue(), readBuffer: createSharedReadBuffer(), keepaliveMs: 10_000 },
    user,
  );
  const socket = connect({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    onread: transport.onread(),
  });
  closers.push(() => socket.destroy());
  await new Promise(resolve => {
    socket.once('connect', resolve);
  });
  transport.attach(socket, true);
  const connection = new Http2ClientConnection({
    transport,
    workspace: new Http2Workspace(),
    limits: UNTRUSTED_LIMITS,
    observer: { onLimit() {}, onFault() {}, onRoundTrip() {} },
    clock: () => systemClock.now(),
    owner: { onCapacity() {}, onDraining() {}, onClosed() {} },
  });
  transport.user = connection;
  const request = {
    scheme: 'http',
    authority: 'a',
    path: '/s/m',
    metadata: ['authorization', 'Bearer x'],
  } as const;
  const result = await callOnce(
    connection,
    { ...request, metadata: [...request.metadata] },
    Buffer.from('hello'),
    timeoutMs,
    systemClock,
  );
  return result.kind === 'answer' ? result.message.toString() : describeStatus(result.status);
}

const grpc = { ':status': 200, 'content-type': 'application/grpc' };

/** An answer with messages, then trailers. */
function respond(stream: ServerHttp2Stream, body: Buffer, trailers: Record<string, string>): void {
  stream.respond(grpc, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end(body);
}

test('a message goes there and one comes back', async () => {
  const echoed = await call((stream, body) => respond(stream, body, { 'grpc-status': '0' }));
  expect(echoed).toBe('hello');
});

test('a large message comes in many frames', async () => {
  const large = 'x'.repeat(1_000_000);
  expect(
    await call(stream => respond(stream, frameMessage(Buffer.from(large)), { 'grpc-status': '0' })),
  ).toBe(large);
});

test.each<[string, (stream: ServerHttp2Stream) => void, RegExp]>([
  [
    'a status in the trailers',
    stream => respond(stream, Buffer.alloc(0), { 'grpc-status': '7', 'grpc-message': 'not%20you%21 100%' }),
    /^PERMISSION_DENIED: not%20you%21 100%$/,
  ],
  [
    'an encoded message',
    stream => respond(stream, Buffer.alloc(0), { 'grpc-status': '16', 'grpc-message': 'n%C3%B6' }),
    /^UNAUTHENTICATED: nö$/,
  ],
  [
    'trailers only',
    stream => stream.respond({ ...grpc, 'grpc-status': '12' }, { endStream: true }),
    /^UNIMPLEMENTED$/,
  ],
  [
    'OK without a message',
    stream => respond(stream, Buffer.alloc(0), { 'grpc-status': '0' }),
    /^INTERNAL: no message came$/,
  ],
  ['no status', stream => respond(stream, Buffer.alloc(0), {}), /^UNKNOWN: the answer has no grpc-status$/],
  [
    'a message that is cut off',
    stream => respond(stream, frameMessage(Buffer.from('abc')).subarray(0, 6), { 'grpc-status': '0' }),
    /^INTERNAL: the last message is cut off$/,
  ],
  [
    'a compressed message',
    stream => respond(stream, Buffer.from([1, 0, 0, 0, 0]), { 'grpc-status': '0' }),
    /^RESOURCE_EXHAUSTED: a message is compressed/,
  ],
  [
    'a message of 4 GiB',
    stream => respond(stream, Buffer.from([0, 255, 255, 255, 255]), { 'grpc-status': '0' }),
    /4294967295 bytes; 4194304 are allowed/,
  ],
  [
    'HTTP 503',
    stream => stream.respond({ ':status': 503 }, { endStream: true }),
    /^UNAVAILABLE: the answer is not gRPC: HTTP status 503$/,
  ],
  [
    'a web page',
    stream => {
      stream.respond({ ':status': 200, 'content-type': 'text/html' });
      stream.end('<html>');
    },
    /^UNKNOWN: the answer is not gRPC; is this the right port\?$/,
  ],
  ['a reset', stream => stream.close(2), /^UNAVAILABLE: the connection failed: internal-error$/],
  ['a lost connection', stream => stream.session?.destroy(), /^UNAVAILABLE: the connection failed/],
])('%s is told as what it is', async (_what, answer, status) => {
  expect(await call(answer)).toMatch(status);
});

test('an answer that does not come is given up', async () => {
  expect(await call(() => {}, 50)).toBe('DEADLINE_EXCEEDED: no answer within 50 ms');
});

test('messages are put together from chunks of any size', () => {
  const bytes = Buffer.concat(['', 'a', 'bc', 'x'.repeat(700)].map(text => frameMessage(Buffer.from(text))));
  for (let size = 1; size < 12; size++) {
    const read: string[] = [];
    const reader = new MessageReader(1000, message => read.push(message.toString()));
    for (let at = 0; at < bytes.length; at += size)
      expect(reader.receive(bytes.subarray(at, at + size))).toBe('');
    expect(read).toEqual(['', 'a', 'bc', 'x'.repeat(700)]);
    expect(reader.partial).toBe(false);
  }
});
