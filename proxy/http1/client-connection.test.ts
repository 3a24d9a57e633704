import { describe, expect, test } from 'vitest';
import type { RequestHead } from '../exchange/stream.ts';
import { Http1ClientConnection } from './client-connection.ts';
import { Http1Codec } from './http1-codec.ts';
import { DEFAULT_HTTP1_LIMITS, type Http1Limits } from './limits.ts';
import { RecordingObserver } from './testing/recording-observer.ts';
import { RecordedResponse, RecordingOwner } from './testing/recording-response.ts';
import { RecordingTransport } from './testing/recording-transport.ts';

function open(limits: Partial<Http1Limits> = {}, highWater?: number) {
  const observer = new RecordingObserver();
  const codec = new Http1Codec(observer, { ...DEFAULT_HTTP1_LIMITS, ...limits });
  const transport = new RecordingTransport(highWater);
  const owner = new RecordingOwner();
  const connection = new Http1ClientConnection(codec, transport, owner);
  const answer = (text: string): void => connection.receive(Buffer.from(text, 'latin1'));
  /** Starts a request and lets its bytes go out. */
  const request = (head: Partial<RequestHead> = {}, end = true): RecordedResponse => {
    const response = start(connection, head, end);
    transport.turn();
    return response;
  };
  return { observer, transport, owner, connection, answer, request };
}

function start(
  connection: Http1ClientConnection,
  head: Partial<RequestHead>,
  end: boolean,
): RecordedResponse {
  const response = new RecordedResponse();
  response.stream = connection.open(
    {
      method: 'GET',
      scheme: 'http',
      authority: 'a.test',
      path: '/x',
      upgrade: '',
      version: 11,
      fields: [],
      contentLength: end ? 0 : -1,
      ...head,
    },
    end,
    response,
  );
  return response;
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('request', () => {
  test.each([
    [{ fields: ['x', 'y'] }, true, 'GET /x HTTP/1.1\r\nhost: a.test\r\nx: y\r\n\r\n'],
    [{ method: 'POST' }, true, 'POST /x HTTP/1.1\r\nhost: a.test\r\ncontent-length: 0\r\n\r\n'],
    [{ method: 'OPTIONS', path: '*' }, true, 'OPTIONS * HTTP/1.1\r\nhost: a.test\r\n\r\n'],
    [
      { method: 'POST', contentLength: 2 },
      false,
      'POST /x HTTP/1.1\r\nhost: a.test\r\ncontent-length: 2\r\n\r\nok',
    ],
    [
      { method: 'POST' },
      false,
      'POST /x HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    ],
    [
      { fields: ['te', 'trailers'] },
      true,
      'GET /x HTTP/1.1\r\nhost: a.test\r\nte: trailers\r\nconnection: te\r\n\r\n',
    ],
    [
      { upgrade: 'websocket' },
      false,
      'GET /x HTTP/1.1\r\nhost: a.test\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n',
    ],
    [{ method: 'CONNECT', path: '', authority: 'b:1' }, false, 'CONNECT b:1 HTTP/1.1\r\nhost: b:1\r\n\r\n'],
  ])('%o, end %s', (head, end, expected) => {
    const { request, transport } = open();
    const response = request(head, end);
    if (!end) response.stream?.data(Buffer.from('ok'), true);
    expect(transport.text).toBe(expected);
  });

  test('ends with trailers', () => {
    const { request, transport } = open();
    const response = request({ method: 'POST' }, false);
    response.stream?.data(Buffer.from('ok'), false);
    response.stream?.trailers(['x-sum', '1']);
    expect(transport.text).toMatch(/2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n$/);
  });

  test('of another length than declared closes the connection', () => {
    for (const body of ['abc', 'a']) {
      const { request, transport, connection, owner } = open();
      const response = request({ method: 'POST', contentLength: 2 }, false);
      response.stream?.data(Buffer.from(body), false);
      transport.turn();
      response.stream?.data(Buffer.alloc(0), true);
      expect(transport.destroyed).toBe(true);
      expect(transport.text).not.toContain('abc');
      expect(response.reset).toBe(null);
      connection.closed('connection-closed');
      expect(response.reset).toBe('internal-error');
      expect(owner.events).toEqual(['closed internal-error']);
    }
  });

  test('is held back while the upstream does not read', () => {
    const { request, transport } = open({}, 1000);
    transport.blocked = true;
    const response = request({ method: 'POST', contentLength: 3000 }, false);
    expect(response.stream?.data(Buffer.alloc(2000), false)).toBe(false);
    transport.turn();
    expect(response.writable).toBe(0);
    transport.take();
    expect(response.writable).toBe(1);
  });

  test('is refused by the connection while another is open', () => {
    const { request, connection } = open();
    request();
    expect(connection.capacity).toBe(0);
    expect(() => start(connection, {}, true)).toThrow('capacity');
  });
});

describe('response', () => {
  test('is free of what belongs to the connection', () => {
    const { request, answer } = open();
    const response = request();
    answer(
      'HTTP/1.1 200 OK\r\nConnection: X-Hop, keep-alive\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nServer: s\r\nContent-Length: 0\r\n\r\n',
    );
    expect(response.head).toEqual({ status: 200, fields: ['server', 's'], contentLength: 0 });
    expect(response.ended).toBe(true);
  });

  test.each([
    ['length', 'Content-Length: 2\r\n\r\nok', 2],
    ['chunked', 'Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n', -1],
  ])('with a body by %s, cut anywhere', (_, rest, contentLength) => {
    const bytes = Buffer.from(`HTTP/1.1 200 OK\r\n${rest}`);
    for (let at = 1; at < bytes.length; at++) {
      const { request, connection, owner } = open();
      const response = request();
      connection.receive(Buffer.from(bytes.subarray(0, at)));
      expect(response.ended).toBe(false);
      connection.receive(Buffer.from(bytes.subarray(at)));
      expect(response).toMatchObject({ body: 'ok', ended: true, reset: null });
      expect(response.head?.contentLength).toBe(contentLength);
      expect(owner.events).toEqual(['capacity']);
    }
  });

  test('that ends with the connection', () => {
    const { request, answer, connection, owner, transport } = open();
    const response = request();
    answer('HTTP/1.1 200 OK\r\n\r\no');
    expect(owner.events).toEqual(['draining']);
    answer('k');
    expect(response).toMatchObject({ body: 'ok', ended: false });
    connection.receiveEnd();
    expect(response.ended).toBe(true);
    expect(transport.ended).toBe(true);
    connection.closed('connection-closed');
    expect(response.reset).toBe(null);
    expect(owner.events).toEqual(['draining', 'closed connection-closed']);
  });

  test('that ends with the connection is not complete after a reset of the connection', () => {
    const { request, answer, connection } = open();
    const response = request();
    answer('HTTP/1.1 200 OK\r\n\r\no');
    connection.closed('connection-closed');
    expect(response).toMatchObject({ ended: false, reset: 'connection-closed' });
  });

  test('without a body by method or status', () => {
    for (const [method, text, contentLength] of [
      ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 5],
      ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', -1],
      ['HEAD', 'HTTP/1.1 200 OK\r\n\r\n', -1],
      ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', 5],
      ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', 0],
    ] as const) {
      const { request, answer, owner } = open();
      const response = request({ method });
      answer(text);
      expect(response.ended).toBe(true);
      expect(response.head?.contentLength).toBe(contentLength);
      expect(owner.events).toEqual(['capacity']);
    }
  });

  test('204 with an announced body ends the connection', () => {
    const { request, answer, owner } = open();
    request();
    answer('HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n');
    expect(owner.events).toEqual(['draining']);
  });

  test('with trailers', () => {
    const { request, answer } = open();
    const response = request();
    answer('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\ngrpc-status: 0\r\nHost: x\r\n\r\n');
    expect(response.trailers).toEqual(['grpc-status', '0']);
  });

  test('comes after informational ones, up to 16', () => {
    const { request, answer, owner } = open();
    const response = request();
    answer('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n');
    answer(OK);
    expect(response.informational).toEqual([100, 103]);
    expect(response).toMatchObject({ body: 'ok', ended: true });
    const second = request();
    answer('HTTP/1.1 100 Continue\r\n\r\n'.repeat(16));
    expect(second.reset).toBe(null);
    answer('HTTP/1.1 100 Continue\r\n\r\n');
    expect(second.reset).toBe('limit');
    expect(owner.events).toEqual(['capacity']);
  });

  test.each([
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n',
    'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nConnection: content-length\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.1 200 OK\nContent-Length: 2\n\nok',
    'HTTP/1.1 200 OK\r\nX : y\r\n\r\n',
    'HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n',
    'HTTP/1.1 200 O\x00K\r\n\r\n',
    'HTTP/1.1  200 OK\r\n\r\n',
    'HTTP/1.1 2000 OK\r\n\r\n',
    'HTTP/1.1 20 OK\r\n\r\n',
    'HTTP/1.1 099 OK\r\n\r\n',
    'HTTP/1.1 600 OK\r\n\r\n',
    'HTTP/2.0 200 OK\r\n\r\n',
    'ICY 200 OK\r\n\r\n',
    '\r\nHTTP/1.1 200 OK\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\nx',
    'HTTP/1.0 100 Continue\r\n\r\n',
    'HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n',
    'HTTP/1.1 100 Continue\r\nContent-Length: 1\r\n\r\nx',
  ])('%j is a protocol error', text => {
    const { request, answer, transport, observer, owner, connection } = open();
    const response = request();
    answer(text);
    expect(response.reset).toBe('protocol-error');
    expect(transport.destroyed).toBe(true);
    expect(observer.refusals.length).toBe(1);
    connection.closed('connection-closed');
    expect(owner.events.at(-1)).toBe('closed protocol-error');
    expect(connection.capacity).toBe(0);
  });

  test('with a head over the limit resets with limit', () => {
    const { request, answer, observer } = open();
    const response = request();
    answer(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(66_000)}`);
    expect(response.reset).toBe('limit');
    expect(observer.limits).toEqual(['maxHeadBytes']);
  });

  test('stops reading above 64 KiB unconsumed', () => {
    const { request, answer, transport, connection } = open();
    const response = request();
    response.autoConsume = false;
    answer('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n');
    connection.receive(Buffer.alloc(65_537));
    expect(transport.paused).toBe(true);
    response.stream?.consumed(65_537);
    expect(transport.paused).toBe(false);
  });
});

describe('reuse', () => {
  test('goes on after a complete exchange', () => {
    const { request, answer, connection, owner } = open();
    for (let i = 0; i < 3; i++) {
      expect(connection.capacity).toBe(1);
      const response = request();
      expect(connection.active).toBe(1);
      answer(OK);
      expect(response.ended).toBe(true);
      expect(connection.active).toBe(0);
    }
    expect(owner.events).toEqual(['capacity', 'capacity', 'capacity']);
  });

  test.each([
    'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
  ])('ends after %j', text => {
    const { request, answer, connection, owner, transport } = open();
    const response = request();
    answer(text);
    expect(response.ended).toBe(true);
    expect(connection.capacity).toBe(0);
    expect(transport).toMatchObject({ ended: true, destroyed: false });
    expect(owner.events).toEqual(['draining']);
  });

  test('goes on with HTTP/1.0 that asks for it', () => {
    const { request, answer, owner } = open();
    request();
    answer('HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok');
    expect(owner.events).toEqual(['capacity']);
  });

  test('a byte after the response poisons the connection, not the response', () => {
    const { request, answer, transport, observer, connection, owner } = open();
    const response = request();
    answer(`${OK}HTTP/1.1 200 OK\r\n`);
    expect(response).toMatchObject({ ended: true, body: 'ok', reset: null });
    expect(transport.destroyed).toBe(true);
    expect(connection.capacity).toBe(0);
    expect(observer.refusals.length).toBe(1);
    connection.closed('connection-closed');
    expect(owner.events).toEqual(['closed protocol-error']);
  });

  test('a byte while idle poisons the connection', () => {
    const { request, answer, transport } = open();
    request();
    answer(OK);
    answer('\n');
    expect(transport.destroyed).toBe(true);
  });

  test('an answer to a request that was not sent yet is none, and the request may be retried', () => {
    const { connection, answer } = open();
    const response = start(connection, {}, true);
    answer(OK);
    expect(response).toMatchObject({ head: null, reset: 'refused' });
  });

  test('after an early response waits for the end of the request', () => {
    const { request, answer, connection, owner, transport } = open();
    const response = request({ method: 'POST', contentLength: 2 }, false);
    answer(OK);
    expect(response.ended).toBe(true);
    expect(connection.capacity).toBe(0);
    expect(owner.events).toEqual([]);
    response.stream?.data(Buffer.from('ok'), true);
    expect(owner.events).toEqual([]);
    transport.turn();
    expect(owner.events).toEqual(['capacity']);
  });

  test('after an early response ends when the sender gives up', () => {
    const { request, answer, transport } = open();
    const response = request({ method: 'POST', contentLength: 2 }, false);
    answer(OK);
    response.stream?.reset('cancelled');
    expect(transport.destroyed).toBe(true);
    expect(response.reset).toBe(null);
  });

  test('a reset after the exchange leaves the connection alone', () => {
    const { request, answer, transport, connection } = open();
    const response = request();
    answer(OK);
    response.stream?.reset('cancelled');
    expect(transport.destroyed).toBe(false);
    expect(connection.capacity).toBe(1);
  });

  test('a reset inside the last callback of the exchange leaves the connection alone', () => {
    const { request, answer, transport, owner } = open();
    const response = request();
    response.resetAtEnd = true;
    answer(OK);
    expect(transport.destroyed).toBe(false);
    expect(owner.events).toEqual(['capacity']);
  });

  test('a reset before the response closes the connection', () => {
    const { request, connection, transport, owner } = open();
    const response = request();
    response.stream?.reset('cancelled');
    expect(transport.destroyed).toBe(true);
    connection.closed('connection-closed');
    expect(response.reset).toBe(null);
    expect(owner.events).toEqual(['closed cancelled']);
  });
});

describe('a connection that ends', () => {
  test('before a byte of the request was handed over: refused', () => {
    for (const how of ['receiveEnd', 'closed'] as const) {
      const { connection } = open();
      const response = start(connection, {}, true);
      if (how === 'closed') connection.closed('connection-closed');
      else connection.receiveEnd();
      expect(response.reset).toBe('refused');
    }
  });

  test('on a connection that was used before: refused, too', () => {
    const { request, answer, connection } = open();
    request();
    answer(OK);
    const response = start(connection, {}, true);
    connection.closed('connection-closed');
    expect(response.reset).toBe('refused');
  });

  test('after the request was handed over: connection-closed', () => {
    const { request, connection } = open();
    const response = request();
    connection.receiveEnd();
    expect(response.reset).toBe('connection-closed');
  });

  test('before the request could be read: connection-reset', () => {
    const { request, connection, transport } = open();
    const response = request();
    transport.crossed = true;
    connection.receiveEnd();
    expect(response.reset).toBe('connection-reset');
  });

  test('inside a response: connection-closed', () => {
    const { request, answer, connection } = open();
    const response = request();
    answer('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no');
    connection.receiveEnd();
    expect(response).toMatchObject({ ended: false, reset: 'connection-closed' });
  });

  test('while idle is told to the owner', () => {
    const { connection, owner, transport } = open();
    connection.receiveEnd();
    expect(connection.capacity).toBe(0);
    expect(transport.ended).toBe(true);
    connection.closed('connection-closed');
    expect(owner.events).toEqual(['draining', 'closed connection-closed']);
  });
});

describe('tunnel', () => {
  const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n';

  test('keeps early bytes until 101, and carries bytes both ways', () => {
    const { request, answer, transport, connection } = open();
    const response = request({ upgrade: 'websocket' }, false);
    transport.takeText();
    const early = Buffer.from('early');
    expect(response.stream?.data(early, false)).toBe(false);
    early.fill(0);
    expect(transport.takeText()).toBe('');
    answer(`${SWITCH}down`);
    expect(response.head).toEqual({ status: 101, fields: [], contentLength: -1 });
    expect(response.body).toBe('down');
    response.stream?.data(Buffer.from(' late'), false);
    expect(transport.takeText()).toBe('early late');
    connection.receiveEnd();
    expect(response.ended).toBe(true);
    response.stream?.data(Buffer.alloc(0), true);
    expect(transport.ended).toBe(true);
    connection.closed('connection-closed');
    expect(response.reset).toBe(null);
  });

  test('that is refused drops early bytes and leaves the connection usable', () => {
    const { request, answer, transport, owner } = open();
    const response = request({ upgrade: 'websocket' }, false);
    response.stream?.data(Buffer.from('early'), true);
    answer(OK);
    expect(response.ended).toBe(true);
    expect(transport.text).not.toContain('early');
    expect(owner.events).toEqual(['capacity']);
  });

  test('to another protocol than asked for is a protocol error', () => {
    const { request, answer } = open();
    const response = request({ upgrade: 'websocket' }, false);
    answer(SWITCH.replace('WebSocket', 'h2c'));
    expect(response.reset).toBe('protocol-error');
  });

  test('by CONNECT ignores the length of its answer', () => {
    const { request, answer } = open();
    const response = request({ method: 'CONNECT', path: '', authority: 'b:1' }, false);
    answer('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nraw bytes');
    expect(response.body).toBe('raw bytes');
    expect(response.ended).toBe(false);
  });

  test('that breaks resets', () => {
    const { request, answer, connection } = open();
    const response = request({ upgrade: 'websocket' }, false);
    answer(SWITCH);
    connection.closed('connection-closed');
    expect(response.reset).toBe('connection-closed');
  });
});

describe('a reset of the connection', () => {
  test('is told as such before a byte of the answer', () => {
    const { request, connection } = open();
    const response = request();
    connection.closed('connection-reset');
    expect(response.reset).toBe('connection-reset');
  });

  test.each(['HTTP/1.1 200', 'HTTP/1.1 100 Continue\r\n\r\n'])('is a lost connection after %j', text => {
    const { request, answer, connection } = open();
    const response = request();
    answer(text);
    connection.closed('connection-reset');
    expect(response.reset).toBe('connection-closed');
  });
});

describe('time', () => {
  test('a response head that does not end is a timeout, a slow answer is not', () => {
    const { request, answer, connection, observer } = open();
    const response = request();
    connection.tick(0);
    connection.tick(299_000);
    answer('HTTP/1.1 200');
    connection.tick(300_000);
    connection.tick(309_000);
    expect(response.reset).toBe(null);
    connection.tick(310_000);
    expect(response.reset).toBe('timeout');
    expect(observer.limits).toEqual(['headTimeoutMs']);
  });

  test('no answer for minutes is a timeout, but not while the request is being sent', () => {
    const { request, connection, transport, observer } = open();
    const response = request({ method: 'POST', contentLength: 2 }, false);
    connection.tick(0);
    connection.tick(1_000_000);
    response.stream?.data(Buffer.from('ab'), true);
    transport.turn();
    connection.tick(1_001_000);
    connection.tick(1_300_000);
    expect(response.reset).toBe(null);
    connection.tick(1_301_000);
    expect(response.reset).toBe('timeout');
    expect(observer.limits).toEqual(['answerTimeoutMs']);
  });

  test('a silent response body is not a timeout', () => {
    const { request, answer, connection } = open();
    const response = request();
    answer('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n');
    connection.tick(0);
    connection.tick(10_000_000);
    expect(response.reset).toBe(null);
  });

  test('an upstream that does not read is a timeout', () => {
    const { request, connection, transport } = open();
    transport.blocked = true;
    const response = request();
    connection.tick(0);
    connection.tick(60_000);
    expect(response.reset).toBe('timeout');
  });

  test('an idle connection ends a second before the upstream says it will', () => {
    const { request, answer, connection, owner, transport, observer } = open();
    request();
    answer('HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=100\r\nContent-Length: 2\r\n\r\nok');
    connection.tick(0);
    connection.tick(3999);
    expect(connection.capacity).toBe(1);
    connection.tick(4000);
    expect(connection.capacity).toBe(0);
    expect(transport.ended).toBe(true);
    expect(observer.limits).toEqual([]);
    expect(owner.events).toEqual(['capacity', 'draining']);
  });

  test('a request that stops after its response gives the connection up', () => {
    const { request, answer, connection, transport } = open();
    request({ method: 'POST', contentLength: 2 }, false);
    answer(OK);
    connection.tick(0);
    connection.tick(60_000);
    expect(transport.destroyed).toBe(true);
  });

  test('an upstream that does not close after our FIN is closed', () => {
    const { connection, transport } = open();
    connection.drain();
    connection.tick(0);
    connection.tick(5000);
    expect(transport.destroyed).toBe(true);
  });
});

describe('drain', () => {
  test('closes an idle connection', () => {
    const { connection, transport, owner } = open();
    connection.drain();
    expect(connection.capacity).toBe(0);
    expect(transport.ended).toBe(true);
    expect(owner.events).toEqual(['draining']);
  });

  test('finishes the open request', () => {
    const { request, answer, connection, transport } = open();
    const response = request();
    connection.drain();
    expect(transport.ended).toBe(false);
    answer(OK);
    expect(response.ended).toBe(true);
    expect(transport.ended).toBe(true);
    expect(connection.capacity).toBe(0);
  });
});

test('destroy resets the open request', () => {
  const { request, connection, owner } = open();
  const response = request();
  connection.destroy();
  connection.closed('connection-closed');
  expect(response.reset).toBe('connection-closed');
  expect(owner.events).toEqual(['closed connection-closed']);
});
