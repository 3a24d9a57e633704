import { expect, test } from 'vitest';
import { durationOf, formatDuration, millisecondsOf } from './duration.ts';

test.each([
  [0, { seconds: 0, nanos: 0 }, '0s'],
  [1500, { seconds: 1, nanos: 500_000_000 }, '1.500s'],
  [0.25, { seconds: 0, nanos: 250_000 }, '0.000250s'],
  [0.000_001, { seconds: 0, nanos: 1 }, '0.000000001s'],
  [10_000, { seconds: 10, nanos: 0 }, '10s'],
  [-1500, { seconds: -1, nanos: -500_000_000 }, '-1.500s'],
  [-20, { seconds: 0, nanos: -20_000_000 }, '-0.020s'],
  [1999.999_999_9, { seconds: 2, nanos: 0 }, '2s'],
])('%d ms', (milliseconds, duration, text) => {
  expect(durationOf(milliseconds)).toEqual(duration);
  expect(millisecondsOf(duration)).toBeCloseTo(milliseconds, 5);
  expect(formatDuration(duration)).toBe(text);
});
