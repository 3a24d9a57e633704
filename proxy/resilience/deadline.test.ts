import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deadline, formatGrpcTimeout, parseGrpcTimeout } from './deadline.ts';

describe('parseGrpcTimeout', () => {
  it.each([
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3000],
    ['250m', 250],
    ['500u', 0.5],
    ['1000n', 0.001],
    ['99999999m', 99_999_999],
    ['0n', 0],
    ['100000000m', -1],
    ['', -1],
    ['S', -1],
    ['1', -1],
    ['1s', -1],
    ['-1S', -1],
    ['1.5S', -1],
    [' 1S', -1],
  ])('of %j is %d', (value, ms) => {
    expect(parseGrpcTimeout(value)).toBeCloseTo(ms, 9);
  });
});

describe('formatGrpcTimeout', () => {
  it('is within the precision of 8 digits of what it was given, and valid', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e10, noNaN: true }), ms => {
        const value = formatGrpcTimeout(ms);
        const back = parseGrpcTimeout(value);
        expect(value).toMatch(/^\d{1,8}[unmSMH]$/);
        expect(back).toBeGreaterThanOrEqual(ms - 1e-6);
        expect(back).toBeLessThanOrEqual(ms * (1 + 1e-4) + 0.001 + 1e-6);
      }),
    );
  });

  it('is zero when there is no time left', () => {
    expect(formatGrpcTimeout(-5)).toBe('0n');
  });
});

describe('deadline', () => {
  it.each([
    ['the timeout of the route', 100, '', 1100],
    ['the deadline of the caller, if it is earlier', 100, '50m', 1050],
    ['the timeout of the route, if it is earlier', 100, '1S', 1100],
    ['the deadline of the caller alone', 0, '1S', 2000],
    ['none', 0, '', Number.POSITIVE_INFINITY],
    ['none for a malformed value', 0, 'x', Number.POSITIVE_INFINITY],
  ])('is %s', (_, timeoutMs, grpcTimeout, at) => {
    expect(deadline(1000, timeoutMs, grpcTimeout)).toBe(at);
  });
});
