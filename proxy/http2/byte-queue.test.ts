import { describe, expect, it } from 'vitest';
import { BORROWED_BELOW } from '../exchange/stream.ts';
import { ByteQueue } from './byte-queue.ts';

describe('ByteQueue', () => {
  it('gives octets back in their order, whatever the sizes', () => {
    const queue = new ByteQueue();
    const [given, taken]: [number[], number[]] = [[], []];
    for (let i = 0; i < 3000; i++) {
      const size = i % 17 === 0 ? 4096 + (i % 5000) : 1 + ((i * 37) % 900);
      const chunk = Buffer.from(Array.from({ length: size }, (_, at) => (given.length + at * 7) & 0xff));
      given.push(...chunk);
      queue.push(chunk);
      // A short chunk is only lent.
      if (size < BORROWED_BELOW) chunk.fill(0xee);
      while (queue.length > (i % 3) * 5000) taken.push(...queue.take(1 + ((i * 53) % 3000)));
    }
    while (queue.length > 0) taken.push(...queue.take(100_000));
    expect(Buffer.from(taken).equals(Buffer.from(given))).toBe(true);
  });

  it('passes long chunks on without a copy', () => {
    const queue = new ByteQueue();
    const long = Buffer.alloc(BORROWED_BELOW, 1);
    queue.push(Buffer.from('short'));
    queue.push(long);
    expect(queue.take(100).toString()).toBe('short');
    expect(queue.take(BORROWED_BELOW).buffer).toBe(long.buffer);
  });
});
