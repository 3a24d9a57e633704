import { expect, test } from 'vitest';
import { BLOCK_BYTES, BlockPool } from './block-pool.ts';
import { RequestBody } from './request-body.ts';

const REPLAY_BYTES = 65_536;

import type { ClientStream } from './stream.ts';

class Recorder implements ClientStream {
  text = '';
  ended = false;
  data(chunk: Buffer, end: boolean): boolean {
    this.text += chunk.toString();
    this.ended = this.ended || end;
    return true;
  }
  trailers(fields: string[]): void {
    this.text += `[${fields.join()}]`;
    this.ended = true;
  }
  reset(): void {}
  consumed(): void {}
}

function replayed(body: RequestBody, complete: boolean, trailers: string[] | null = null): Recorder {
  const recorder = new Recorder();
  body.replay(recorder, complete, trailers);
  return recorder;
}

test('gives every attempt the same bytes, also of chunks that were only lent', () => {
  const body = new RequestBody(new BlockPool(), REPLAY_BYTES);
  const lent = Buffer.from('abc');
  body.keep(lent, true);
  lent.fill('x');
  body.keep(Buffer.from('def'), true);
  expect(replayed(body, false)).toMatchObject({ text: 'abcdef', ended: false });
  expect(replayed(body, true)).toMatchObject({ text: 'abcdef', ended: true });
  expect(replayed(body, true, ['a', 'b'])).toMatchObject({ text: 'abcdef[a,b]', ended: true });
});

test('gives up beyond the limit what an attempt has already got', () => {
  const body = new RequestBody(new BlockPool(), REPLAY_BYTES);
  body.keep(Buffer.alloc(REPLAY_BYTES), true);
  expect(body.intact).toBe(true);
  body.keep(Buffer.alloc(1), true);
  expect([body.intact, body.bytes]).toEqual([false, 0]);
});

test('keeps what no attempt has got, however much it is, until it is sent', () => {
  const body = new RequestBody(new BlockPool(), REPLAY_BYTES);
  body.keep(Buffer.alloc(REPLAY_BYTES), false);
  body.keep(Buffer.from('rest'), false);
  expect(body.intact).toBe(true);
  expect(replayed(body, true).text.length).toBe(REPLAY_BYTES + 4);
  expect(body.intact).toBe(false);
});

test('an empty body that has ended is ended', () => {
  expect(replayed(new RequestBody(new BlockPool(), REPLAY_BYTES), true)).toMatchObject({
    text: '',
    ended: true,
  });
});

test('a body sent byte by byte takes no more memory than its bytes, and blocks are used again', () => {
  const pool = new BlockPool();
  let taken = 0;
  const { take } = pool;
  pool.take = () => {
    taken++;
    return take.call(pool);
  };
  const body = new RequestBody(pool, REPLAY_BYTES);
  const text = 'abcdefghijklmnopqrstuvwxyz'.repeat(2000);
  for (const letter of text) body.keep(Buffer.from(letter), true);
  expect(taken).toBeLessThanOrEqual(Math.ceil(text.length / BLOCK_BYTES));
  expect(replayed(body, true).text).toBe(text);
  expect(replayed(body.copy(), true).text).toBe(text);
  const block = pool.take();
  pool.give(block);
  expect(pool.take()).toBe(block);
});
