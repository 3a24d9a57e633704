import { expect, test } from 'vitest';
import { FieldCache } from './field-cache.ts';
import { CONTENT_LENGTH, KIND_MASK } from './field-table.ts';

function name(cache: FieldCache, text: string, hash: number): string {
  const bytes = Buffer.from(text, 'latin1');
  return cache.name(bytes, 0, bytes.length, hash);
}

test('a name is never taken for another one with the same hash', () => {
  const cache = new FieldCache();
  for (const text of ['content-length', 'content-lengti', 'Content-Length', 'dontent-length', 'host']) {
    expect(name(cache, text, 7)).toBe(text.toLowerCase());
    expect((cache.tag & KIND_MASK) === CONTENT_LENGTH).toBe(text.toLowerCase() === 'content-length');
  }
});

test('a value is never taken for another one with the same sparse hash', () => {
  const cache = new FieldCache();
  // The sparse hash sees the ends and the middle only.
  for (const text of ['abcdefghij', 'abXdefghij', 'abcdefgXij', 'ABCDEFGHIJ', 'abcdefghij']) {
    const bytes = Buffer.from(`-${text}-`, 'latin1');
    expect(cache.value(bytes, 1, bytes.length - 1)).toBe(text);
  }
  for (let round = 0; round < 2; round++) {
    for (let byte = 0; byte < 256; byte++) {
      for (const bytes of [Buffer.from([0x61, 0x62, byte]), Buffer.from([byte, 0x61, 0x62, 0x63])]) {
        expect(cache.value(bytes, 0, bytes.length)).toBe(bytes.toString('latin1'));
      }
    }
  }
  for (const text of ['aa', 'ab', 'ba', 'a', 'b', '\xff', '']) {
    const bytes = Buffer.from(text, 'latin1');
    expect(cache.value(bytes, 0, bytes.length)).toBe(text);
  }
});

test('what comes again is the same string, not a copy', () => {
  const cache = new FieldCache();
  const long = 'x'.repeat(60);
  expect(name(cache, long, 1)).toBe(long);
  expect(name(cache, 'Accept', 2)).toBe('accept');
  expect(name(cache, 'ACCEPT', 2)).toBe('accept');
});
