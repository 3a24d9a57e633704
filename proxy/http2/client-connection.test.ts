import { describe, expect, it } from 'vitest';
import type { RequestHead } from '../exchange/stream.ts';
import { RecordedResponse } from '../http1/testing/recording-response.ts';
import { ClientUnderTest } from './testing/peers.ts';
import { block, frame, headers, settings, uint32 } from './testing/wire.ts';

function request(changes: Partial<RequestHead> = {}): RequestHead {
  return {
    method: 'GET',
    scheme: 'http',
    authority: 'a.test',
    path: '/',
    upgrade: '',
    version: 20,
    fields: [],
    contentLength: 0,
    ...changes,
  };
}

function open(client: ClientUnderTest, changes: Partial<RequestHead> = {}, end = true): RecordedResponse {
  const response = new RecordedResponse();
  response.stream = client.connection.open(request(changes), end, response);
  return response;
}

/** Runs what was put off to the end of the turn. */
async function settled(): Promise<void> {
  await Promise.resolve();
}

const OK = [':status', '200'];

describe('a request', () => {
  it('is sent with the next odd identifier', () => {
    const client = new ClientUnderTest();
    open(client);
    open(client, { method: 'POST', contentLength: 3 }, false).stream!.data(Buffer.from('abc'), true);
    expect(client.sent().map(({ type, flags, id }) => [type, flags, id])).toEqual([
      [1, 5, 1],
      [1, 4, 3],
      [0, 1, 3],
    ]);
    expect(client.connection.active).toBe(2);
  });

  it('with upgrade is an extended CONNECT, and 200 to it is told as 101', async () => {
    const client = new ClientUnderTest({}, [8, 1]);
    const response = open(client, { upgrade: 'websocket', path: '/chat' }, false);
    const [sent] = client.sent();
    // :method CONNECT as a literal with the static name 2.
    expect(sent.payload.subarray(0, 9)).toEqual(Buffer.from('\x02\x07CONNECT', 'latin1'));
    client.receive(headers(1, OK, false), frame(0, 0, 1, 'raw'));
    expect(response.head).toEqual({ status: 101, fields: [], contentLength: -1 });
    expect(response.body).toBe('raw');
    const without = new ClientUnderTest();
    const refused = open(without, { upgrade: 'websocket' }, false);
    await settled();
    expect(refused.reset).toBe('refused');
    expect(without.sent()).toEqual([]);
  });

  it('whose header list is above the limit of the server is not sent', async () => {
    const client = new ClientUnderTest({}, [6, 1000]);
    const response = open(client, { fields: ['x', 'y'.repeat(1000)] });
    expect(response.reset).toBeNull();
    await settled();
    expect(response.reset).toBe('limit');
    expect(client.sent()).toEqual([]);
    expect(client.connection.active).toBe(0);
  });
});

describe('a response', () => {
  it('is delivered: interim, head, body, trailers', () => {
    const client = new ClientUnderTest();
    const response = open(client);
    client.receive(
      headers(1, [':status', '103', 'link', '<x>'], false),
      headers(1, [...OK, 'content-length', '5'], false),
    );
    expect(response.informational).toEqual([103]);
    expect(response.head).toEqual({ status: 200, fields: [], contentLength: 5 });
    client.receive(frame(0, 0, 1, 'hello'), frame(1, 5, 1, block('grpc-status', '0')));
    expect([response.body, response.trailers]).toEqual(['hello', ['grpc-status', '0']]);
    expect(client.connection.active).toBe(0);
  });

  it.each([
    ['HEAD', 200, ['content-length', '10'], 10],
    ['HEAD', 200, [], -1],
    ['GET', 304, ['content-length', '10'], 10],
    ['GET', 204, [], 0],
    ['GET', 200, [], 0],
    ['GET', 200, ['content-length', '0'], 0],
  ] as const)('to %s with %d and %j has the length %d', (method, status, fields, length) => {
    const client = new ClientUnderTest();
    const response = open(client, { method });
    client.receive(headers(1, [':status', String(status), ...fields], true));
    expect(response.head).toMatchObject({ status, contentLength: length });
    expect(response.ended).toBe(true);
  });

  it.each([
    ['no :status', headers(1, ['x', 'y'], true)],
    [':status 101', headers(1, [':status', '101'], false)],
    [':status 99', headers(1, [':status', '099'], true)],
    [':status 600', headers(1, [':status', '600'], true)],
    [':status of four digits', headers(1, [':status', '2000'], true)],
    [':path', headers(1, [...OK, ':path', '/'], true)],
    ['an interim response that ends the stream', headers(1, [':status', '100'], true)],
    ['a content-length without a body', headers(1, [...OK, 'content-length', '1'], true)],
    ['connection', headers(1, [...OK, 'connection', 'close'], true)],
    ['DATA before the head', frame(0, 0, 1, 'x')],
    ['DATA that ends the stream before the head', frame(0, 1, 1, 'x')],
  ])('with %s is malformed', (_, bytes) => {
    const client = new ClientUnderTest();
    const response = open(client);
    client.receive(bytes);
    expect(response.reset).toBe('protocol-error');
    expect(response.head).toBeNull();
    expect(client.errorOf(3)).toBe(1);
    expect(client.connection.capacity).toBeGreaterThan(0);
  });

  it('to HEAD must not have a body', () => {
    const client = new ClientUnderTest();
    const response = open(client, { method: 'HEAD' });
    client.receive(headers(1, [...OK, 'content-length', '3'], false), frame(0, 1, 1, 'abc'));
    expect(response.reset).toBe('protocol-error');
  });

  it('may end before its request, and NO_ERROR then takes nothing away', () => {
    const client = new ClientUnderTest();
    const response = open(client, { method: 'POST', contentLength: -1 }, false);
    client.receive(headers(1, OK, true), frame(3, 0, 1, uint32(0)));
    expect([response.ended, response.reset]).toEqual([true, null]);
    expect(response.stream!.data(Buffer.from('x'), false)).toBe(true);
    expect(client.sent().filter(({ type }) => type === 0)).toEqual([]);
  });

  it.each([
    [7, 'refused'],
    [8, 'cancelled'],
    [0, 'internal-error'],
    [2, 'internal-error'],
    [11, 'internal-error'],
    [0x1234, 'internal-error'],
  ] as const)('that is reset with code %d means %s', (code, reason) => {
    const client = new ClientUnderTest();
    const response = open(client);
    client.receive(frame(3, 0, 1, uint32(code)));
    expect(response.reset).toBe(reason);
  });

  it('has limits: interim responses, fields, octets', () => {
    const client = new ClientUnderTest({ maxInformational: 2, maxFieldCount: 10, maxHeaderListBytes: 1000 });
    const interim = open(client);
    for (let i = 0; i < 3; i++) client.receive(headers(1, [':status', '100'], false));
    expect([interim.informational, interim.reset]).toEqual([[100, 100], 'limit']);
    const many = open(client);
    client.receive(headers(3, [...OK, ...Array.from({ length: 20 }, () => 'x')], true));
    const long = open(client);
    client.receive(headers(5, [...OK, 'x', 'y'.repeat(1000)], true));
    expect([many.reset, long.reset]).toEqual(['limit', 'limit']);
    expect(client.observer.limits).toEqual(['maxInformational', 'maxFieldCount', 'maxHeaderListBytes']);
    const next = open(client);
    client.receive(headers(7, OK, true));
    expect(next.ended).toBe(true);
  });

  it('that comes after its cancellation is ignored, and its octets are given back', () => {
    const client = new ClientUnderTest({ connectionWindowBytes: 65_535 });
    const response = open(client);
    response.stream!.reset('cancelled');
    expect(client.errorOf(3)).toBe(8);
    client.receive(
      headers(1, OK, false),
      frame(0, 0, 1, Buffer.alloc(16_384)),
      frame(0, 0, 1, Buffer.alloc(16_384)),
    );
    client.receive(frame(1, 5, 1, block('x', 'y')));
    expect(client.sent()).toMatchObject([{ type: 8, id: 0, payload: uint32(32_768) }]);
    expect([response.head, response.reset]).toEqual([null, null]);
  });
});

describe('capacity', () => {
  it('brings with it the windows of streams beyond our own limit', () => {
    const client = new ClientUnderTest({ maxConcurrentStreams: 2, streamWindowBytes: 70_000 });
    for (let i = 0; i < 4; i++) open(client);
    const updates = client.sentOf(8).filter(({ id }) => id === 0);
    expect(updates.slice(-2)).toMatchObject([{ payload: uint32(70_000) }, { payload: uint32(70_000) }]);
    expect(updates.length).toBe(2);
  });

  it('is 100 before SETTINGS, then what they say, and is told when it comes back', async () => {
    const client = new ClientUnderTest({}, null);
    expect(client.connection.capacity).toBe(100);
    client.receive(frame(4, 0, 0, settings(3, 2)));
    expect(client.connection.capacity).toBe(2);
    open(client);
    open(client);
    expect(client.connection.capacity).toBe(0);
    const refused = open(client);
    await settled();
    expect(refused.reset).toBe('refused');
    expect(client.owner.events).toEqual([]);
    client.receive(headers(1, OK, true));
    await settled();
    expect(client.owner.events).toEqual(['capacity']);
    client.receive(frame(4, 0, 0, settings(3, 10)));
    await settled();
    expect(client.connection.capacity).toBe(9);
    expect(client.owner.events).toEqual(['capacity', 'capacity']);
  });

  it('has no bound if SETTINGS name none', () => {
    expect(new ClientUnderTest().connection.capacity).toBe(0x7fffffff);
  });
});

describe('the end of a connection', () => {
  it('by GOAWAY: streams above the last one are refused, the others go on', async () => {
    const client = new ClientUnderTest();
    const [first, second] = [open(client), open(client)];
    client.receive(frame(7, 0, 0, uint32(0x7fffffff, 0)));
    expect([first.reset, second.reset]).toEqual([null, null]);
    client.receive(frame(7, 0, 0, uint32(1, 0)));
    expect([first.reset, second.reset]).toEqual([null, 'refused']);
    expect(client.connection.capacity).toBe(0);
    await settled();
    expect(client.owner.events).toEqual(['draining']);
    expect(client.transport.ended).toBe(false);
    client.receive(headers(1, OK, true));
    expect(first.ended).toBe(true);
    expect(client.transport.ended).toBe(true);
  });

  it('by drain: what is open goes on', async () => {
    const client = new ClientUnderTest();
    const response = open(client);
    client.connection.drain();
    await settled();
    expect(client.owner.events).toEqual(['draining']);
    const late = open(client);
    await settled();
    expect(late.reset).toBe('refused');
    client.receive(headers(1, OK, true));
    expect(response.ended).toBe(true);
    expect(client.sentOf(7)).toHaveLength(1);
    expect(client.transport.ended).toBe(true);
  });

  it('by its last stream, after as many resets of ours as a server may count against everybody', async () => {
    const client = new ClientUnderTest({ maxOwnResets: 2 });
    const [first, second, third] = [open(client), open(client), open(client)];
    first.stream?.reset('cancelled');
    await settled();
    expect(client.owner.events).not.toContain('draining');
    client.receive(headers(3, [':status', 'x'], true));
    expect(second.reset).toBe('protocol-error');
    await settled();
    expect(client.owner.events).toContain('draining');
    expect([client.connection.capacity, client.transport.ended]).toEqual([0, false]);
    client.receive(headers(5, OK, true));
    expect([third.ended, client.transport.ended]).toEqual([true, true]);
  });

  it('without warning: what has left is lost, what has not is refused', () => {
    const client = new ClientUnderTest();
    const left = open(client);
    client.transport.turn();
    const held = open(client);
    client.connection.closed('connection-closed');
    expect([left.reset, held.reset]).toEqual(['connection-closed', 'refused']);
    expect(client.owner.events.at(-1)).toBe('closed connection-closed');
  });

  it('by FIN', () => {
    const client = new ClientUnderTest();
    const response = open(client);
    client.transport.turn();
    client.connection.receiveEnd();
    expect(response.reset).toBe('connection-closed');
    expect(client.transport.ended).toBe(true);
  });

  it.each([
    ['PUSH_PROMISE', frame(5, 4, 1, Buffer.concat([uint32(2), block(':method', 'GET')]))],
    ['HEADERS on a stream that was never opened', headers(7, OK, true)],
    ['DATA on a stream that was never opened', frame(0, 0, 7, 'x')],
    ['RST_STREAM on a stream that was never opened', frame(3, 0, 7, uint32(0))],
    ['WINDOW_UPDATE on a stream that was never opened', frame(8, 0, 7, uint32(1))],
  ])('for %s', (_, bytes) => {
    const client = new ClientUnderTest();
    const response = open(client);
    client.transport.turn();
    client.receive(bytes);
    expect(response.reset).toBe('protocol-error');
    expect(client.errorOf(7)).toBe(1);
    client.connection.closed('connection-closed');
    expect(client.owner.events.at(-1)).toBe('closed protocol-error');
  });

  it('by a server that answers nothing, found by PING while a stream is open', async () => {
    const client = new ClientUnderTest({ keepaliveMs: 1000, keepaliveTimeoutMs: 500 });
    client.tick(10_000);
    expect(client.sentOf(6)).toEqual([]);
    const response = open(client);
    client.transport.turn();
    client.tick(1000);
    client.tick(500);
    expect(response.reset).toBe('connection-lost');
    expect(client.transport.destroyed).toBe(true);
    await settled();
    expect(client.connection.capacity).toBe(0);
    client.connection.closed('connection-closed');
    expect(client.owner.events.at(-1)).toBe('closed connection-lost');
  });

  it('by a reset, which shows whether the server has read anything', () => {
    const unheard = new ClientUnderTest({}, null);
    const unread = open(unheard);
    unheard.transport.turn();
    unheard.connection.closed('connection-reset');
    expect(unread.reset).toBe('refused');
    const client = new ClientUnderTest();
    const response = open(client);
    client.transport.turn();
    client.connection.closed('connection-reset');
    expect(response.reset).toBe('connection-reset');
  });
});
