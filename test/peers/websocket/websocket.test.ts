import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { eventually, listen, onEnd } from '../../integration/proxy/apps.ts';
import { reach, ways } from '../../integration/proxy/ways.ts';
import type { Tool } from '../tool-cache.ts';
import { findWsproto, type WsprotoPeer } from './wsproto-peer.ts';

const TIMEOUT_MS = 180_000;
const HELD = ["accepted v2 ['permessage-deflate']", 'text', 'binary', 'empty', 'fragments', 'ping', 'close'];

let wsproto: Tool<WsprotoPeer> = { kind: 'missing', reason: 'not looked for' };
let server: { readonly process: ChildProcess; readonly port: number } | null = null;

beforeAll(async () => {
  wsproto = await findWsproto();
  if (wsproto.kind === 'missing') console.warn(`WebSockets with wsproto are skipped: ${wsproto.reason}`);
  else server = await wsproto.startServer();
}, TIMEOUT_MS);

afterAll(() => {
  server?.process.kill();
});

async function wsServer(): Promise<number> {
  const http = createServer();
  const sockets = new WebSocketServer({
    server: http,
    perMessageDeflate: true,
    handleProtocols: offered => (offered.has('v2') ? 'v2' : false),
  });
  sockets.on('connection', socket => {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  });
  onEnd(() => {
    for (const socket of sockets.clients) socket.terminate();
    http.close();
  });
  return listen(http);
}

describe.each(ways)('%s', way => {
  it('a client on wsproto talks to a server on wsproto', { timeout: TIMEOUT_MS }, async context => {
    if (wsproto.kind === 'missing') return context.skip(wsproto.reason);
    expect(await wsproto.runClient(await reach(way, server!.port))).toEqual(HELD);
  });

  it('a client on wsproto talks to a server on ws', { timeout: TIMEOUT_MS }, async context => {
    if (wsproto.kind === 'missing') return context.skip(wsproto.reason);
    expect(await wsproto.runClient(await reach(way, await wsServer()))).toEqual(HELD);
  });

  it('a client on ws talks to a server on wsproto', { timeout: TIMEOUT_MS }, async context => {
    if (wsproto.kind === 'missing') return context.skip(wsproto.reason);
    const port = await reach(way, server!.port);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`, ['v1', 'v2'], {
      headers: { host: 'orders' },
      perMessageDeflate: { threshold: 0 },
    });
    const seen: Buffer[] = [];
    socket.on('message', data => seen.push(data as Buffer));
    await new Promise((resolve, reject) => {
      socket.on('open', resolve);
      socket.on('error', reject);
    });
    expect([socket.protocol, socket.extensions]).toEqual(['v2', 'permessage-deflate']);
    const messages = [Buffer.from('grüße'), Buffer.alloc(400_000, 'abc'), Buffer.alloc(0)];
    for (const message of messages) socket.send(message);
    await eventually(() => Buffer.concat(seen).equals(Buffer.concat(messages)));
    const code = new Promise(resolve => socket.on('close', resolve));
    socket.close(4001);
    expect(await code).toBe(4001);
  });
});
