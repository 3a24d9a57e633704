import { expect, test } from 'vitest';
import { REPLAY_BYTES, RequestBody } from './request-body.ts';
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
  const body = new RequestBody();
  const lent = Buffer.from('abc');
  body.keep(lent, true);
  lent.fill('x');
  body.keep(Buffer.from('def'), true);
  expect(replayed(body, false)).toMatchObject({ text: 'abcdef', ended: false });
  expect(replayed(body, true)).toMatchObject({ text: 'abcdef', ended: true });
  expect(replayed(body, true, ['a', 'b'])).toMatchObject({ text: 'abcdef[a,b]', ended: true });
});

test('gives up beyond the limit what an attempt has already got', () => {
  const body = new RequestBody();
  body.keep(Buffer.alloc(REPLAY_BYTES), true);
  expect(body.intact).toBe(true);
  body.keep(Buffer.alloc(1), true);
  expect([body.intact, body.bytes]).toEqual([false, 0]);
});

test('keeps what no attempt has got, however much it is, until it is sent', () => {
  const body = new RequestBody();
  body.keep(Buffer.alloc(REPLAY_BYTES), false);
  body.keep(Buffer.from('rest'), false);
  expect(body.intact).toBe(true);
  expect(replayed(body, true).text.length).toBe(REPLAY_BYTES + 4);
  expect(body.intact).toBe(false);
});

test('an empty body that has ended is ended', () => {
  expect(replayed(new RequestBody(), true)).toMatchObject({ text: '', ended: true });
});
