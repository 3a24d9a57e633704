import { expect, test } from 'vitest';
import { BodyDecoder, type BodySink } from './body-decoder.ts';
import { FieldCache } from './field-cache.ts';
import { HeadParser } from './head-parser.ts';
import { DEFAULT_HTTP1_LIMITS } from './limits.ts';

/** Decodes one chunked body whose receiver stops at the first data. */
function decodeAndStop(body: string): string[] {
  const heard: string[] = [];
  const sink: BodySink = {
    onBody(chunk, end) {
      heard.push(`${chunk.length} ${end}`);
      decoder.stop();
    },
    onBodyTrailers: () => heard.push('trailers'),
  };
  const parser = new HeadParser(DEFAULT_HTTP1_LIMITS, new FieldCache());
  const decoder = new BodyDecoder(sink, DEFAULT_HTTP1_LIMITS, parser);
  decoder.startChunked();
  const bytes = Buffer.from(body);
  decoder.decode(bytes, 0, bytes.length);
  expect(decoder.done).toBe(true);
  return heard;
}

test('nothing is passed on after a stop from inside the receiver', () => {
  const large = `1388\r\n${'x'.repeat(5000)}\r\n`;
  expect(decodeAndStop(`${large}${large}0\r\n\r\n`)).toEqual(['5000 false']);
  expect(decodeAndStop(`1\r\na\r\n${large}`)).toEqual(['1 false']);
  expect(decodeAndStop('1\r\na\r\n0\r\nX: y\r\n\r\n')).toEqual(['1 false']);
});

test('a stop from outside forgets what a later body must not see', () => {
  const heard: string[] = [];
  const sink: BodySink = {
    onBody: (chunk, end) => heard.push(`${chunk.latin1Slice(0, chunk.length)} ${end}`),
    onBodyTrailers: fields => heard.push(fields.join()),
  };
  const parser = new HeadParser(DEFAULT_HTTP1_LIMITS, new FieldCache());
  const decoder = new BodyDecoder(sink, DEFAULT_HTTP1_LIMITS, parser);
  decoder.startChunked();
  const cut = Buffer.from('0\r\nX: cut off');
  decoder.decode(cut, 0, cut.length);
  decoder.stop();
  decoder.startChunked();
  const whole = Buffer.from('1\r\na\r\n0\r\nX: y\r\n\r\n');
  expect(decoder.decode(whole, 0, whole.length)).toBe(whole.length);
  expect(heard).toEqual(['a false', 'x,y']);
});
