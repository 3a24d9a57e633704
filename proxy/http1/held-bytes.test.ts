import { expect, test } from 'vitest';
import { HeldBytes } from './held-bytes.ts';

test('bytes stay in order however they are appended and taken', () => {
  const held = new HeldBytes(100_000);
  let appended = '';
  let taken = '';
  for (let i = 0; i < 200; i++) {
    const text = String(i).repeat(1 + (i % 50));
    appended += text;
    held.append(Buffer.from(`--${text}`), 2);
    const take = Math.min(held.length, (i * 37) % 120);
    taken += held.bytes.latin1Slice(held.start, held.start + take);
    held.start += take;
  }
  taken += held.bytes.latin1Slice(held.start, held.end);
  expect(taken).toBe(appended);
});

test('bytes that were passed on are never written over', () => {
  const held = new HeldBytes(100_000);
  held.append(Buffer.alloc(5000, 'a'), 0);
  const passed = held.bytes.subarray(held.start, held.end);
  held.start = held.end;
  for (let i = 0; i < 20; i++) held.append(Buffer.alloc(1000, 'b'), 0);
  expect(passed.toString()).toBe('a'.repeat(5000));
});

test('what would exceed the limit is not taken', () => {
  const held = new HeldBytes(10);
  expect(held.append(Buffer.alloc(10), 0)).toBe(true);
  expect(held.append(Buffer.alloc(1), 0)).toBe(false);
  expect(held.length).toBe(10);
});
