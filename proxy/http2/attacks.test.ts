/** What a hostile peer does, and how it ends: RELIABILITY.md section 2, rows C and D. */
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { startEchoServer } from '../../test/h2spec/echo-server.ts';
import { RecordedResponse } from '../http1/testing/recording-response.ts';
import { CLIENT_PREFACE } from './frame.ts';
import { type Http2Limits, TRUSTED_LIMITS } from './limits.ts';
import { ClientUnderTest, ServerUnderTest } from './testing/peers.ts';
import { block, frame, GET, headers, POST, settings, uint32 } from './testing/wire.ts';

const ENHANCE_YOUR_CALM = 11;
const ONE_OCTET = Buffer.from('x');
const PING = frame(6, 0, 0, 'abcdefgh');

/** Does something up to `most` times; returns how often until the server had enough. */
function repeat(server: ServerUnderTest, most: number, attack: (i: number) => Buffer[]): number {
  for (let i = 0; i < most; i++) {
    server.receive(...attack(i));
    if (server.transport.ended || server.transport.destroyed) return i + 1;
  }
  return most;
}

describe('floods end with GOAWAY ENHANCE_YOUR_CALM and the name of the limit:', () => {
  const open = headers(1, POST, false);
  const floods: [string, (i: number) => Buffer[], number][] = [
    ['resets', i => [headers(i * 2 + 3, GET, true), frame(3, 0, i * 2 + 3, uint32(8))], 1001],
    // The peer makes us send the reset: CVE-2025-8671, two ways.
    ['resets', i => [headers(i * 2 + 3, GET, false), frame(8, 0, i * 2 + 3, uint32(0))], 1001],
    ['resets', i => [headers(i * 2 + 3, [...GET, 'content-length', '1'], true)], 1001],
    ['emptyData', () => [frame(0, 0, 1)], 1001],
    ['emptyData', () => [frame(0, 8, 1, Buffer.from([3, 0, 0, 0]))], 1001],
    ['settings', () => [frame(4, 0, 0, settings(3, 5))], 101],
    ['pings', () => [PING], 1001],
    ['priorities', () => [frame(2, 0, 1, Buffer.from([0, 0, 0, 0, 1]))], 5001],
    ['priorities', () => [frame(0x55, 0, 1, 'unknown')], 5001],
    ['windowUpdates', () => [frame(8, 0, 0, uint32(1))], 10_001],
  ];

  it.each(floods)('%s', (limit, attack, tolerated) => {
    const server = new ServerUnderTest();
    server.receive(open);
    expect(repeat(server, 20_000, attack)).toBeLessThanOrEqual(tolerated);
    expect(server.errorOf(7)).toBe(ENHANCE_YOUR_CALM);
    expect(server.observer.limits).toContain(limit);
    expect(server.connection.active).toBe(0);
    expect(server.handler.requests[0].reset).toBe('limit');
  });

  it('and what comes slowly is no flood', () => {
    const server = new ServerUnderTest();
    server.receive(open);
    for (let second = 0; second < 60; second++) {
      for (let i = 0; i < 90; i++) {
        const id = (second * 90 + i) * 2 + 3;
        server.receive(headers(id, GET, true), frame(3, 0, id, uint32(8)), PING, frame(0, 0, 1));
      }
      server.tick(1000);
    }
    expect(server.transport.ended).toBe(false);
  });

  it('a thousand cancels a second are fine between sidecars, for a minute', () => {
    const server = new ServerUnderTest(TRUSTED_LIMITS);
    for (let second = 0; second < 60; second++) {
      for (let i = 0; i < 1000; i++) {
        const id = (second * 1000 + i) * 2 + 1;
        server.receive(headers(id, GET, true), frame(3, 0, id, uint32(8)));
      }
      server.tick(1000);
      server.handler.requests.length = 0;
      server.transport.takeText();
    }
    expect(server.transport.ended).toBe(false);
    expect(server.connection.active).toBe(0);
  });
});

describe('header blocks', () => {
  function limited(limits: Partial<Http2Limits> = {}): ServerUnderTest {
    return new ServerUnderTest(limits);
  }

  it('that never end are cut off, by frames and by octets', () => {
    const frames = limited();
    frames.receive(frame(1, 0, 1, block(...GET)));
    expect(repeat(frames, 1000, () => [frame(9, 0, 1, '')])).toBeLessThanOrEqual(65);
    expect(frames.observer.limits).toEqual(['maxContinuations']);
    expect(frames.errorOf(7)).toBe(ENHANCE_YOUR_CALM);
    const octets = limited();
    octets.receive(frame(1, 0, 1, block(...GET)));
    expect(repeat(octets, 1000, () => [frame(9, 0, 1, Buffer.alloc(16_384))])).toBeLessThanOrEqual(16);
    expect(octets.observer.limits).toEqual(['maxHeaderBlockBytes']);
    expect(octets.errorOf(7)).toBe(ENHANCE_YOUR_CALM);
  });

  it.each([
    ['octets', [...GET, 'x', 'y'.repeat(15_000)], 10_000, 'maxHeaderListBytes'],
    ['fields', [...GET, ...Array.from({ length: 240 }, () => 'x')], 65_536, 'maxFieldCount'],
    [
      'cookie crumbs',
      [...GET, ...Array.from({ length: 400 }, (_, i) => ['cookie', `${i}`]).flat()],
      5000,
      'maxFieldCount',
    ],
  ])(
    'with too many %s are answered 431, and the table and the connection stay intact',
    (_, fields, bytes, limit) => {
      const server = limited({ maxHeaderListBytes: bytes });
      // A field that enters the table behind the limit must be there afterwards.
      const indexed = Buffer.from('\x40\x05x-key\x05value', 'latin1');
      server.receive(frame(1, 5, 1, Buffer.concat([block(...fields), indexed])));
      expect(server.handler.requests).toHaveLength(0);
      expect(server.observer.limits).toEqual([limit]);
      const [answer] = server.sent();
      expect([answer.type, answer.flags, answer.payload.includes('431')]).toEqual([1, 5, true]);
      server.receive(frame(1, 5, 3, Buffer.concat([block(...GET), Buffer.from([0xbe])])));
      expect(server.handler.requests[0].head.fields).toEqual(['x-key', 'value']);
    },
  );

  it('that are bombs of indexed fields cost their octets and end the connection', () => {
    const server = limited();
    const big = Buffer.concat([Buffer.from('\x40\x01x\x7f\x81\x1e', 'latin1'), Buffer.alloc(3968, 0x61)]);
    const before = process.memoryUsage().heapUsed;
    server.receive(frame(1, 5, 1, Buffer.concat([block(...GET), big, Buffer.alloc(12_000, 0xbe)])));
    expect(server.errorOf(7)).toBe(ENHANCE_YOUR_CALM);
    expect(server.observer.limits).toEqual(['maxDecodedBytes']);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(4_000_000);
  });

  it('that are interrupted, broken or of nobody end the connection', () => {
    for (const [bytes, code] of [
      [Buffer.concat([frame(1, 0, 1, block(...GET)), PING]), 1],
      [Buffer.concat([frame(1, 0, 1, block(...GET)), frame(9, 4, 3, '')]), 1],
      [Buffer.concat([frame(1, 0, 1, block(...GET)), frame(0, 0, 1, 'x')]), 1],
      [frame(9, 4, 1, ''), 1],
      [frame(1, 5, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff])), 9],
      [headers(2, GET, true), 1],
      [headers(0, GET, true), 1],
      [frame(1, 0xd, 1, Buffer.from([200, 1, 2])), 1],
    ] as const) {
      const server = limited();
      server.receive(bytes);
      expect(server.errorOf(7)).toBe(code);
      expect(server.transport.ended).toBe(true);
    }
  });
});

describe('streams', () => {
  it('above the limit are refused, and those below it go on', () => {
    const server = new ServerUnderTest({ maxConcurrentStreams: 10 });
    for (let i = 0; i < 15; i++) server.receive(headers(i * 2 + 1, GET, true));
    expect(server.handler.requests).toHaveLength(10);
    const refused = server.sentOf(3);
    expect(refused.map(({ id, payload }) => [id, payload.readUInt32BE(0)])).toEqual(
      [21, 23, 25, 27, 29].map(id => [id, 7]),
    );
    server.handler.requests[0].stream.respond({ status: 200, fields: [], contentLength: 0 }, true);
    server.receive(headers(31, GET, true));
    expect(server.handler.requests).toHaveLength(11);
  });

  it.each([
    ['that have ended', 1, 5],
    ['that were skipped', 3, 1],
  ])('%s cannot be opened again', (_, id, code) => {
    const server = new ServerUnderTest();
    server.receive(headers(1, GET, true), headers(5, GET, true));
    for (const { stream } of server.handler.requests) {
      stream.respond({ status: 200, fields: [], contentLength: 0 }, true);
    }
    server.receive(headers(id, GET, true));
    expect(server.errorOf(7)).toBe(code);
  });

  it('with their windows shut hold what the exchange was allowed to send, and no more for octets sent singly', () => {
    const server = new ServerUnderTest();
    server.receive(frame(4, 0, 0, settings(4, 0)), headers(1, GET, true));
    const { stream } = server.handler.requests[0];
    stream.respond({ status: 200, fields: [], contentLength: -1 }, false);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 1_000_000; i++) stream.data(ONE_OCTET, false);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2_000_000);
  });
});

describe('a peer that asks and does not read', () => {
  it.each([
    ['PING', () => [PING]],
    ['SETTINGS', () => [frame(4, 0, 0)]],
    [
      'requests that are too large',
      (i: number) => [headers(i * 2 + 1, [...GET, 'x', 'y'.repeat(2000)], true)],
    ],
  ])('by %s is dropped before its answers fill the memory', (_, attack) => {
    const never = 1_000_000_000;
    const server = new ServerUnderTest({
      pings: never,
      settings: never,
      resets: never,
      maxHeaderListBytes: 1000,
      maxOutstandingBytes: 50_000,
    });
    server.transport.blocked = true;
    expect(repeat(server, 10_000, attack)).toBeLessThan(10_000);
    expect(server.transport.destroyed).toBe(true);
    expect(server.transport.output.buffered).toBeLessThan(60_000);
    expect(server.observer.limits.at(-1)).toBe('maxOutstandingBytes');
  });
});

describe('frames of the wrong length or on the wrong stream end the connection:', () => {
  it.each([
    ['PING of 7 octets', frame(6, 0, 0, 'abcdefg'), 6],
    ['PING on a stream', frame(6, 0, 1, 'abcdefgh'), 1],
    ['SETTINGS of 5 octets', frame(4, 0, 0, 'abcde'), 6],
    ['SETTINGS on a stream', frame(4, 0, 1), 1],
    ['an acknowledgement with settings', frame(4, 1, 0, settings(3, 1)), 6],
    ['RST_STREAM of 3 octets', frame(3, 0, 1, 'abc'), 6],
    ['RST_STREAM on stream 0', frame(3, 0, 0, uint32(8)), 1],
    ['RST_STREAM on an idle stream', frame(3, 0, 9, uint32(8)), 1],
    ['WINDOW_UPDATE of 3 octets', frame(8, 0, 0, 'abc'), 6],
    ['WINDOW_UPDATE on an idle stream', frame(8, 0, 9, uint32(1)), 1],
    ['GOAWAY of 7 octets', frame(7, 0, 0, 'abcdefg'), 6],
    ['GOAWAY on a stream', frame(7, 0, 1, uint32(0, 0)), 1],
    ['DATA on stream 0', frame(0, 0, 0, 'x'), 1],
    ['DATA on an idle stream', frame(0, 0, 9, 'x'), 1],
    ['DATA that is all padding and more', frame(0, 8, 1, Buffer.from([9, 0])), 1],
    ['DATA without a pad length', frame(0, 8, 1, ''), 6],
    ['PRIORITY on stream 0', frame(2, 0, 0, Buffer.alloc(5)), 1],
    ['PUSH_PROMISE', frame(5, 4, 1, uint32(2)), 1],
    ['a frame above SETTINGS_MAX_FRAME_SIZE', frame(0x33, 0, 0, Buffer.alloc(16_385)), 6],
    ['SETTINGS_MAX_FRAME_SIZE of 1', frame(4, 0, 0, settings(5, 1)), 1],
    ['SETTINGS_ENABLE_PUSH of 2', frame(4, 0, 0, settings(2, 2)), 1],
    ['SETTINGS_ENABLE_CONNECT_PROTOCOL of 2', frame(4, 0, 0, settings(8, 2)), 1],
  ] as const)('%s', (_, bytes, code) => {
    const server = new ServerUnderTest();
    server.receive(headers(1, POST, false), bytes);
    expect(server.errorOf(7)).toBe(code);
    expect(server.transport.ended).toBe(true);
    expect(server.handler.requests[0].reset).toBe('protocol-error');
    const handled = server.handler.requests.length;
    server.receive(headers(3, GET, true));
    expect(server.handler.requests).toHaveLength(handled);
  });
});

describe('a hostile server', () => {
  it.each([
    ['pings', () => [PING]],
    ['settings', () => [frame(4, 0, 0)]],
    ['emptyData', () => [frame(0, 0, 1)]],
    ['priorities', () => [frame(0xc, 0, 0, 'origin')]],
  ] as const)('floods with %s and is cut off', (limit, attack) => {
    const client = new ClientUnderTest();
    const response = new RecordedResponse();
    const head = {
      method: 'GET',
      scheme: 'http',
      authority: 'a',
      path: '/',
      upgrade: '',
      version: 20,
    } as const;
    client.connection.open({ ...head, fields: [], contentLength: 0 }, true, response);
    client.transport.turn();
    client.receive(headers(1, [':status', '200'], false));
    for (let i = 0; i < 6000 && !client.transport.ended; i++) client.receive(...attack());
    expect(client.errorOf(7)).toBe(ENHANCE_YOUR_CALM);
    expect(client.observer.limits).toContain(limit);
    expect(response.reset).toBe('limit');
  });
});

describe('while attackers come and go', () => {
  const GREETING = Buffer.concat([CLIENT_PREFACE, frame(4, 0, 0)]);
  const attacks: Buffer[] = [
    Buffer.concat(
      Array.from({ length: 500 }, (_, i) => [
        headers(i * 2 + 1, GET, true),
        frame(3, 0, i * 2 + 1, uint32(8)),
      ]).flat(),
    ),
    Buffer.concat([frame(1, 0, 1, block(...GET)), ...Array.from({ length: 100 }, () => frame(9, 0, 1, 'x'))]),
    Buffer.concat(Array.from({ length: 5000 }, () => PING)),
    Buffer.concat(
      Array.from({ length: 200 }, (_, i) => headers(i * 2 + 1, [...GET, 'x', 'y'.repeat(8000)], true)),
    ),
    Buffer.concat([
      frame(4, 0, 0, settings(4, 0)),
      ...Array.from({ length: 200 }, (_, i) => headers(i * 2 + 1, GET, true)),
    ]),
  ];

  /** One hostile connection: says all at once, reads nothing, and leaves after a while. */
  function attack(port: number, bytes: Buffer): Promise<void> {
    return new Promise(resolve => {
      const socket = connect(port, '127.0.0.1', () =>
        socket.write(Buffer.concat([GREETING, bytes]), () => socket.destroy()),
      );
      socket.pause();
      socket.on('error', () => {});
      socket.on('close', () => resolve());
    });
  }

  it('another client is served, and memory stays where it is', async () => {
    const echo = await startEchoServer();
    const client = connectHttp2(`http://127.0.0.1:${echo.port}`);
    const before = process.memoryUsage().rss;
    let running = true;
    const hostile = (async () => {
      for (let round = 0; round < 20; round++)
        await Promise.all(attacks.map(bytes => attack(echo.port, bytes)));
      running = false;
    })();
    let served = 0;
    do {
      const request = client.request({ ':path': '/' });
      const [answer] = (await once(request, 'response')) as [{ ':status': number }];
      expect(answer[':status']).toBe(200);
      request.resume();
      await once(request, 'close');
      served++;
    } while (running);
    await hostile;
    expect(served).toBeGreaterThan(5);
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
    client.destroy();
    await echo.close();
  });
});
