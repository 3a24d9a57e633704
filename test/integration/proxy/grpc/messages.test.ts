import { randomBytes } from 'node:crypto';
import type { ClientHttp2Stream, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { eventually } from '../apps.ts';
import { http2Answer, http2App, http2Session } from '../http2/peers.ts';
import { reach, type Way, ways } from '../ways.ts';

/** Length-prefixed message of gRPC over HTTP/2; `compressed` is its first octet. */
function message(payload: Buffer, compressed: number): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = compressed;
  prefix.writeUInt32BE(payload.length, 1);
  return Buffer.concat([prefix, payload]);
}

/** A call of gRPC by hand, so that every octet is the test's. */
async function call(
  way: Way,
  onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
  fields: Record<string, string> = {},
): Promise<ClientHttp2Stream> {
  const app = await http2App(onStream);
  // Megabytes that Node's client may keep.
  const client = await http2Session(await reach(way, app.port, { protocol: 'grpc' }), {
    maxSessionMemory: 100,
  });
  return client.request({
    ':method': 'POST',
    ':path': '/shop.Orders/Place',
    'content-type': 'application/grpc+proto',
    te: 'trailers',
    ...fields,
  });
}

describe.each(ways)('gRPC, %s', way => {
  test('compressed messages are the same octets on the other side, whatever the encoding says', async () => {
    const messages = Buffer.concat([
      message(gzipSync(randomBytes(100_000)), 1),
      message(deflateSync(Buffer.alloc(50_000, 'a')), 1),
      message(Buffer.from('not compressed'), 0),
      message(randomBytes(10), 1),
      message(Buffer.alloc(0), 0),
    ]);
    let encodings: unknown[] = [];
    const stream = await call(
      way,
      (server, headers) => {
        encodings = [headers['grpc-encoding'], headers['grpc-accept-encoding']];
        const { 'grpc-encoding': encoding = '' } = headers;
        server.respond({ ':status': 200, 'grpc-encoding': encoding }, { waitForTrailers: true });
        server.on('wantTrailers', () => server.sendTrailers({ 'grpc-status': '0' }));
        server.pipe(server);
      },
      { 'grpc-encoding': 'gzip', 'grpc-accept-encoding': 'identity,deflate,gzip' },
    );
    const answer = http2Answer(stream);
    stream.end(messages);
    const { body, headers, trailers } = await answer;
    expect(body.equals(messages)).toBe(true);
    expect(encodings).toEqual(['gzip', 'identity,deflate,gzip']);
    expect([headers['grpc-encoding'], trailers['grpc-status']]).toEqual(['gzip', '0']);
  });

  test('messages of 20 MB pass, each way and in one frame or many', async () => {
    const large = message(randomBytes(20_000_000), 0);
    const stream = await call(way, server => {
      server.respond({ ':status': 200 }, { waitForTrailers: true });
      server.on('wantTrailers', () => server.sendTrailers({ 'grpc-status': '0' }));
      server.pipe(server);
    });
    const answer = http2Answer(stream);
    stream.end(large);
    expect((await answer).body.equals(large)).toBe(true);
  });

  test('a status in trailers alone comes with all that it says', async () => {
    const stream = await call(way, server =>
      server.respond(
        {
          ':status': 200,
          'content-type': 'application/grpc',
          'grpc-status': '9',
          'grpc-message': 'not%20now%3A %E2%9C%93',
          'grpc-status-details-bin': 'CAkSBW5vdCE=',
        },
        { endStream: true },
      ),
    );
    const answer = http2Answer(stream);
    stream.end(message(Buffer.alloc(0), 0));
    const { headers, body } = await answer;
    expect([headers['grpc-status'], headers['grpc-message'], headers['grpc-status-details-bin']]).toEqual([
      '9',
      'not%20now%3A %E2%9C%93',
      'CAkSBW5vdCE=',
    ]);
    expect(body.length).toBe(0);
  });

  test('metadata keeps its order, its repetitions and its binary values', async () => {
    let raw: string[] = [];
    const stream = await call(
      way,
      (server, headers) => {
        raw = [String(headers['x-trace']), String(headers['x-data-bin'])];
        server.respond(
          { ':status': 200, 'grpc-status': '0', 'x-back-bin': ['AAEC', '//79'] },
          { endStream: true },
        );
      },
      { 'x-trace': 'a, b,c', 'x-data-bin': 'AAH/gP8=' },
    );
    const answer = http2Answer(stream);
    stream.end();
    expect((await answer).headers['x-back-bin']).toBe('AAEC, //79');
    expect(raw).toEqual(['a, b,c', 'AAH/gP8=']);
  });

  test('the deadline of the caller ends the call at both ends, though the caller forgets it', async () => {
    let timeout = '';
    let code = -1;
    const stream = await call(
      way,
      (server, headers) => {
        timeout = String(headers['grpc-timeout']);
        server.on('close', () => (code = server.rstCode ?? -1));
      },
      { 'grpc-timeout': '200m' },
    );
    const answer = http2Answer(stream);
    stream.write(message(Buffer.from('hello'), 0));
    const { headers } = await answer;
    expect([headers[':status'], headers['grpc-status']]).toEqual([200, '4']);
    expect(timeout).toMatch(/^\d+[mun]$/);
    await eventually(() => code !== -1);
    expect(code).toBe(8);
  });

  test('a stream that the application breaks ends with a status', async () => {
    const stream = await call(way, server => {
      server.respond({ ':status': 200, 'content-type': 'application/grpc' });
      server.write(message(Buffer.from('half'), 0), () => server.destroy(new Error('broken')));
    });
    const answer = http2Answer(stream);
    stream.write(message(Buffer.alloc(0), 0));
    const { trailers, body } = await answer;
    expect(body.length).toBe(9);
    expect(trailers['grpc-status']).toBe('14');
  });
});
