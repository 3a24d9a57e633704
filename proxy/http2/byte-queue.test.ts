import { describe, expect, it } from 'vitest';
import { BLOCK_BYTES, BlockPool } from '../exchange/block-pool.ts';
import { ByteQueue } from './byte-queue.ts';

describe('ByteQueue', () => {
  it('gives octets back in their order, whatever the sizes', () => {
    const queue = new ByteQueue(new BlockPool());
    const [given, taken]: [number[], number[]] = [[], []];
    for (let i = 0; i < 3000; i++) {
      const size = i % 17 === 0 ? 4096 + (i % 50) * 1000 : 1 + ((i * 37) % 900);
      const chunk = Buffer.from(Array.from({ length: size }, (_, at) => (given.length + at * 7) & 0xff));
      for (const octet of chunk) given.push(octet);
      queue.push(chunk);
      // A chunk is only lent.
      chunk.fill(0xee);
      while (queue.length > (i % 3) * 5000) taken.push(...queue.take(1 + ((i * 53) % 30_000)));
      if (queue.length === 0 && i % 2 === 0) queue.clear();
    }
    while (queue.length > 0) taken.push(...queue.take(100_000));
    expect(Buffer.from(taken).equals(Buffer.from(given))).toBe(true);
  });

  it('gives every block back to the pool, taken or not', () => {
    const pool = new BlockPool();
    const first = Array.from({ length: 4 }, () => pool.take());
    first.forEach(block => pool.give(block));
    const queue = new ByteQueue(pool);
    queue.push(Buffer.alloc(4 * BLOCK_BYTES));
    while (queue.length > BLOCK_BYTES) queue.take(BLOCK_BYTES);
    queue.clear();
    expect(new Set(Array.from({ length: 4 }, () => pool.take()))).toEqual(new Set(first));
  });

  it('takes little for little', () => {
    const pool = new BlockPool();
    const block = pool.take();
    pool.give(block);
    new ByteQueue(pool).push(Buffer.from('little'));
    expect(pool.take()).toBe(block);
  });
});
