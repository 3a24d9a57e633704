import { constants } from 'node:http2';
import { describe, expect, test } from 'vitest';
import { eventually } from '../apps.ts';
import { reach, ways } from '../ways.ts';
import { framesApp, halfAnswer, ok, rst } from './frames-app.ts';
import { http2Answer, http2App, http2Session } from './peers.ts';

const {
  NGHTTP2_CANCEL: CANCEL,
  NGHTTP2_INTERNAL_ERROR: INTERNAL_ERROR,
  NGHTTP2_NO_ERROR: NO_ERROR,
  NGHTTP2_REFUSED_STREAM: REFUSED_STREAM,
  NGHTTP2_ENHANCE_YOUR_CALM: ENHANCE_YOUR_CALM,
} = constants;

describe.each(ways)('RST_STREAM, %s', way => {
  const at = (app: number) => reach(way, app, { protocol: 'http2' });

  test.each([CANCEL, INTERNAL_ERROR])('of a client with code %i cancels at the application', async code => {
    const codes: number[] = [];
    const app = await http2App(stream => {
      stream.respond({ ':status': 200 });
      stream.write('begin');
      stream.on('close', () => codes.push(stream.rstCode ?? -1));
    });
    const client = await http2Session(await at(app.port));
    const stream = client.request({ ':path': '/' });
    stream.on('error', () => {});
    await new Promise(resolve => stream.once('data', resolve));
    stream.close(code);
    await eventually(() => codes.length === 1);
    expect(codes).toEqual([CANCEL]);
  });

  test.each([
    [CANCEL, CANCEL],
    [INTERNAL_ERROR, INTERNAL_ERROR],
    [ENHANCE_YOUR_CALM, INTERNAL_ERROR],
  ])('of the application inside an answer with code %i reaches the client as %i', async (code, expected) => {
    const app = await framesApp((stream, write) => {
      write(halfAnswer(stream));
      setTimeout(() => write(rst(stream, code)), 20);
    });
    const client = await http2Session(await at(app));
    const answer = await http2Answer(client.request({ ':path': '/' }));
    expect([answer.status, answer.code]).toEqual([200, expected]);
  });

  test('of the application before its answer is an answer of the sidecar', async () => {
    const app = await framesApp((stream, write) => write(rst(stream, INTERNAL_ERROR)));
    const client = await http2Session(await at(app));
    const answer = await http2Answer(
      client.request({ ':method': 'POST', ':path': '/' }, { endStream: true }),
    );
    expect([answer.status, answer.code]).toEqual([503, NO_ERROR]);
    expect(String(answer.headers['tulle-error'])).toMatch(/^STREAM_RESET; /);
  });

  test('with REFUSED_STREAM is tried again, whatever the method', async () => {
    let requests = 0;
    const app = await framesApp((stream, write) =>
      write(++requests === 1 ? rst(stream, REFUSED_STREAM) : ok(stream)),
    );
    const client = await http2Session(await at(app));
    const stream = client.request({ ':method': 'POST', ':path': '/' });
    const answer = http2Answer(stream);
    stream.end('body');
    expect((await answer).status).toBe(200);
    expect(requests).toBe(2);
  });

  test('with NO_ERROR after a complete answer takes nothing of it away', async () => {
    const app = await http2App(stream => {
      stream.respond({ ':status': 413 });
      stream.end('too large');
      stream.close(NO_ERROR);
    });
    const client = await http2Session(await at(app.port));
    const stream = client.request({ ':method': 'POST', ':path': '/' });
    const answer = http2Answer(stream);
    stream.write('x'.repeat(200_000));
    const { status, body, code } = await answer;
    expect([status, body.toString(), code]).toEqual([413, 'too large', NO_ERROR]);
  });

  test('of one stream leaves a hundred others alone', async () => {
    const app = await http2App((stream, headers) => {
      stream.respond({ ':status': 200 });
      if (headers[':path'] === '/bad') stream.destroy(new Error('broken'));
      else setTimeout(() => stream.end('good'), 20);
    });
    const client = await http2Session(await at(app.port));
    const answers = Array.from({ length: 100 }, (_, i) =>
      http2Answer(client.request({ ':path': i % 10 === 0 ? '/bad' : '/good' })),
    );
    const good = (await Promise.all(answers)).filter(({ body }) => body.toString() === 'good');
    expect(good.length).toBe(90);
  });
});
