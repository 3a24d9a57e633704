import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { FlushQueue } from './output.ts';
import { createSharedReadBuffer } from './read-buffer.ts';
import { readBeforeClosing } from './socket-handle.ts';
import { SocketTransport } from './socket-transport.ts';

const SENT_BYTES = 64_000_000;

const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

/** A transport, and the socket at the other end. */
async function pair(
  receive: (bytes: Buffer) => void,
  ended: (how: string) => void = () => {},
): Promise<{ transport: SocketTransport; peer: Socket }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const shared = { queue: new FlushQueue(), readBuffer: createSharedReadBuffer(), keepaliveMs: 0 };
  const transport = new SocketTransport(shared, { receive, receiveEnd: () => ended('FIN'), closed: ended });
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, onread: transport.onread() });
  const [[peer]] = (await Promise.all([once(server, 'connection'), once(socket, 'connect')])) as [
    Socket[],
    unknown,
  ];
  server.close();
  sockets.push(socket, peer);
  readBeforeClosing(socket);
  transport.attach(socket, true);
  transport.resume();
  return { transport, peer };
}

test('of a peer that sends without end no more is read in a turn than leaves others theirs', async () => {
  let received = 0;
  let inTurn = 0;
  let most = 0;
  const { peer } = await pair(bytes => {
    received += bytes.length;
    inTurn += bytes.length;
    most = Math.max(most, inTurn);
  });
  peer.write(Buffer.alloc(SENT_BYTES));
  while (received < SENT_BYTES) {
    await new Promise(resolve => setImmediate(resolve));
    inTurn = 0;
  }
  // A share, and the read that fills it.
  expect(most).toBeLessThanOrEqual(262_144 + 131_072);
});

test('a user that has paused is not made to read again', async () => {
  let received = 0;
  const { transport, peer } = await pair(bytes => {
    received += bytes.length;
    transport.pause();
  });
  peer.write(Buffer.alloc(SENT_BYTES));
  while (received === 0) await new Promise(resolve => setImmediate(resolve));
  const before = received;
  for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve));
  expect(received).toBe(before);
  while (received < SENT_BYTES) {
    transport.resume();
    await new Promise(resolve => setImmediate(resolve));
  }
});

test('a reset that a write has met is told as a reset, not as the end', async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const { transport, peer } = await pair(() => {}, resolve);
  transport.pause();
  peer.resetAndDestroy();
  await once(peer, 'close');
  transport.output.text('late');
  transport.output.flush();
  transport.resume();
  expect(await promise).toBe('connection-reset');
});
