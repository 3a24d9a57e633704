import { describe, expect, it } from 'vitest';
import { CLIENT_PREFACE } from './frame.ts';
import { ServerUnderTest } from './testing/peers.ts';
import { block, frame, GET, headers, POST, settings, uint32 } from './testing/wire.ts';

const OK = { status: 200, fields: ['server', 'app'], contentLength: -1 };

describe('a request', () => {
  it('is delivered with its head, and its body as it arrives', () => {
    const server = new ServerUnderTest();
    server.receive(
      headers(1, [...POST, 'accept', '*/*', 'content-length', '5'], false),
      frame(0, 0, 1, 'hel'),
    );
    const [request] = server.handler.requests;
    expect(request.head).toEqual({
      method: 'POST',
      scheme: 'http',
      authority: 'a.test',
      path: '/',
      upgrade: '',
      version: 20,
      fields: ['accept', '*/*'],
      contentLength: 5,
    });
    expect(request.ended).toBe(false);
    server.receive(frame(0, 1, 1, 'lo'));
    expect(request.body).toBe('hello');
    expect(request.ended).toBe(true);
  });

  it('is the same wherever its bytes are cut', () => {
    const bytes = Buffer.concat([
      headers(1, [...POST, 'x-a', 'b'], false),
      frame(0, 0x8, 1, Buffer.concat([Buffer.from([3]), Buffer.from('hello'), Buffer.alloc(3)])),
      frame(1, 0x5, 1, block('x-trailer', 't')),
    ]);
    for (let cut = 1; cut < bytes.length; cut++) {
      const server = new ServerUnderTest();
      server.receive(bytes.subarray(0, cut));
      server.receive(bytes.subarray(cut));
      const [request] = server.handler.requests;
      expect([request.body, request.trailers, request.head.fields]).toEqual([
        'hello',
        ['x-trailer', 't'],
        ['x-a', 'b'],
      ]);
    }
  });

  it('has its cookie crumbs joined', () => {
    const server = new ServerUnderTest();
    server.receive(headers(1, [...GET, 'cookie', 'a=1', 'x', 'y', 'cookie', 'b=2', 'cookie', 'c=3'], true));
    expect(server.handler.requests[0].head.fields).toEqual(['cookie', 'a=1; b=2; c=3', 'x', 'y']);
  });

  it('takes its authority from host if there is no other, in lower case', () => {
    const server = new ServerUnderTest();
    server.receive(
      headers(1, [':method', 'GET', ':scheme', 'http', ':path', '/', 'host', 'A.Test:80'], true),
    );
    expect(server.handler.requests[0].head.authority).toBe('a.test:80');
    expect(server.handler.requests[0].head.fields).toEqual([]);
  });

  it('joins HEADERS and CONTINUATION', () => {
    const server = new ServerUnderTest();
    const whole = block(...GET, 'x-a', 'b');
    server.receive(frame(1, 1, 1, whole.subarray(0, 10)), frame(9, 0, 1, whole.subarray(10, 11)));
    expect(server.handler.requests).toHaveLength(0);
    server.receive(frame(9, 4, 1, whole.subarray(11)));
    expect(server.handler.requests[0].head.fields).toEqual(['x-a', 'b']);
    expect(server.handler.requests[0].ended).toBe(true);
  });

  it('may be a CONNECT, or an extended one (RFC 8441)', () => {
    const server = new ServerUnderTest();
    server.receive(headers(1, [':method', 'CONNECT', ':authority', 'a.test:443'], false));
    server.receive(headers(3, [':method', 'CONNECT', ':protocol', 'WebSocket', ...GET.slice(2)], false));
    const [plain, extended] = server.handler.requests.map(request => request.head);
    expect(plain).toMatchObject({
      method: 'CONNECT',
      authority: 'a.test:443',
      path: '',
      upgrade: '',
      contentLength: -1,
    });
    expect(extended).toMatchObject({ method: 'CONNECT', path: '/', upgrade: 'websocket', contentLength: -1 });
    server.handler.requests[1].stream.respond({ status: 101, fields: [], contentLength: -1 }, false);
    expect(server.sentOf(1)[0].payload[0]).toBe(0x88);
  });

  it('may be OPTIONS *', () => {
    const server = new ServerUnderTest();
    server.receive(
      headers(1, [':method', 'OPTIONS', ':scheme', 'http', ':authority', 'a.test', ':path', '*'], true),
    );
    expect(server.handler.requests[0].head.path).toBe('*');
  });
});

describe('a malformed request is reset with PROTOCOL_ERROR, and the connection goes on:', () => {
  const authority = [':authority', 'a.test'];
  const cases: [string, string[]][] = [
    ['no :method', GET.slice(2)],
    ['no :scheme', [':method', 'GET', ...authority, ':path', '/']],
    ['no :path', [':method', 'GET', ':scheme', 'http', ...authority]],
    ['no authority', [':method', 'GET', ':scheme', 'http', ':path', '/']],
    ['two :path', [...GET, ':path', '/']],
    ['an empty :path', [...GET.slice(0, 6), ':path', '']],
    ['a :path without slash', [...GET.slice(0, 6), ':path', 'a']],
    ['a :path of * that is no OPTIONS', [...GET.slice(0, 6), ':path', '*']],
    ['a :path with a blank', [...GET.slice(0, 6), ':path', '/a b']],
    ['a :path with a fragment', [...GET.slice(0, 6), ':path', '/a#b']],
    ['a :path with octets above ASCII', [...GET.slice(0, 6), ':path', '/\xe9']],
    ['a :path with LF', [...GET.slice(0, 6), ':path', '/a\nb']],
    ['a :method that is no token', [':method', 'GE T', ...GET.slice(2)]],
    ['another :scheme', [':method', 'GET', ':scheme', 'ftp', ...GET.slice(4)]],
    ['user information in :authority', [...GET.slice(0, 4), ':authority', 'u@a.test', ':path', '/']],
    ['a slash in :authority', [...GET.slice(0, 4), ':authority', 'a.test/x', ':path', '/']],
    ['an empty :authority', [...GET.slice(0, 4), ':authority', '', ':path', '/']],
    ['host that differs from :authority', [...GET, 'host', 'b.test']],
    ['two host fields', [...GET, 'host', 'a.test', 'host', 'a.test']],
    [':status', [...GET, ':status', '200']],
    ['an unknown pseudo-header field', [...GET, ':unknown', 'x']],
    ['a pseudo-header field after a regular one', [...GET.slice(2), 'x', 'y', ':method', 'GET']],
    ['an upper-case name', [...GET, 'X-Upper', 'x']],
    ['an empty name', [...GET, '', 'x']],
    ['a name with a blank', [...GET, 'a b', 'x']],
    ['a name with a colon', [...GET, 'a:b', 'x']],
    ['a value with CR', [...GET, 'x', 'a\rb']],
    ['a value with LF', [...GET, 'x', 'a\nb']],
    ['a value with NUL', [...GET, 'x', 'a\0b']],
    ['a value with a blank at its end', [...GET, 'x', 'a ']],
    ['a value with a tab at its beginning', [...GET, 'x', '\ta']],
    ['connection', [...GET, 'connection', 'close']],
    ['keep-alive', [...GET, 'keep-alive', 'x']],
    ['proxy-connection', [...GET, 'proxy-connection', 'x']],
    ['transfer-encoding', [...GET, 'transfer-encoding', 'chunked']],
    ['upgrade', [...GET, 'upgrade', 'h2c']],
    ['te other than trailers', [...GET, 'te', 'trailers, deflate']],
    ['two content-length fields', [...GET, 'content-length', '0', 'content-length', '0']],
    ['a content-length that is no number', [...GET, 'content-length', '+1']],
    ['a content-length of several', [...GET, 'content-length', '1,1']],
    ['an empty content-length', [...GET, 'content-length', '']],
    ['a content-length without a body', [...GET, 'content-length', '1']],
    ['CONNECT with :path', [':method', 'CONNECT', ':authority', 'a.test:1', ':path', '/']],
    ['CONNECT without a port', [':method', 'CONNECT', ':authority', 'a.test']],
    [':protocol without CONNECT', [...GET, ':protocol', 'websocket']],
    [
      'extended CONNECT without :path',
      [':method', 'CONNECT', ':protocol', 'w', ':scheme', 'http', ...authority],
    ],
  ];

  it.each(cases)('%s', (_, fields) => {
    const server = new ServerUnderTest();
    server.receive(headers(1, fields, true));
    expect(server.handler.requests).toHaveLength(0);
    expect(server.sent()).toMatchObject([{ type: 3, id: 1, payload: uint32(1) }]);
    server.receive(headers(3, GET, true));
    expect(server.handler.requests).toHaveLength(1);
  });

  it.each([
    ['more body than content-length', frame(0, 0, 1, 'abcd')],
    ['less body than content-length', frame(0, 1, 1, 'ab')],
    ['less body and then trailers', frame(1, 5, 1, block('x', 'y'))],
    ['trailers without END_STREAM', frame(1, 4, 1, block('x', 'y'))],
    ['a pseudo-header field in trailers', frame(1, 5, 1, block(':path', '/'))],
  ])('%s', (_, bytes) => {
    const server = new ServerUnderTest();
    server.receive(headers(1, [...POST, 'content-length', '3'], false), bytes);
    expect(server.handler.requests[0].reset).toBe('protocol-error');
    expect(server.errorOf(3)).toBe(1);
    server.receive(headers(3, GET, true));
    expect(server.handler.requests).toHaveLength(2);
  });
});

describe('a response', () => {
  it('is sent as HEADERS, DATA and trailers', () => {
    const server = new ServerUnderTest();
    server.receive(headers(1, GET, true));
    const { stream } = server.handler.requests[0];
    stream.informational(103, ['link', '<x>']);
    stream.respond(OK, false);
    stream.data(Buffer.from('hello'), false);
    stream.trailers(['grpc-status', '0']);
    const sent = server.sent();
    expect(sent.map(({ type, flags }) => [type, flags])).toEqual([
      [1, 4],
      [1, 4],
      [0, 0],
      [1, 5],
    ]);
    expect(server.handler.requests[0].sent).toBe(1);
    expect(server.connection.active).toBe(0);
  });

  it('begins with the size of the table if the client has made it smaller (RFC 7541 §4.2)', () => {
    const server = new ServerUnderTest();
    server.receive(frame(4, 0, 0, settings(1, 0)), headers(1, GET, true));
    server.handler.requests[0].stream.respond(OK, true);
    const [ack, head] = server.sent();
    expect(ack).toMatchObject({ type: 4, flags: 1 });
    expect(head).toMatchObject({ type: 1, flags: 5, id: 1 });
    expect([...head.payload.subarray(0, 2)]).toEqual([0x20, 0x88]);
  });

  it('is cut at the frame size of the client, head and body', () => {
    const server = new ServerUnderTest();
    server.receive(headers(1, GET, true));
    const { stream } = server.handler.requests[0];
    stream.respond({ status: 200, fields: ['x-long', 'a'.repeat(40_000)], contentLength: -1 }, false);
    stream.data(Buffer.alloc(40_000, 1), true);
    const sent = server.sent();
    expect(sent.map(({ type, payload }) => [type, payload.length])).toEqual([
      [1, 16_384],
      [9, 16_384],
      [9, expect.any(Number)],
      [0, 16_384],
      [0, 16_384],
      [0, 40_000 - 2 * 16_384],
    ]);
    expect(sent[2].flags).toBe(4);
    expect(sent[5].flags).toBe(1);
  });

  it('that ends before its request asks the client to stop', () => {
    const server = new ServerUnderTest();
    server.receive(headers(1, POST, false));
    server.handler.requests[0].stream.respond(OK, true);
    expect(server.sent().map(({ type }) => type)).toEqual([1, 3]);
    server.receive(frame(0, 0, 1, 'late'), frame(1, 5, 1, block('x', 'late')));
    expect(server.sent()).toEqual([]);
    expect(server.handler.requests[0]).toMatchObject({ reset: null, body: '', sent: 1 });
  });

  it.each([
    ['refused', 7],
    ['cancelled', 8],
    ['connection-closed', 2],
    ['protocol-error', 2],
    ['internal-error', 2],
    ['limit', 11],
    ['timeout', 8],
  ] as const)('that is reset for %s says %d', (reason, code) => {
    const server = new ServerUnderTest();
    server.receive(headers(1, GET, true));
    server.handler.requests[0].stream.reset(reason);
    expect(server.errorOf(3)).toBe(code);
    expect(server.handler.requests[0].reset).toBeNull();
  });
});

describe('flow control', () => {
  it('gives credit back when half of a window has been consumed', () => {
    const server = new ServerUnderTest({ streamWindowBytes: 100_000 }, { autoConsume: false });
    server.receive(headers(1, POST, false));
    for (let i = 0; i < 6; i++) server.receive(frame(0, 0, 1, Buffer.alloc(10_000)));
    const { stream } = server.handler.requests[0];
    stream.consumed(49_999);
    expect(server.sent()).toEqual([]);
    stream.consumed(1);
    expect(server.sent()).toMatchObject([{ type: 8, id: 1, payload: uint32(50_000) }]);
  });

  it('lets the window of a stream grow while its octets are passed on, as far as the connection has room', () => {
    const limits = { maxConcurrentStreams: 2, streamWindowBytes: 65_536, maxStreamWindowBytes: 200_000 };
    // Two initial windows, half as much again as credit that is gathered, and 150,000.
    const connectionWindowBytes = 2 * (2 * 65_536 + 150_000);
    const server = new ServerUnderTest({ ...limits, connectionWindowBytes }, { autoConsume: false });
    server.receive(headers(1, POST, false), headers(3, POST, false));
    const [one, other] = server.handler.requests.map(({ stream }) => stream);
    const send = (id: number) => {
      for (let i = 0; i < 2; i++) server.receive(frame(0, 0, id, Buffer.alloc(16_384)));
    };
    send(1);
    one.consumed(32_768);
    expect(server.sent()).toMatchObject([{ type: 8, id: 1, payload: uint32(32_768 + 134_464) }]);
    send(3);
    other.consumed(32_768);
    expect(server.sent()).toMatchObject([{ type: 8, id: 3, payload: uint32(32_768 + 15_536) }]);
    one.reset('cancelled');
    server.sent();
    server.receive(headers(5, POST, false));
    send(5);
    server.handler.requests[2].stream.consumed(32_768);
    expect(server.sent()).toMatchObject([{ type: 8, id: 5, payload: uint32(32_768 + 134_464) }]);
  });

  it('gives no credit for more than the announced rest of a body', () => {
    const server = new ServerUnderTest({ streamWindowBytes: 65_536 }, { autoConsume: false });
    server.receive(headers(1, [...POST, 'content-length', '65536'], false));
    server.receive(headers(3, [...POST, 'content-length', '65537'], false));
    for (const { stream } of server.handler.requests) {
      for (let i = 0; i < 3; i++) {
        server.receive(
          frame(0, 0, stream === server.handler.requests[0].stream ? 1 : 3, Buffer.alloc(16_384)),
        );
        stream.consumed(16_384);
      }
    }
    expect(server.sent().map(({ type, id }) => [type, id])).toEqual([[8, 3]]);
  });

  it('resets a stream that sends beyond its window, and ends a connection that does', () => {
    const server = new ServerUnderTest({ streamWindowBytes: 65_535 }, { autoConsume: false });
    server.receive(headers(1, POST, false), headers(3, POST, false));
    for (let i = 0; i < 4; i++) server.receive(frame(0, 0, 1, Buffer.alloc(16_384)));
    expect(server.errorOf(3)).toBe(3);
    const small = new ServerUnderTest({ connectionWindowBytes: 65_535 }, { autoConsume: false });
    small.receive(headers(1, POST, false));
    for (let i = 0; i < 4; i++) small.receive(frame(0, 0, 1, Buffer.alloc(16_384)));
    expect(small.errorOf(7)).toBe(3);
  });

  it('returns the credit of the connection for bodies that nobody takes', () => {
    const server = new ServerUnderTest({ connectionWindowBytes: 65_536 }, { autoConsume: false });
    server.receive(headers(1, POST, false), frame(0, 0, 1, Buffer.alloc(16_000)));
    server.receive(frame(0, 0, 1, Buffer.alloc(16_000)));
    server.handler.requests[0].stream.reset('cancelled');
    expect(server.sentOf(8)).toHaveLength(0);
    server.receive(frame(0, 8, 1, Buffer.from([9, ...Buffer.alloc(800)])));
    expect(server.sentOf(8)).toMatchObject([{ id: 0, payload: uint32(32_801) }]);
  });

  it('holds what does not fit, and sends it as windows open', () => {
    const server = new ServerUnderTest();
    server.receive(frame(4, 0, 0, settings(4, 10)), headers(1, GET, true));
    const [request] = server.handler.requests;
    request.stream.respond(OK, false);
    expect(request.stream.data(Buffer.from('0123456789abcdef'), false)).toBe(false);
    expect(request.stream.data(Buffer.from('gh'), false)).toBe(false);
    request.stream.trailers(['x', 'y']);
    expect(server.sentOf(0).map(({ payload }) => payload.toString())).toEqual(['0123456789']);
    server.receive(frame(8, 0, 1, uint32(3)));
    expect(server.sentOf(0).map(({ payload }) => payload.toString())).toEqual(['abc']);
    expect(request.writable).toBe(0);
    server.receive(frame(4, 0, 0, settings(4, 100)));
    expect(server.sent().map(({ type, flags }) => [type, flags])).toEqual([
      [4, 1],
      [0, 0],
      [1, 5],
    ]);
  });

  it('tells a blocked sender when there is room', () => {
    const server = new ServerUnderTest();
    server.receive(frame(4, 0, 0, settings(4, 0)), headers(1, GET, true));
    const [request] = server.handler.requests;
    request.stream.respond(OK, false);
    expect(request.stream.data(Buffer.from('abc'), false)).toBe(false);
    server.receive(frame(8, 0, 1, uint32(2)));
    expect(request.writable).toBe(0);
    server.receive(frame(8, 0, 1, uint32(10)));
    expect(request.writable).toBe(1);
  });

  it('lets streams take turns', () => {
    const server = new ServerUnderTest();
    for (const id of [1, 3, 5]) server.receive(headers(id, GET, true));
    for (const { stream } of server.handler.requests) {
      stream.respond(OK, false);
      stream.data(Buffer.alloc(60_000, 1), true);
    }
    server.sent();
    server.receive(frame(8, 0, 0, uint32(200_000)));
    const order = server.sentOf(0).map(({ id }) => id);
    expect(order.slice(0, 4)).toEqual([3, 5, 3, 5]);
  });

  it('does not write what the operating system does not take', () => {
    const server = new ServerUnderTest();
    server.receive(
      frame(4, 0, 0, settings(4, 1_000_000)),
      frame(8, 0, 0, uint32(1_000_000)),
      headers(1, GET, true),
    );
    const [request] = server.handler.requests;
    server.transport.blocked = true;
    request.stream.respond(OK, false);
    let accepted = 0;
    while (request.stream.data(Buffer.alloc(16_384), false)) accepted++;
    expect(accepted).toBeLessThan(10);
    server.transport.turn();
    server.transport.blocked = false;
    server.transport.take();
    expect(request.writable).toBe(1);
  });

  it.each([
    ['a window of the connection', frame(8, 0, 0, uint32(0x7fffffff)), 7, 3],
    ['a window of a stream', frame(8, 0, 1, uint32(0x7fffffff)), 3, 3],
    ['an increment of 0', frame(8, 0, 1, uint32(0)), 3, 1],
    ['an increment of 0 for the connection', frame(8, 0, 0, uint32(0)), 7, 1],
    ['an initial window', frame(4, 0, 0, settings(4, 0x80000000)), 7, 3],
  ] as const)('refuses %s that is out of range', (_, bytes, type, code) => {
    const server = new ServerUnderTest();
    server.receive(headers(1, POST, false), bytes);
    expect(server.errorOf(type)).toBe(code);
  });

  it('refuses an initial window that makes an open stream overflow', () => {
    const server = new ServerUnderTest();
    server.receive(headers(1, POST, false), frame(8, 0, 1, uint32(0x7fffffff - 65_535)));
    server.receive(frame(4, 0, 0, settings(4, 65_536)));
    expect(server.errorOf(7)).toBe(3);
  });
});

describe('the connection', () => {
  it('says its SETTINGS first, and takes the preface octet by octet', () => {
    const server = new ServerUnderTest({}, {}, false);
    const [first, second] = server.sent();
    expect([first.type, first.id, second.type, second.id]).toEqual([4, 0, 8, 0]);
    for (const octet of Buffer.concat([CLIENT_PREFACE, frame(4, 0, 0), headers(3, GET, true)])) {
      server.receive(Buffer.from([octet]));
    }
    expect(server.handler.requests).toHaveLength(1);
  });

  it.each([
    ['HTTP/1.1', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a preface with an error at its end', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\rX')],
    ['another frame before SETTINGS', Buffer.concat([CLIENT_PREFACE, frame(6, 0, 0, 'abcdefgh')])],
    ['an acknowledgement before SETTINGS', Buffer.concat([CLIENT_PREFACE, frame(4, 1, 0)])],
  ])('refuses %s', (_, bytes) => {
    const server = new ServerUnderTest({}, {}, false);
    server.receive(bytes);
    expect(server.errorOf(7)).toBe(1);
    expect(server.transport.ended).toBe(true);
  });

  it('tells streams that the client is gone', () => {
    const server = new ServerUnderTest();
    server.receive(headers(1, POST, false), headers(3, POST, false), frame(3, 0, 1, uint32(8)));
    expect(server.handler.requests.map(request => request.reset)).toEqual(['cancelled', null]);
    server.connection.closed('connection-closed');
    expect(server.handler.requests.map(request => request.reset)).toEqual(['cancelled', 'connection-closed']);
  });

  it('does not say that a response was sent which the operating system has not taken', () => {
    const server = new ServerUnderTest();
    server.receive(headers(1, GET, true));
    server.transport.blocked = true;
    server.handler.requests[0].stream.respond(OK, true);
    server.transport.turn();
    expect(server.handler.requests[0].sent).toBe(0);
    server.connection.closed('connection-closed');
    expect(server.handler.requests[0]).toMatchObject({ sent: 0, reset: 'connection-closed' });
  });

  it('serves in a drain what a client opens a moment after its library has answered the PING', () => {
    const server = new ServerUnderTest({ drainGraceMs: 1000 });
    server.connection.drain();
    const [, ping] = server.sent();
    server.receive(frame(6, 1, 0, ping.payload));
    server.tick(999);
    server.receive(headers(1, GET, true));
    expect(server.handler.requests).toHaveLength(1);
    expect(server.sent()).toEqual([]);
    server.tick(1);
    expect(server.sent()).toMatchObject([{ type: 7, payload: uint32(1, 0) }]);
    server.handler.requests[0].stream.respond(OK, true);
    expect(server.transport.ended).toBe(true);
  });

  it('drains in two steps and loses no request that was on its way', () => {
    const server = new ServerUnderTest({ drainGraceMs: 0 });
    server.receive(headers(1, POST, false));
    server.connection.drain();
    const [first, ping] = server.sent();
    expect(first).toMatchObject({ type: 7, payload: uint32(0x7fffffff, 0) });
    expect(ping.type).toBe(6);
    server.receive(headers(3, GET, true), frame(6, 1, 0, ping.payload));
    expect(server.handler.requests).toHaveLength(2);
    expect(server.sent()).toMatchObject([{ type: 7, payload: uint32(3, 0) }]);
    server.receive(headers(5, GET, true));
    expect(server.handler.requests).toHaveLength(2);
    for (const { stream } of server.handler.requests) stream.respond(OK, true);
    expect(server.transport.ended).toBe(true);
  });

  it('does not wait for ever for the answer to the PING of a drain', () => {
    const server = new ServerUnderTest();
    server.connection.drain();
    server.tick(4999);
    expect(server.transport.ended).toBe(false);
    server.tick(1);
    expect(server.transport.ended).toBe(true);
  });

  it('answers PING, ignores what it does not know', () => {
    const server = new ServerUnderTest();
    server.receive(
      frame(6, 0, 0, 'abcdefgh'),
      frame(0x77, 0xff, 3, 'whatever'),
      frame(4, 0, 0, settings(0x99, 7)),
    );
    expect(server.sent()).toMatchObject([
      { type: 6, flags: 1, payload: Buffer.from('abcdefgh') },
      { type: 4, flags: 1 },
    ]);
  });
});

describe('timeouts', () => {
  it('ends an idle connection', () => {
    const server = new ServerUnderTest({ idleTimeoutMs: 1000 });
    server.receive(headers(1, GET, true));
    server.tick(5000);
    expect(server.transport.ended).toBe(false);
    server.handler.requests[0].stream.respond(OK, true);
    server.tick(999);
    expect(server.transport.ended).toBe(false);
    server.tick(1);
    expect(server.errorOf(7)).toBe(0);
    expect(server.transport.ended).toBe(true);
  });

  it('resets a stream on which nothing moves', () => {
    const server = new ServerUnderTest({ streamIdleTimeoutMs: 1000 });
    server.receive(headers(1, POST, false), headers(3, POST, false));
    server.tick(600);
    server.receive(frame(0, 0, 3, 'x'));
    server.tick(600);
    expect(server.handler.requests.map(request => request.reset)).toEqual(['timeout', null]);
    expect(server.errorOf(3)).toBe(8);
  });

  it('leaves a request alone that is complete and waits for its answer', () => {
    const server = new ServerUnderTest({ streamIdleTimeoutMs: 1000 });
    server.receive(headers(1, GET, true));
    server.tick(5000);
    expect(server.handler.requests[0].reset).toBeNull();
  });

  it('leaves an answer alone that has begun and is quiet, whether the request is complete or not', () => {
    const server = new ServerUnderTest({ streamIdleTimeoutMs: 1000 });
    server.receive(headers(1, GET, true), headers(3, POST, false));
    for (const { stream } of server.handler.requests) stream.respond(OK, false);
    server.tick(3_600_000);
    expect(server.handler.requests.map(request => request.reset)).toEqual([null, null]);
  });

  it('leaves a tunnel alone', () => {
    const server = new ServerUnderTest({ streamIdleTimeoutMs: 1000 });
    server.receive(headers(1, [':method', 'CONNECT', ':authority', 'a.test:443'], false));
    const [request] = server.handler.requests;
    request.stream.respond({ status: 200, fields: [], contentLength: -1 }, false);
    server.tick(5000);
    expect(request.reset).toBeNull();
  });

  it('resets a stream whose window the client keeps shut', () => {
    const server = new ServerUnderTest({ flushStallMs: 1000 });
    server.receive(frame(4, 0, 0, settings(4, 0)), headers(1, GET, true));
    const [request] = server.handler.requests;
    request.stream.respond(OK, false);
    request.stream.data(Buffer.alloc(10), true);
    server.tick(999);
    expect(request.reset).toBeNull();
    server.tick(1);
    expect(request.reset).toBe('timeout');
    expect(server.observer.limits).toEqual(['flushStallMs']);
  });

  it('drops a connection whose bytes nobody takes', () => {
    const server = new ServerUnderTest({ flushStallMs: 1000 });
    server.receive(headers(1, POST, false));
    server.transport.blocked = true;
    server.receive(frame(6, 0, 0, 'abcdefgh'));
    server.transport.turn();
    server.tick(500);
    server.tick(999);
    expect(server.transport.destroyed).toBe(false);
    server.tick(1);
    expect(server.transport.destroyed).toBe(true);
    expect(server.handler.requests[0].reset).toBe('timeout');
  });

  it('drops a client that sends no SETTINGS', () => {
    const server = new ServerUnderTest({ prefaceTimeoutMs: 1000 }, {}, false);
    server.receive(CLIENT_PREFACE);
    server.tick(999);
    expect(server.transport.destroyed).toBe(false);
    server.tick(1);
    expect(server.transport.destroyed).toBe(true);
    const greeted = new ServerUnderTest({ prefaceTimeoutMs: 1000 });
    greeted.tick(1000);
    expect(greeted.transport.destroyed).toBe(false);
  });

  it.each([
    ['a frame', Buffer.from([0, 0, 50, 1, 5, 0, 0, 0, 1, 0x82])],
    ['a header block', frame(1, 1, 1, block(...GET))],
  ])('drops a client that begins %s and does not end it', (_, bytes) => {
    const server = new ServerUnderTest({ headerTimeoutMs: 3000 });
    server.receive(bytes);
    for (let second = 0; second < 3; second++) server.tick(1000);
    if (bytes.length < 20) server.tick(1000);
    expect(server.transport.destroyed).toBe(true);
    expect(server.observer.limits).toEqual(['headerTimeoutMs']);
  });

  it('does not mistake a busy connection for a slow one', () => {
    const server = new ServerUnderTest({ headerTimeoutMs: 3000 });
    const bytes = headers(1, GET, true);
    server.receive(bytes.subarray(0, 12));
    for (let id = 3; id < 30; id += 2) {
      server.tick(1000);
      server.receive(bytes.subarray(12), headers(id, GET, true).subarray(0, 12));
    }
    expect(server.transport.destroyed).toBe(false);
  });

  it('finds a dead peer by PING, and measures the round trip of a live one', () => {
    const server = new ServerUnderTest({ keepaliveMs: 1000, keepaliveTimeoutMs: 500, keepaliveIdleMs: 1000 });
    server.tick(1000);
    const [ping] = server.sentOf(6);
    server.now += 7;
    server.receive(frame(6, 1, 0, ping.payload));
    expect(server.observer.roundTrips).toEqual([7]);
    server.tick(1000);
    expect(server.sentOf(6)).toHaveLength(1);
    server.tick(499);
    expect(server.transport.destroyed).toBe(false);
    server.tick(1);
    expect(server.transport.destroyed).toBe(true);
    expect(server.observer.limits).toEqual(['keepaliveTimeoutMs']);
  });

  it('destroys a connection whose other end does not close it', () => {
    const server = new ServerUnderTest({ closeTimeoutMs: 1000 });
    server.receive(frame(0, 0, 1, 'x'));
    expect(server.transport.ended).toBe(true);
    server.tick(999);
    expect(server.transport.destroyed).toBe(false);
    server.tick(1);
    expect(server.transport.destroyed).toBe(true);
  });
});
