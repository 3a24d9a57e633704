import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  IncomingHttpHeaders,
  ServerHttp2Stream,
} from 'node:http2';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { eventually, onEnd, tcpApp } from '../apps.ts';
import { http2App as anyHttp2App, http2Session as session } from '../http2/peers.ts';
import { reach, ways } from '../ways.ts';

async function http2App(
  enableConnectProtocol: boolean,
  onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
): Promise<number> {
  return (await anyHttp2App(onStream, { settings: { enableConnectProtocol } })).port;
}

function webSocket(client: ClientHttp2Session): ClientHttp2Stream {
  const stream = client.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/chat',
    ':authority': 'orders',
    'sec-websocket-version': '13',
    'sec-websocket-protocol': 'v2',
  });
  stream.on('error', () => {});
  return stream;
}

function response(stream: ClientHttp2Stream): Promise<IncomingHttpHeaders> {
  return new Promise(resolve => stream.on('response', resolve));
}

describe.each(ways)('extended CONNECT to an application of HTTP/2, %s', way => {
  const at = (app: number) => reach(way, app, { protocol: 'http2' });

  test('arrives as extended CONNECT, and carries bytes and FIN both ways', async () => {
    let headers: IncomingHttpHeaders = {};
    const app = await http2App(true, (stream, received) => {
      headers = received;
      stream.respond({ ':status': 200, 'sec-websocket-protocol': 'v2' });
      stream.on('data', chunk => stream.write(chunk));
      stream.on('end', () => stream.end('bye'));
    });
    const stream = webSocket(await session(await at(app)));
    const answer = await response(stream);
    expect([answer[':status'], answer['sec-websocket-protocol'], answer['sec-websocket-accept']]).toEqual([
      200,
      'v2',
      undefined,
    ]);
    expect(headers).toMatchObject({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':path': '/chat',
      ':authority': 'orders',
      ':scheme': 'http',
      'sec-websocket-version': '13',
    });
    expect(headers['sec-websocket-key']).toBe(undefined);
    let text = '';
    stream.on('data', chunk => (text += chunk));
    const large = 'x'.repeat(500_000);
    stream.write(large);
    await eventually(() => text.length === large.length);
    stream.end();
    await new Promise(resolve => stream.on('end', resolve));
    expect(text).toBe(`${large}bye`);
  });

  test('the application may end its direction first, and still hears the client', async () => {
    let heard = '';
    const app = await http2App(true, stream => {
      stream.respond({ ':status': 200 });
      stream.end('bye');
      stream.on('data', chunk => (heard += chunk));
      stream.on('end', () => (heard += '.'));
    });
    const stream = webSocket(await session(await at(app)));
    stream.resume();
    await new Promise(resolve => stream.on('end', resolve));
    stream.write('one,');
    await eventually(() => heard === 'one,');
    stream.end('two');
    await eventually(() => heard === 'one,two.');
  });

  test('what the client sends before the answer waits for it, however much it is', async () => {
    let received = 0;
    let asked = false;
    let agree: () => void = () => {};
    const app = await http2App(true, stream => {
      asked = true;
      stream.on('data', (chunk: Buffer) => (received += chunk.length));
      agree = () => stream.respond({ ':status': 200 });
    });
    const stream = webSocket(await session(await at(app)));
    // More than any window on the way.
    stream.write(Buffer.alloc(3_000_000));
    await eventually(() => asked);
    await new Promise(resolve => setTimeout(resolve, 50));
    expect(received).toBe(0);
    agree();
    await eventually(() => received === 3_000_000);
  });

  test('a refusal is an answer, and the connection goes on', async () => {
    let closed = 0;
    const app = await http2App(true, stream => {
      stream.on('close', () => closed++);
      stream.respond({ ':status': 403 });
      stream.end('no');
    });
    const client = await session(await at(app));
    for (let i = 1; i <= 3; i++) {
      const stream = webSocket(client);
      stream.write('early');
      expect((await response(stream))[':status']).toBe(403);
      stream.resume();
      stream.end();
      await eventually(() => closed === i);
    }
  });

  test('RST_STREAM of one side is RST_STREAM at the other', async () => {
    const codes: number[] = [];
    const accepted: ServerHttp2Stream[] = [];
    const app = await http2App(true, stream => {
      accepted.push(stream);
      stream.on('close', () => codes.push(stream.rstCode ?? -1));
      stream.respond({ ':status': 200 });
      stream.resume();
    });
    const client = await session(await at(app));
    const one = webSocket(client);
    await response(one);
    one.close(8);
    await eventually(() => codes.length === 1);
    expect(codes).toEqual([8]);
    const two = webSocket(client);
    await response(two);
    two.resume();
    // Node says END_STREAM first. Between the sidecars that is FIN, after which nobody sees RST who does not send.
    accepted[1].close(2);
    const sending = setInterval(() => two.writable && two.write('.'), 10);
    await new Promise(resolve => two.on('close', resolve));
    clearInterval(sending);
    // Between the sidecars it is RST in TCP, which is CANCEL (RFC 8441 §5).
    expect(two.rstCode).toBe(way === 'mesh' ? 8 : 2);
  });

  test('a client of HTTP/1.1 gets there by an upgrade, with the proof of its key', async () => {
    const app = await http2App(true, (stream, headers) => {
      stream.respond({ ':status': headers[':protocol'] === 'websocket' ? 200 : 400 });
      stream.on('data', (frame: Buffer) => {
        // A short text frame, masked by the client (RFC 6455 §5.2), goes back unmasked.
        const payload = frame.subarray(6).map((byte, i) => byte ^ frame[2 + (i % 4)]);
        stream.write(Buffer.concat([Buffer.from([0x81, payload.length]), payload]));
      });
    });
    const socket = new WebSocket(`ws://127.0.0.1:${await at(app)}/chat`, { headers: { host: 'orders' } });
    onEnd(() => socket.terminate());
    const seen: string[] = [];
    socket.on('message', data => seen.push((data as Buffer).toString()));
    // ws checks Sec-WebSocket-Accept.
    await new Promise((resolve, reject) => {
      socket.on('open', resolve);
      socket.on('error', reject);
    });
    socket.send('hello');
    await eventually(() => seen[0] === 'hello');
  });
});

describe.each(ways)('a WebSocket of HTTP/2, %s', way => {
  test('is an upgrade for an application that speaks HTTP/1.1 alone', async () => {
    const app = await tcpApp(socket => {
      socket.once('data', head => {
        const key = /sec-websocket-key: (\S+)/i.exec(head.toString())?.[1];
        socket.write(
          `HTTP/1.1 ${key === undefined ? 400 : 101} x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: a\r\n\r\n`,
        );
        if (key === undefined) socket.end();
        socket.on('data', chunk => socket.write(chunk));
        socket.on('end', () => socket.end('bye'));
      });
    });
    const stream = webSocket(await session(await reach(way, app)));
    const headers = await response(stream);
    expect([headers[':status'], headers['sec-websocket-accept']]).toEqual([200, undefined]);
    let text = '';
    stream.on('data', chunk => (text += chunk));
    stream.write('hello');
    await eventually(() => text === 'hello');
    stream.end();
    await new Promise(resolve => stream.on('end', resolve));
    expect(text).toBe('hellobye');
  });

  test('is extended CONNECT for an application that takes it, also on a port that does not declare HTTP/2', async () => {
    let protocol: unknown;
    const app = await http2App(true, (stream, headers) => {
      protocol = headers[':protocol'];
      stream.respond({ ':status': 200 });
      stream.end('hello');
    });
    const stream = webSocket(await session(await reach(way, app, { protocol: 'detect' })));
    expect((await response(stream))[':status']).toBe(200);
    expect(protocol).toBe('websocket');
  });
});

describe.each(ways)('CONNECT of HTTP/2, %s', way => {
  test('opens a tunnel at an application of HTTP/2', async () => {
    const app = await http2App(false, (stream, headers) => {
      stream.respond({ ':status': 200, 'x-target': `${headers[':authority']} ${headers[':path']}` });
      stream.on('data', chunk => stream.write(chunk));
      stream.on('end', () => stream.end('bye'));
    });
    const client = await session(await reach(way, app, { protocol: 'http2' }));
    const stream = client.request({ ':method': 'CONNECT', ':authority': 'db.shop:5432' });
    const headers = await response(stream);
    expect([headers[':status'], headers['x-target']]).toEqual([200, 'db.shop:5432 undefined']);
    let text = '';
    stream.on('data', chunk => (text += chunk));
    stream.end('hello');
    await new Promise(resolve => stream.on('end', resolve));
    expect(text).toBe('hellobye');
  });
});
