import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { ResetReason } from '../exchange/stream.ts';
import { FlushQueue } from './output.ts';
import { createPeerWatch } from './peer-watch.ts';
import { createSharedReadBuffer } from './read-buffer.ts';
import { SocketTransport, type TransportShared } from './socket-transport.ts';

const shared: TransportShared = {
  queue: new FlushQueue(),
  readBuffer: createSharedReadBuffer(),
  keepaliveMs: 10_000,
  watch: createPeerWatch(20_000, () => {}),
};

let server: Server;

afterEach(() => server.close());

/** A transport and the other end of it. */
async function pair(): Promise<{
  transport: SocketTransport;
  peer: Socket;
  heard: { ended: boolean; closed: ResetReason | '' };
}> {
  const heard = { ended: false, closed: '' as ResetReason | '' };
  server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const peer = connect({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    allowHalfOpen: true,
  });
  const [socket] = (await once(server, 'connection')) as [Socket];
  const transport = new SocketTransport(shared, {
    receive() {},
    receiveEnd: () => (heard.ended = true),
    closed: reason => (heard.closed = reason),
  });
  transport.attach(socket, false);
  return { transport, peer, heard };
}

/** Ticks as the owner does, but at once, until something has happened. */
async function tickUntil(transport: SocketTransport, happened: () => boolean): Promise<void> {
  while (!happened()) {
    transport.tick(0);
    await new Promise(resolve => setTimeout(resolve, 2));
  }
}

test('RST after FIN is heard of without a write', async () => {
  const { transport, peer, heard } = await pair();
  peer.end();
  await tickUntil(transport, () => heard.ended);
  peer.resetAndDestroy();
  await tickUntil(transport, () => heard.closed !== '');
  expect(heard.closed).toBe('connection-reset');
});

test('a connection that is half closed stays', async () => {
  const { transport, peer, heard } = await pair();
  peer.end();
  await tickUntil(transport, () => heard.ended);
  for (let i = 0; i < 20; i++) transport.tick(i * 1000);
  transport.output.text('more');
  transport.end();
  expect(String((await once(peer, 'data'))[0])).toBe('more');
  await tickUntil(transport, () => heard.closed !== '');
  expect(heard.closed).toBe('connection-closed');
});

test('bytes that have crossed FIN are told from those that were read before it', async () => {
  const crossing = await pair();
  crossing.transport.pause();
  crossing.peer.destroy();
  await once(crossing.peer, 'close');
  crossing.transport.output.text('late');
  crossing.transport.output.flush();
  crossing.transport.resume();
  await tickUntil(crossing.transport, () => crossing.heard.ended);
  expect(crossing.transport.crossedEnd()).toBe(true);
  server.close();

  const { transport, peer, heard } = await pair();
  transport.output.text('in time');
  await once(peer, 'data');
  peer.destroy();
  await tickUntil(transport, () => heard.ended);
  expect(transport.crossedEnd()).toBe(false);
});
