import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { eventually, listen, onEnd, TcpClient, tcpApp } from '../apps.ts';
import { reach, ways } from '../ways.ts';

const UPGRADE =
  'GET /chat HTTP/1.1\r\nhost: orders\r\nconnection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n' +
  'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n';
const ACCEPTED =
  'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n';

/** An application that speaks HTTP by hand; `onHead` gets what came up to the empty line and what came with it. */
function byHand(onHead: (socket: Socket, head: string, rest: Buffer) => void): Promise<number> {
  return tcpApp(socket => {
    let received = Buffer.alloc(0);
    socket.on('data', function more(chunk: Buffer) {
      received = Buffer.concat([received, chunk]);
      const end = received.indexOf('\r\n\r\n');
      if (end === -1) return;
      socket.off('data', more);
      onHead(socket, received.toString('latin1', 0, end + 4), received.subarray(end + 4));
    });
  });
}

describe.each(ways)('an upgrade, %s', way => {
  test('carries every octet both ways, as many as there are', async () => {
    const app = await byHand((socket, _head, rest) => {
      socket.write(ACCEPTED);
      socket.write(rest);
      socket.pipe(socket);
    });
    const client = new TcpClient(await reach(way, app));
    client.socket.write(UPGRADE);
    await client.until(({ text }) => text.includes('\r\n\r\n'));
    const head = client.received.indexOf('\r\n\r\n') + 4;
    const bytes = Buffer.concat([
      Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
      randomBytes(2_000_000),
    ]);
    client.socket.end(bytes);
    await client.until(({ ended }) => ended);
    expect(client.received.subarray(head).equals(bytes)).toBe(true);
  });

  test('keeps what the client sends before the answer, and sends none of it before the application agrees', async () => {
    let seen = '';
    let asked = false;
    let agree: () => void = () => {};
    const app = await byHand((socket, _head, rest) => {
      asked = true;
      seen += rest;
      socket.on('data', chunk => (seen += chunk));
      agree = () => socket.write(ACCEPTED);
    });
    const client = new TcpClient(await reach(way, app));
    client.socket.write(`${UPGRADE}early,`);
    await eventually(() => asked);
    client.socket.write('later,');
    await new Promise(resolve => setTimeout(resolve, 50));
    expect(seen).toBe('');
    agree();
    await eventually(() => seen === 'early,later,');
  });

  test('keeps what the application sends with its answer', async () => {
    const app = await byHand(socket => socket.write(`${ACCEPTED}welcome`));
    const client = new TcpClient(await reach(way, app));
    client.socket.write(UPGRADE);
    await client.until(({ text }) => text.endsWith('\r\n\r\nwelcome'));
    expect(client.text).toMatch(/^HTTP\/1\.1 101 /);
    expect(client.text).toMatch(/\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
    expect(client.text).toMatch(/\r\nconnection: upgrade\r\nupgrade: websocket\r\n/i);
  });

  test('may be to any protocol', async () => {
    const app = await byHand((socket, head) => {
      const protocol = /upgrade: (\S+)\r\n/.exec(head)?.[1];
      socket.write(`HTTP/1.1 101 OK\r\nconnection: upgrade\r\nupgrade: ${protocol}\r\n\r\n`);
      socket.pipe(socket);
    });
    const client = new TcpClient(await reach(way, app));
    client.socket.write('GET / HTTP/1.1\r\nhost: orders\r\nconnection: upgrade\r\nupgrade: SPDY/3.1\r\n\r\n');
    await client.until(({ text }) => text.includes('\r\n\r\n'));
    client.socket.write('raw');
    await client.until(({ text }) => text.endsWith('raw'));
    expect(client.text).toMatch(/upgrade: spdy\/3\.1\r\n/i);
  });

  test('FIN of one side is FIN on the other, and the other direction goes on', async () => {
    const app = await byHand((socket, _head, rest) => {
      let text = rest.toString();
      socket.write(ACCEPTED);
      socket.on('data', chunk => (text += chunk));
      socket.on('end', () => socket.end(`got ${text}`));
    });
    const client = new TcpClient(await reach(way, app));
    client.socket.write(UPGRADE);
    await client.until(({ text }) => text.includes('\r\n\r\n'));
    client.socket.end('bye');
    await client.until(({ ended }) => ended);
    expect(client.text).toMatch(/\r\n\r\ngot bye$/);
  });

  test('RST is RST on the other side, in both directions', async () => {
    const sockets: Socket[] = [];
    const errors: string[] = [];
    const app = await byHand(socket => {
      sockets.push(socket);
      socket.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code ?? ''));
      socket.resume();
      socket.write(`${ACCEPTED}!`);
    });
    const port = await reach(way, app);
    const one = new TcpClient(port);
    one.socket.write(UPGRADE);
    await one.until(({ text }) => text.endsWith('!'));
    sockets[0].resetAndDestroy();
    await one.until(({ closed }) => closed);
    expect(one.error?.code).toBe('ECONNRESET');
    const two = new TcpClient(port);
    two.socket.write(UPGRADE);
    await two.until(({ text }) => text.endsWith('!'));
    two.socket.resetAndDestroy();
    await eventually(() => errors.length > 0);
    expect(errors).toEqual(['ECONNRESET']);
  });
});

describe.each(ways)('a tunnel that one side has half closed, %s', way => {
  test('carries the other direction on, and is reset with it', async () => {
    let heard = '';
    const sockets: Socket[] = [];
    const app = await byHand(socket => {
      sockets.push(socket);
      socket.on('error', () => {});
      socket.on('data', chunk => (heard += chunk));
      socket.end(`${ACCEPTED}!`);
    });
    const client = new TcpClient(await reach(way, app));
    client.socket.write(UPGRADE);
    await client.until(({ ended }) => ended);
    client.socket.write('still ');
    client.socket.write('sending');
    await eventually(() => heard === 'still sending');
    sockets[0].destroy();
    // After its FIN the application's kernel answers more bytes with RST.
    const sending = setInterval(() => client.socket.write('.'), 10);
    await client.until(({ closed }) => closed);
    clearInterval(sending);
    expect(['ECONNRESET', 'EPIPE']).toContain(client.error?.code);
  });
});

describe.each(ways)('CONNECT to an application, %s', way => {
  test('opens a tunnel; early bytes wait for the 2xx', async () => {
    let head = '';
    let seen = '';
    let agree: () => void = () => {};
    const app = await byHand((socket, received, rest) => {
      head = received;
      seen += rest;
      socket.on('data', chunk => (seen += chunk));
      agree = () => socket.write('HTTP/1.1 200 OK\r\n\r\nopen');
    });
    // A CONNECT on the proxy port would be for the sidecar itself; this one goes to the application.
    const client = new TcpClient(await reach(way, app));
    client.socket.write('CONNECT db.shop:5432 HTTP/1.1\r\nhost: db.shop:5432\r\n\r\nearly');
    await eventually(() => head !== '');
    await new Promise(resolve => setTimeout(resolve, 50));
    expect(head).toMatch(/^CONNECT db\.shop:5432 HTTP\/1\.1\r\n/);
    expect(seen).toBe('');
    agree();
    await client.until(({ text }) => /^HTTP\/1\.1 200 [^]*\r\n\r\nopen$/.test(text));
    await eventually(() => seen === 'early');
  });

  test('that is refused is an answer, and its early bytes are no request', async () => {
    let requests = 0;
    const app = await byHand(socket => {
      requests++;
      socket.write('HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno');
    });
    const client = new TcpClient(await reach(way, app));
    client.socket.write(
      'CONNECT db.shop:5432 HTTP/1.1\r\nhost: db.shop:5432\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: orders\r\n\r\n',
    );
    await client.until(({ ended, closed }) => ended || closed);
    expect(client.text).toMatch(/^HTTP\/1\.1 403 /);
    expect(client.text.match(/HTTP\/1\.1/g)?.length).toBe(1);
    expect(requests).toBe(1);
  });
});

describe.each(ways)('WebSocket with ws, %s', way => {
  async function echo(): Promise<number> {
    const server = createServer();
    const sockets = new WebSocketServer({ server, perMessageDeflate: true, handleProtocols: () => 'v2' });
    sockets.on('connection', socket => {
      socket.on('message', (data, binary) => socket.send(data, { binary }));
    });
    onEnd(() => {
      for (const socket of sockets.clients) socket.terminate();
      server.close();
    });
    return reach(way, await listen(server));
  }

  test('subprotocol, compression, ping, text and binary messages, and the close code', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${await echo()}/chat`, ['v1', 'v2'], {
      headers: { host: 'orders' },
      perMessageDeflate: { threshold: 0 },
    });
    const seen: Buffer[] = [];
    socket.on('message', data => seen.push(data as Buffer));
    await new Promise(resolve => socket.on('open', resolve));
    expect([socket.protocol, socket.extensions]).toEqual(['v2', 'permessage-deflate']);
    const pong = new Promise(resolve => socket.on('pong', data => resolve(data.toString())));
    socket.ping('are you there');
    expect(await pong).toBe('are you there');
    const messages = [Buffer.from('grüße'), randomBytes(500_000), Buffer.alloc(0)];
    for (const message of messages) socket.send(message);
    await eventually(() => seen.length === messages.length);
    expect(Buffer.concat(seen).equals(Buffer.concat(messages))).toBe(true);
    const code = new Promise(resolve => socket.on('close', resolve));
    socket.close(4001, 'done');
    expect(await code).toBe(4001);
  });
});

test('the sidecar forgets neither side of many tunnels at once', async () => {
  const app = await byHand((socket, _head, rest) => {
    socket.write(ACCEPTED);
    socket.write(rest);
    socket.pipe(socket);
  });
  const port = await reach('mesh', app);
  const clients = Array.from({ length: 40 }, () => new TcpClient(port));
  clients.forEach((client, i) => client.socket.write(`${UPGRADE}tunnel ${i}.`));
  await Promise.all(clients.map((client, i) => client.until(({ text }) => text.endsWith(`tunnel ${i}.`))));
});
