import { describe, expect, test } from 'vitest';
import { failures } from '../../api/failure.ts';
import type { ResponseHead } from '../exchange/stream.ts';
import { Http1Codec } from './http1-codec.ts';
import { DEFAULT_HTTP1_LIMITS, type Http1Limits } from './limits.ts';
import { Http1ServerConnection } from './server-connection.ts';
import {
  type RecordedRequest,
  RecordingHandler,
  type RecordingHandlerOptions,
} from './testing/recording-handler.ts';
import { RecordingObserver } from './testing/recording-observer.ts';
import { RecordingTransport } from './testing/recording-transport.ts';

interface Setup extends RecordingHandlerOptions {
  limits?: Partial<Http1Limits>;
  highWater?: number;
}

function open(setup: Setup = {}) {
  const observer = new RecordingObserver();
  const codec = new Http1Codec(observer, { ...DEFAULT_HTTP1_LIMITS, ...setup.limits });
  const transport = new RecordingTransport(setup.highWater);
  const handler = new RecordingHandler(setup);
  const connection = new Http1ServerConnection(codec, transport, handler, 'http', 'context');
  const send = (text: string): void => connection.receive(Buffer.from(text, 'latin1'));
  return { observer, transport, requests: handler.requests, connection, send };
}

function head(status: number, fields: string[] = [], contentLength = -1): ResponseHead {
  return { status, fields, contentLength };
}

/** Answers 200 with a body of two bytes. */
function answerOk(request: RecordedRequest): void {
  request.stream.respond(head(200, [], 2), false);
  request.stream.data(Buffer.from('ok'), true);
}

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

function post(fields: string, body = ''): string {
  return `POST /p HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`;
}

describe('request head', () => {
  test('is free of what belongs to the connection', () => {
    const { requests, send } = open();
    send(
      'GET http://B.Test:81?q HTTP/1.1\r\nHOST: a\r\nConnection: X-Hop, TE, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n' +
        'Proxy-Connection: close\r\nTE: gzip, trailers\r\nX-A: 1\r\nx-a:2 \r\nHTTP2-Settings: x\r\nUpgrade: h2c\r\n\r\n',
    );
    expect(requests[0].head).toEqual({
      method: 'GET',
      scheme: 'http',
      authority: 'b.test:81',
      path: '/?q',
      upgrade: '',
      version: 11,
      fields: ['x-a', '1', 'x-a', '2', 'te', 'trailers'],
      contentLength: 0,
    });
    expect(requests[0].ended).toBe(true);
  });

  test('takes the scheme from the connection or the target', () => {
    const { requests, send, transport } = open({ onEnd: answerOk });
    send(`${GET}GET HTTPS://a/ HTTP/1.1\r\nHost: a\r\n\r\n`);
    transport.turn();
    expect(requests.map(request => request.head.scheme)).toEqual(['http', 'https']);
  });

  test('reads OPTIONS *, absolute OPTIONS and CONNECT', () => {
    for (const [line, authority, path] of [
      ['OPTIONS *', 'a', '*'],
      ['OPTIONS http://b', 'b', '*'],
      ['OPTIONS http://b/', 'b', '/'],
      ['CONNECT b:443', 'b:443', ''],
      ['CONNECT [::1]:443', '[::1]:443', ''],
    ]) {
      const { requests, send } = open();
      send(`${line} HTTP/1.1\r\nHost: a\r\n\r\n`);
      expect(requests[0].head).toMatchObject({ authority, path });
    }
  });

  test('owes nothing to the one before it', () => {
    const { requests, send, transport } = open({ onEnd: answerOk });
    send(
      'GET https://b/ HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nExpect: 100-continue\r\nConnection: x-hop\r\nUpgrade: x\r\n\r\n',
    );
    transport.turn();
    send('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nX-Hop: 1\r\n\r\n');
    expect(requests[1].head).toEqual({
      method: 'GET',
      scheme: 'http',
      authority: 'a',
      path: '/',
      upgrade: '',
      version: 11,
      fields: ['x-hop', '1'],
      contentLength: 0,
    });
  });

  test('cannot be poisoned by a shared read buffer', () => {
    const { requests, connection } = open();
    const buffer = Buffer.from('GET /secret HTTP/1.1\r\nHost: a\r\nX-Very-Own: value\r\n\r\n');
    connection.receive(buffer);
    buffer.fill(0x20);
    expect(requests[0].head.path).toBe('/secret');
    expect(requests[0].head.fields).toEqual(['x-very-own', 'value']);
  });

  test('keeps fields of cached names apart that share a slot', () => {
    const names = Array.from({ length: 90 }, (_, i) => `x-${i.toString(36)}-${(i * 7919) % 1000}`);
    const { requests, send, transport } = open({ onEnd: answerOk });
    for (let round = 0; round < 3; round++) {
      for (let first = 0; first < 90; first += 30) {
        const part = names.slice(first, first + 30);
        send(`GET / HTTP/1.1\r\nHost: a\r\n${part.map(name => `${name}: ${name}\r\n`).join('')}\r\n`);
        transport.turn();
        expect(requests.at(-1)?.head.fields).toEqual(part.flatMap(name => [name, name]));
      }
    }
  });
});

describe('request body', () => {
  test('of a declared length ends with its last byte', () => {
    const { requests, send } = open();
    send(post('Content-Length: 5\r\n', 'ab'));
    expect(requests[0]).toMatchObject({ body: 'ab', ended: false });
    expect(requests[0].head.contentLength).toBe(5);
    send('cde');
    expect(requests[0]).toMatchObject({ body: 'abcde', ended: true });
  });

  test('in chunks is passed on without the framing, short chunks together', () => {
    const { requests, send } = open();
    send(post('Transfer-Encoding: chunked\r\n', '1\r\na\r\n2;x=y\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n'));
    expect(requests[0].head.contentLength).toBe(-1);
    expect(requests[0].chunks.map(String)).toEqual(['abcdef']);
    expect(requests[0].ended).toBe(true);
  });

  test('in large and short chunks arrives in order and untouched', () => {
    const large = 'L'.repeat(10_000);
    const { requests, connection } = open();
    const bytes = Buffer.concat([
      Buffer.from(post('Transfer-Encoding: chunked\r\n', '2\r\nab\r\n2710\r\n')),
      Buffer.from(large),
      Buffer.from('\r\n3\r\ncde\r\n2710\r\n'),
      Buffer.from(large),
      Buffer.from('\r\n0\r\n\r\n'),
    ]);
    connection.receive(bytes);
    expect(requests[0].body).toBe(`ab${large}cde${large}`);
  });

  test('may come in any number of chunks', () => {
    const { requests, send } = open();
    send(post('Transfer-Encoding: chunked\r\n', `${'1\r\na\r\n'.repeat(40)}0\r\n\r\n`));
    expect(requests[0]).toMatchObject({ body: 'a'.repeat(40), ended: true, reset: null });
  });

  test('is not passed on after the receiver has reset the stream', () => {
    for (const [first, second] of [
      ['a', 'b'.repeat(5000)],
      ['a'.repeat(5000), 'b'.repeat(5000)],
      ['a'.repeat(5000), ''],
    ]) {
      const { requests, send, transport } = open({ onData: request => request.stream.reset('cancelled') });
      const chunks = [first, second]
        .filter(text => text !== '')
        .map(text => `${text.length.toString(16)}\r\n${text}\r\n`);
      send(post('Transfer-Encoding: chunked\r\n', `${chunks.join('')}0\r\nX-Sum: 1\r\n\r\n`));
      expect(requests[0].body).toBe(first);
      expect(requests[0]).toMatchObject({ trailers: null, ended: false });
      expect(transport.destroyed).toBe(true);
    }
  });

  test('may use all of the limit of chunk extensions, each time', () => {
    const { requests, send, transport } = open({ limits: { maxChunkExtensionBytes: 10 }, onEnd: answerOk });
    for (let i = 0; i < 3; i++) {
      send(post('Transfer-Encoding: chunked\r\n', '1;a=b\r\na\r\n0;c\r\n\r\n'));
      transport.turn();
      expect(requests[i].body).toBe('a');
    }
  });

  test('keeps its trailers except those that framing, routing and identity depend on', () => {
    const { requests, send } = open();
    send(
      post(
        'Transfer-Encoding: chunked\r\n',
        '1\r\na\r\n0\r\nX-Sum: 1\r\nContent-Type: x\r\nHost: b\r\nAuthorization: x\r\nX-Forwarded-Client-Cert: x\r\n\r\n',
      ),
    );
    expect(requests[0].trailers).toEqual(['x-sum', '1']);
    expect(requests[0].body).toBe('a');
  });

  test('stops reading above 64 KiB unconsumed and goes on below half', () => {
    const { requests, connection, send, transport } = open({ autoConsume: false });
    send(post('Content-Length: 1000000\r\n'));
    connection.receive(Buffer.alloc(65_536));
    expect(transport.paused).toBe(false);
    connection.receive(Buffer.alloc(1));
    expect(transport.paused).toBe(true);
    requests[0].stream.consumed(32_768);
    expect(transport.paused).toBe(true);
    requests[0].stream.consumed(2);
    expect(transport.paused).toBe(false);
  });
});

describe('response', () => {
  test.each([
    ['GET', 11, head(200, ['x', 'y'], 2), 'HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 2\r\n\r\nok'],
    ['GET', 11, head(200), 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    ['GET', 10, head(200), 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok'],
    ['GET', 10, head(200, [], 2), 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok'],
    ['HEAD', 11, head(200, [], 2), 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n'],
    ['HEAD', 11, head(200), 'HTTP/1.1 200 OK\r\n\r\n'],
    ['GET', 11, head(204), 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['GET', 11, head(304, [], 7), 'HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n'],
    ['GET', 11, head(299, [], 2), 'HTTP/1.1 299 \r\ncontent-length: 2\r\n\r\nok'],
  ])('%s over %d with %o', (method, version, response, expected) => {
    const { requests, send, transport } = open();
    send(`${method} / HTTP/1.${version - 10}\r\nHost: a\r\n\r\n`);
    requests[0].stream.respond(response, false);
    requests[0].stream.data(Buffer.from('ok'), true);
    expect(transport.text).toBe(expected);
    expect(requests[0].sent).toBe(1);
  });

  test('without a body says so', () => {
    const { requests, send, transport } = open();
    send(GET);
    requests[0].stream.respond(head(200), true);
    expect(transport.text).toBe('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
  });

  test('ends with trailers in the chunked coding only', () => {
    const { requests, send, transport } = open();
    send(GET);
    requests[0].stream.respond(head(200), false);
    requests[0].stream.data(Buffer.from('a'.repeat(26)), false);
    requests[0].stream.data(Buffer.alloc(0), false);
    requests[0].stream.trailers(['x-sum', '1']);
    expect(transport.takeText()).toBe(
      `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1a\r\n${'a'.repeat(26)}\r\n0\r\nx-sum: 1\r\n\r\n`,
    );
    send(GET);
    requests[1].stream.respond(head(200, [], 1), false);
    requests[1].stream.data(Buffer.from('a'), false);
    requests[1].stream.trailers(['x-sum', '1']);
    expect(transport.text).toBe('HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na');
  });

  test('sends 1xx before, but not to HTTP/1.0', () => {
    for (const [version, expected] of [
      ['1.1', 'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n'],
      ['1.0', ''],
    ]) {
      const { requests, send, transport } = open();
      send(`GET / HTTP/${version}\r\nHost: a\r\n\r\n`);
      requests[0].stream.informational(103, ['link', 'x']);
      requests[0].stream.informational(100, []);
      expect(transport.text).toBe(expected);
    }
  });

  test('of another length than declared closes the connection and reaches the receiver as a reset', () => {
    for (const body of ['abc', 'a']) {
      const { requests, send, transport, connection } = open();
      send(GET);
      requests[0].stream.respond(head(200, [], 2), false);
      requests[0].stream.data(Buffer.from(body), true);
      requests[0].stream.data(Buffer.from('more'), true);
      expect(transport.ended).toBe(true);
      expect(transport.text).not.toContain('abc');
      expect(transport.text).not.toContain('more');
      connection.closed('connection-closed');
      expect(requests[0]).toMatchObject({ sent: 0, reset: 'connection-closed' });
    }
  });

  test('is held back while the client does not read, and reported sent when the system has it', () => {
    const { requests, send, transport } = open({ highWater: 1000 });
    transport.blocked = true;
    send(GET);
    requests[0].stream.respond(head(200, [], 2500), false);
    expect(requests[0].stream.data(Buffer.alloc(1500), false)).toBe(false);
    transport.turn();
    expect(requests[0].writable).toBe(0);
    transport.take();
    expect(requests[0].writable).toBe(1);
    expect(requests[0].stream.data(Buffer.alloc(1000), true)).toBe(false);
    transport.turn();
    expect(requests[0].sent).toBe(0);
    send(GET);
    expect(requests.length).toBe(1);
    transport.take();
    expect(requests[0]).toMatchObject({ sent: 1, writable: 1 });
    expect(requests.length).toBe(2);
  });
});

describe('persistence', () => {
  test('keeps the connection for the next request', () => {
    const { requests, send, transport, connection } = open({ onEnd: answerOk });
    expect(connection.active).toBe(0);
    send(GET);
    expect(connection.active).toBe(1);
    expect(transport.takeText()).toBe(OK);
    expect(connection.active).toBe(0);
    send(GET);
    expect(transport.takeText()).toBe(OK);
    expect(requests.length).toBe(2);
    expect(transport.ended).toBe(false);
  });

  test.each([
    ['GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 'connection: close\r\n', true],
    ['GET / HTTP/1.0\r\nHost: a\r\n\r\n', 'connection: close\r\n', true],
    ['GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n', 'connection: keep-alive\r\n', false],
    ['GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n', 'connection: close\r\n', true],
  ])('%j → %j', (request, field, ended) => {
    const { send, transport } = open({ onEnd: answerOk });
    send(request);
    expect(transport.text).toContain(field);
    expect(transport.ended).toBe(ended);
  });

  test('skips one empty line before each request', () => {
    const { requests, send, transport } = open({ onEnd: answerOk });
    for (let i = 0; i < 3; i++) {
      send(`\r\n${GET}`);
      transport.turn();
    }
    expect(requests.length).toBe(3);
    expect(transport.ended).toBe(false);
  });

  test('ends after a response of unknown length to HTTP/1.0, although the client would keep it', () => {
    const { requests, send, transport } = open();
    send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    requests[0].stream.respond(head(200), false);
    requests[0].stream.data(Buffer.from('ok'), true);
    expect(transport.text).toBe('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok');
    expect(transport.ended).toBe(true);
  });

  test('serves pipelined requests one at a time, in order', () => {
    const { requests, send, transport } = open();
    send(GET + post('Content-Length: 1\r\n', 'x') + GET);
    expect(requests.length).toBe(1);
    answerOk(requests[0]);
    expect(requests.length).toBe(1);
    transport.turn();
    expect(requests.length).toBe(2);
    answerOk(requests[1]);
    transport.turn();
    answerOk(requests[2]);
    expect(transport.text).toBe(OK + OK + OK);
    expect(requests.map(request => request.sent)).toEqual([1, 1, 1]);
  });

  test('stops reading what is sent ahead, and gives up on who sends on', () => {
    const { requests, send, transport, observer, connection } = open({ limits: { maxBufferedBytes: 4000 } });
    send(GET);
    send('x'.repeat(999));
    expect(transport.paused).toBe(false);
    send('x');
    expect(transport.paused).toBe(true);
    send('x'.repeat(3000));
    expect(transport.destroyed).toBe(false);
    send('x');
    expect(transport.destroyed).toBe(true);
    expect(observer.limits).toEqual(['maxBufferedBytes']);
    expect(requests[0].reset).toBe('limit');
    connection.closed('connection-closed');
    expect(requests[0].reset).toBe('limit');
  });

  test('reads again when the requests sent ahead are served', () => {
    const { requests, send, transport } = open({ limits: { maxBufferedBytes: 400 } });
    send(GET.repeat(5));
    expect(transport.paused).toBe(true);
    for (let i = 0; i < 5; i++) {
      answerOk(requests[i]);
      transport.turn();
    }
    expect(transport.paused).toBe(false);
    expect(transport.text).toBe(OK.repeat(5));
  });
});

describe('end of input', () => {
  test('between requests ends the connection', () => {
    const { connection, transport } = open();
    connection.receiveEnd();
    expect(transport.ended).toBe(true);
  });

  test('after complete requests still answers them all', () => {
    const { requests, send, transport, connection } = open();
    send(GET + GET);
    connection.receiveEnd();
    expect(transport.ended).toBe(false);
    answerOk(requests[0]);
    transport.turn();
    answerOk(requests[1]);
    expect(transport.text.split('HTTP/1.1 200').length).toBe(3);
    expect(transport.ended).toBe(true);
  });

  test('cancels a request that is not answered in time, and lets a begun answer go on', () => {
    const { requests, send, transport, connection, observer } = open();
    send(GET);
    connection.tick(0);
    connection.receiveEnd();
    connection.tick(10_000);
    connection.tick(11_999);
    expect(requests[0].reset).toBe(null);
    connection.tick(12_000);
    expect(requests[0].reset).toBe('cancelled');
    expect(transport.destroyed).toBe(true);
    expect(observer.limits).toEqual(['halfCloseTimeoutMs']);

    const begun = open();
    begun.send(GET);
    begun.requests[0].stream.respond(head(200, [], 2), false);
    begun.connection.receiveEnd();
    begun.connection.tick(0);
    begun.connection.tick(50_000);
    begun.requests[0].stream.data(Buffer.from('ok'), true);
    expect(begun.transport.text).toBe(OK);
    expect(begun.transport.ended).toBe(true);
  });

  test('inside a body resets the request', () => {
    const { requests, send, transport, connection } = open();
    send(post('Content-Length: 5\r\n', 'ab'));
    connection.receiveEnd();
    expect(requests[0].reset).toBe('connection-closed');
    expect(transport.destroyed).toBe(true);
  });

  test('of the transport resets an open request with its reason, once', () => {
    const { requests, send, connection } = open();
    send(GET);
    connection.closed('timeout');
    expect(requests[0].reset).toBe('timeout');
    expect(connection.active).toBe(0);
  });

  test('of the transport says nothing to a request whose response is sent', () => {
    const { requests, send, connection, transport } = open({ onEnd: answerOk });
    send(GET);
    transport.turn();
    connection.closed('connection-closed');
    expect(requests[0]).toMatchObject({ sent: 1, reset: null });
  });
});

describe('response before the end of the request', () => {
  test('drops the rest of the body and keeps the connection', () => {
    const { requests, send, transport } = open();
    send(post('Content-Length: 5\r\n', 'ab'));
    answerOk(requests[0]);
    expect(transport.takeText()).toBe(OK);
    expect(requests[0].sent).toBe(1);
    send(`cde${GET}`);
    expect(requests[0].body).toBe('ab');
    expect(requests.length).toBe(2);
    answerOk(requests[1]);
    expect(transport.takeText()).toBe(OK);
  });

  test('announces the close if the rest is too long to read over', () => {
    const { requests, send, transport } = open({ limits: { maxDiscardBytes: 100 } });
    send(post('Content-Length: 103\r\n', 'ab'));
    requests[0].stream.respond(head(413), true);
    expect(transport.text).toBe(
      'HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n',
    );
    expect(transport.ended).toBe(true);
  });

  test('gives up on a chunked rest that does not end', () => {
    const { requests, send, transport, observer, connection } = open({ limits: { maxDiscardBytes: 100 } });
    send(post('Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n'));
    answerOk(requests[0]);
    transport.turn();
    send(`64\r\n${'x'.repeat(100)}\r\n`);
    expect(transport.ended).toBe(false);
    send('1\r\nx\r\n');
    expect(transport.ended).toBe(true);
    expect(observer.limits).toEqual(['maxDiscardBytes']);
    expect(requests[0]).toMatchObject({ sent: 1, reset: null });
    send('x'.repeat(100_000));
    expect(transport.destroyed).toBe(false);
    connection.tick(0);
    send('x'.repeat(100_000));
    connection.tick(5000);
    expect(transport.destroyed).toBe(true);
  });

  test('reads on even if the receiver never consumed what it got', () => {
    const { requests, send, transport, connection } = open({ autoConsume: false });
    send(post('Content-Length: 100000\r\n'));
    connection.receive(Buffer.alloc(70_000));
    expect(transport.paused).toBe(true);
    answerOk(requests[0]);
    expect(transport.paused).toBe(false);
  });

  test('closes when the client waits for 100-continue', () => {
    const { requests, send, transport } = open();
    send(post('Expect: 100-continue\r\nContent-Length: 5\r\n'));
    expect(requests[0].field('expect')).toBe('100-continue');
    answerOk(requests[0]);
    expect(transport.text).toContain('connection: close\r\n');
    expect(transport.ended).toBe(true);
  });

  test('does not close when the client did not wait for 100-continue, or got it', () => {
    for (const sendsBody of [true, false]) {
      const { requests, send, transport } = open();
      send(post('Expect: 100-continue\r\nContent-Length: 5\r\n', sendsBody ? 'ab' : ''));
      if (!sendsBody) requests[0].stream.informational(100, []);
      answerOk(requests[0]);
      expect(transport.takeText()).not.toContain('close');
      send((sendsBody ? 'cde' : 'abcde') + GET);
      expect(requests.length).toBe(2);
    }
  });

  test('each time counts anew what is dropped, and later requests keep their bodies', () => {
    const { requests, send, transport } = open({ limits: { maxDiscardBytes: 100 } });
    for (let i = 0; i < 3; i++) {
      send(post('Content-Length: 80\r\n', 'ab'));
      answerOk(requests[i]);
      transport.turn();
      send('x'.repeat(78));
    }
    expect(transport.ended).toBe(false);
    send(post('Content-Length: 2\r\n', 'ab'));
    expect(requests[3]).toMatchObject({ body: 'ab', ended: true });
  });

  test('ends cleanly when the client ends inside the rest', () => {
    const { requests, send, transport, connection } = open();
    send(post('Content-Length: 5\r\n', 'ab'));
    answerOk(requests[0]);
    transport.turn();
    connection.receiveEnd();
    expect(transport).toMatchObject({ ended: true, destroyed: false });
    expect(requests[0].reset).toBe(null);
  });

  test('reads on after the last response, so that the client does not see a reset', () => {
    const { requests, send, transport, connection } = open({ autoConsume: false });
    send(post('Content-Length: 100000\r\nConnection: close\r\n'));
    connection.receive(Buffer.alloc(70_000));
    expect(transport.paused).toBe(true);
    answerOk(requests[0]);
    expect(transport).toMatchObject({ paused: false, ended: true });
  });

  test('does not close when 100-continue was sent', () => {
    const { requests, send, transport } = open({ onEnd: answerOk });
    send(post('Expect: 100-continue\r\nContent-Length: 2\r\n'));
    requests[0].stream.informational(100, []);
    send('ab');
    expect(transport.text).toBe(`HTTP/1.1 100 Continue\r\n\r\n${OK}`);
    expect(transport.ended).toBe(false);
  });
});

describe('a refusal says in tulle-error what the status means', () => {
  test.each([
    [400, 'BAD_REQUEST', 'GET / HTTP/1.1\r\n\r\n'],
    [413, 'REQUEST_TOO_LARGE', post('Content-Length: 99999999999999999999\r\n')],
    [414, 'TARGET_TOO_LONG', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n`],
    [417, 'EXPECTATION_FAILED', post('Expect: the-worst\r\n')],
    [431, 'HEADERS_TOO_LARGE', `GET / HTTP/1.1\r\nHost: a\r\n${'x: y\r\n'.repeat(200)}\r\n`],
  ] as const)('%i', (status, code, bytes) => {
    const { send, transport } = open();
    send(bytes);
    expect(failures[code].status).toBe(status);
    expect(transport.text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^\r]+\r\ntulle-error: ${code}; `));
  });
});

describe('a malformed body', () => {
  test('is answered 400 and reset if no response has begun', () => {
    const { requests, send, transport, observer } = open();
    send(post('Transfer-Encoding: chunked\r\n', '1\r\nab\r\n'));
    expect(transport.text).toMatch(
      /^HTTP\/1\.1 400 Bad Request\r\ntulle-error: BAD_REQUEST; A chunk is not followed by CRLF\.\r\n/,
    );
    expect(requests[0]).toMatchObject({ reset: 'protocol-error', ended: false });
    expect(observer.refusals.length).toBe(1);
    answerOk(requests[0]);
    expect(transport.text).not.toContain('200');
  });

  test('cuts the response off if one has begun', () => {
    for (const [version, ended] of [['1.1', true]] as const) {
      const { requests, send, transport } = open();
      send(`POST / HTTP/${version}\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`);
      requests[0].stream.respond(head(200), false);
      requests[0].stream.data(Buffer.from('ok'), false);
      send('x\r\n');
      expect(transport.text.endsWith('2\r\nok\r\n')).toBe(true);
      expect(transport.ended).toBe(ended);
      expect(requests[0].reset).toBe('protocol-error');
    }
  });
});

describe('reset', () => {
  test('before the response closes the connection', () => {
    const { requests, send, transport } = open();
    send(GET);
    requests[0].stream.reset('internal-error');
    expect(transport.destroyed).toBe(true);
    expect(requests[0].reset).toBe(null);
  });

  test('inside a chunked response ends it without the last chunk', () => {
    const { requests, send, transport, connection } = open();
    send(GET);
    requests[0].stream.respond(head(200), false);
    requests[0].stream.data(Buffer.from('ok'), false);
    requests[0].stream.reset('internal-error');
    expect(transport.text.endsWith('2\r\nok\r\n')).toBe(true);
    expect(transport.ended).toBe(true);
    connection.closed('connection-closed');
    expect(requests[0].reset).toBe(null);
  });

  test('inside a response that ends with the connection destroys it, so that it does not look complete', () => {
    const { requests, send, transport } = open();
    send('GET / HTTP/1.0\r\n\r\n');
    requests[0].stream.respond(head(200), false);
    requests[0].stream.data(Buffer.from('ok'), false);
    requests[0].stream.reset('internal-error');
    expect(transport).toMatchObject({ destroyed: true, ended: false });
  });

  test('after the response leaves the connection alone', () => {
    const { requests, send, transport } = open();
    send(GET);
    answerOk(requests[0]);
    requests[0].stream.reset('cancelled');
    send(GET);
    transport.turn();
    expect(requests.length).toBe(2);
    expect(requests[0].sent).toBe(0);
    expect(transport).toMatchObject({ destroyed: false, ended: false });
  });
});

describe('tunnel', () => {
  const UPGRADE =
    'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n';

  test('carries raw bytes both ways after 101, early ones included', () => {
    const { requests, send, transport, connection } = open();
    send(`${UPGRADE}early`);
    expect(requests[0].head.upgrade).toBe('websocket');
    expect(requests[0].ended).toBe(false);
    expect(requests[0].body).toBe('');
    requests[0].stream.respond(head(101, ['sec-websocket-accept', 'x']), false);
    expect(requests[0].body).toBe('');
    send(' bytes');
    expect(transport.takeText()).toBe(
      'HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
    );
    expect(requests[0].body).toBe('early bytes');
    send(GET);
    expect(requests[0].body).toBe(`early bytes${GET}`);
    requests[0].stream.data(Buffer.from('down'), false);
    expect(transport.takeText()).toBe('down');
    connection.receiveEnd();
    expect(requests[0].ended).toBe(true);
    requests[0].stream.data(Buffer.from('last'), true);
    expect(transport.takeText()).toBe('last');
    expect(transport.ended).toBe(true);
    expect(requests[0].sent).toBe(1);
    expect(requests[0].chunks.filter(chunk => chunk.length === 0).length).toBe(1);
    connection.closed('connection-closed');
    expect(requests[0].reset).toBe(null);
  });

  test('goes on in one direction when the other has ended', () => {
    const { requests, send, transport, connection } = open();
    send('CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\n');
    requests[0].stream.respond(head(200), false);
    requests[0].stream.data(Buffer.alloc(0), true);
    expect(transport.text).toBe('HTTP/1.1 200 OK\r\n\r\n');
    expect(transport.ended).toBe(true);
    send('still');
    expect(requests[0].body).toBe('still');
    connection.closed('connection-closed');
    expect(requests[0].reset).toBe('connection-closed');
  });

  test('passes on a FIN that came before it was there', () => {
    const { requests, send, transport, connection } = open();
    send('CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\nall');
    connection.receiveEnd();
    requests[0].stream.respond(head(200), false);
    transport.turn();
    transport.turn();
    expect(requests[0].body).toBe('all');
    expect(requests[0].ended).toBe(true);
    expect(requests[0].chunks.length).toBe(2);
  });

  test('that is refused is an ordinary response', () => {
    const { requests, send, transport } = open();
    send(UPGRADE);
    answerOk(requests[0]);
    expect(transport.takeText()).toBe(OK);
    send(GET);
    expect(requests.length).toBe(2);
  });

  test('that is refused after early bytes closes, and does not read them as requests', () => {
    const { requests, send, transport } = open();
    send(UPGRADE + GET);
    answerOk(requests[0]);
    expect(transport.text).toContain('connection: close');
    expect(transport.ended).toBe(true);
    expect(requests.length).toBe(1);
  });

  test('a refused CONNECT always closes', () => {
    const { requests, send, transport } = open();
    send('CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\n');
    requests[0].stream.respond(head(403), true);
    expect(transport.text).toContain('connection: close');
    send(GET);
    expect(requests.length).toBe(1);
  });

  test('is not there for HTTP/1.0, without Connection, or for HTTP itself', () => {
    for (const request of [
      'GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c, HTTP/2.0\r\n\r\n',
    ]) {
      const { requests, send } = open();
      send(request);
      expect(requests[0].head.upgrade).toBe('');
      expect(requests[0].ended).toBe(true);
    }
  });

  test('a 101 that nobody asked for resets', () => {
    const { requests, send, transport } = open();
    send(GET);
    requests[0].stream.respond(head(101), false);
    expect(transport.destroyed).toBe(true);
  });
});

describe('time', () => {
  test('a head that does not end is answered 408', () => {
    const { send, transport, connection, observer } = open();
    connection.tick(0);
    send('GET / HT');
    connection.tick(1000);
    send('TP/1.1\r\n');
    connection.tick(10_000);
    expect(transport.text).toBe('');
    connection.tick(11_000);
    expect(transport.text).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\ntulle-error: REQUEST_INCOMPLETE; /);
    expect(observer.limits).toEqual(['headTimeoutMs']);
    connection.tick(12_000);
    expect(transport.destroyed).toBe(false);
    connection.tick(17_000);
    expect(transport.destroyed).toBe(true);
  });

  test('a body that stops is answered 408 and reset, unless we do not read it', () => {
    const { requests, send, transport, connection } = open({ autoConsume: false });
    send(post('Content-Length: 100000\r\n'));
    connection.tick(0);
    connection.receive(Buffer.alloc(66_000));
    connection.tick(50_000);
    connection.tick(200_000);
    expect(requests[0].reset).toBe(null);
    requests[0].stream.consumed(66_000);
    connection.tick(201_000);
    connection.tick(260_000);
    expect(requests[0].reset).toBe(null);
    connection.tick(261_000);
    expect(requests[0].reset).toBe('timeout');
    expect(transport.text).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('a client that does not read loses its connection', () => {
    const { requests, send, transport, connection, observer } = open({ highWater: 100 });
    transport.blocked = true;
    send(GET);
    answerOk(requests[0]);
    transport.turn();
    connection.tick(1000);
    connection.tick(60_000);
    expect(transport.destroyed).toBe(false);
    connection.tick(61_000);
    expect(transport.destroyed).toBe(true);
    expect(requests[0].reset).toBe('timeout');
    expect(observer.limits).toEqual(['bodyIdleTimeoutMs']);
  });

  test('a client that reads slowly keeps its connection, and time for its last bytes', () => {
    const { requests, send, transport, connection } = open({ highWater: 100 });
    send('GET / HTTP/1.0\r\n\r\n');
    transport.blocked = true;
    requests[0].stream.respond(head(200), false);
    for (let now = 0; now < 300_000; now += 50_000) {
      requests[0].stream.data(Buffer.from('ok'), false);
      transport.turn();
      connection.tick(now);
      transport.take();
      requests[0].stream.data(Buffer.from('ok'), false);
      transport.turn();
    }
    requests[0].stream.data(Buffer.from('ok'), true);
    transport.turn();
    connection.tick(301_000);
    connection.tick(320_000);
    expect(transport).toMatchObject({ ended: true, destroyed: false });
    transport.take();
    connection.tick(321_000);
    connection.tick(326_000);
    expect(transport.destroyed).toBe(true);
  });

  test('a slow answer of the application is no timeout', () => {
    const { requests, send, transport, connection } = open();
    send(GET);
    for (let now = 0; now < 10_000_000; now += 1_000_000) connection.tick(now);
    answerOk(requests[0]);
    expect(transport.text).toBe(OK);
  });

  test('an idle connection ends', () => {
    const { transport, connection, send, observer } = open({
      limits: { idleTimeoutMs: 5000 },
      onEnd: answerOk,
    });
    connection.tick(0);
    connection.tick(4000);
    send(GET);
    transport.turn();
    connection.tick(5000);
    connection.tick(9000);
    expect(transport.ended).toBe(false);
    connection.tick(10_000);
    expect(transport.ended).toBe(true);
    expect(observer.limits).toEqual(['idleTimeoutMs']);
  });
});

describe('drain', () => {
  test('closes with the response to the open request', () => {
    const { requests, send, transport, connection } = open();
    send(GET);
    connection.drain();
    answerOk(requests[0]);
    expect(transport.text).toContain('connection: close\r\n');
    expect(transport.ended).toBe(true);
  });

  test('serves a request that was on its way to an idle connection, then closes', () => {
    const { send, transport, connection } = open({ onEnd: answerOk });
    connection.drain();
    connection.tick(0);
    connection.tick(1000);
    expect(transport.ended).toBe(false);
    send(GET);
    expect(transport.text).toContain('connection: close\r\n');
    expect(transport.ended).toBe(true);
  });

  test('closes an idle connection after the grace time', () => {
    const { transport, connection } = open();
    connection.drain();
    connection.tick(0);
    connection.tick(1999);
    expect(transport.ended).toBe(false);
    connection.tick(2000);
    expect(transport.ended).toBe(true);
  });
});

test('destroy ends everything', () => {
  const { requests, send, transport, connection } = open();
  send(GET);
  connection.destroy();
  expect(transport.destroyed).toBe(true);
  connection.closed('connection-closed');
  expect(requests[0].reset).toBe('connection-closed');
  expect(connection.context).toBe('context');
});
