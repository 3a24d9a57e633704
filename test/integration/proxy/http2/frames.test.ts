import { describe, expect, test } from 'vitest';
import { TcpClient } from '../apps.ts';
import { reach, ways } from '../ways.ts';
import { frame, framesApp, ok } from './frames-app.ts';
import { http2Answer, http2App, http2Session } from './peers.ts';

describe.each(ways)('frames, %s', way => {
  const at = (app: number) => reach(way, app, { protocol: 'http2' });

  test('heads that need CONTINUATION arrive whole, both ways, many times over', async () => {
    const app = await http2App((stream, headers) => {
      stream.respond({ ':status': 200, 'x-large': headers['x-large'], 'x-many': headers['x-many'] });
      stream.end();
    });
    const client = await http2Session(await at(app.port));
    for (let i = 0; i < 5; i++) {
      const large = Buffer.alloc(30_000, `value ${i} `).toString().trim();
      const many = Array.from({ length: 60 }, (_, k) => `${i}.${k}`.repeat(40));
      const { status, headers } = await http2Answer(
        client.request({ ':path': '/', 'x-large': large, 'x-many': many }),
      );
      expect([status, headers['x-large'], headers['x-many']]).toEqual([200, large, many.join(', ')]);
    }
  });

  test('a head above the limit is refused by itself', async () => {
    const app = await http2App(stream => stream.respond({ ':status': 200 }, { endStream: true }));
    const client = await http2Session(await at(app.port), { maxSendHeaderBlockLength: 500_000 });
    const refused = await http2Answer(client.request({ ':path': '/', 'x-large': 'x'.repeat(100_000) }));
    expect(refused.status).toBe(431);
    expect((await http2Answer(client.request({ ':path': '/' }))).status).toBe(200);
  });

  test('an application that greets later than a connection may take is slow, not gone', async () => {
    // Longer than the connect timeout of the tests' clusters.
    const lateMs = 1500;
    const app = await framesApp((stream, write) => setTimeout(() => write(ok(stream)), lateMs), lateMs);
    const client = await http2Session(await at(app));
    expect((await http2Answer(client.request({ ':path': '/' }))).status).toBe(200);
  });

  test('PING comes back with its payload, also while a body is on its way', async () => {
    const app = await http2App(stream => {
      stream.respond({ ':status': 200 });
      stream.end(Buffer.alloc(1_000_000));
    });
    const client = await http2Session(await at(app.port));
    const answer = http2Answer(client.request({ ':path': '/' }));
    const payload = Buffer.from('12345678');
    const echoed = await new Promise<Buffer>((resolve, reject) =>
      client.ping(payload, (error, _ms, bytes) => (error === null ? resolve(bytes) : reject(error))),
    );
    expect(echoed.equals(payload)).toBe(true);
    expect((await answer).body.length).toBe(1_000_000);
  });

  test('priorities and frames of unknown types change nothing', async () => {
    let requests = 0;
    const app = await http2App((stream, headers) => {
      requests++;
      stream.respond({ ':status': 200, 'x-priority': headers['priority'] ?? '' });
      stream.end('hello');
    });
    const client = new TcpClient(await at(app.port));
    const request = [0x82, 0x86, 0x84, 0x41, 6, ...Buffer.from('orders')];
    client.socket.write(
      Buffer.concat([
        Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
        frame(4, 0, 0, []),
        // PRIORITY (RFC 9113 §6.3) of streams that are idle, in a circle, exclusive.
        frame(2, 0, 1, [0x80, 0, 0, 3, 200]),
        frame(2, 0, 3, [0, 0, 0, 1, 1]),
        // PRIORITY_UPDATE (RFC 9218 §7.1), ALTSVC, ORIGIN, and a type that nobody has defined.
        frame(0x10, 0, 0, [0, 0, 0, 1, ...Buffer.from('u=0, i')]),
        frame(0x0a, 0, 0, [0, 0, 1]),
        frame(0x0c, 0, 0, []),
        frame(0xee, 0xff, 0, [1, 2, 3]),
        // HEADERS with padding and priority: END_STREAM, END_HEADERS, PADDED, PRIORITY.
        frame(1, 0x2d, 1, [4, 0, 0, 0, 3, 15, ...request, 0, 0, 0, 0]),
        // The field `priority` of RFC 9218 is the application's.
        frame(1, 0x05, 3, [...request, 0, 8, ...Buffer.from('priority'), 3, ...Buffer.from('u=1')]),
        frame(2, 0, 1, [0, 0, 0, 5, 0]),
      ]),
    );
    await client.until(({ text }) => text.split('hello').length === 3);
    expect(requests).toBe(2);
    expect(client.text).toContain('u=1');
    expect(client.ended || client.closed).toBe(false);
  });

  test('fields, trailers and informational answers pass as they are', async () => {
    const app = await http2App((stream, headers) => {
      stream.additionalHeaders({ ':status': 103, link: '</a>; rel=preload' });
      stream.respond({ ':status': 200, 'set-cookie': ['a=1', 'b=2'] }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '7' }));
      stream.end(JSON.stringify([headers['cookie'], headers['x-bin'], headers['te']]));
    });
    const client = await http2Session(await at(app.port));
    const stream = client.request({ ':path': '/', cookie: 'x=1; y=2', 'x-bin': 'a  b', te: 'trailers' });
    let early: unknown;
    stream.on('headers', fields => (early = [fields[':status'], fields['link']]));
    const answer = await http2Answer(stream);
    expect(early).toEqual([103, '</a>; rel=preload']);
    expect(JSON.parse(answer.body.toString())).toEqual(['x=1; y=2', 'a  b', 'trailers']);
    expect([answer.headers['set-cookie'], answer.trailers['x-sum']]).toEqual([['a=1', 'b=2'], '7']);
  });
});
