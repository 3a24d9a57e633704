import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RetryConfig } from '../route/route-config.ts';
import { retryAfterMs, retryDelay } from './retry-backoff.ts';

const retry: RetryConfig = {
  attempts: 5,
  statuses: [],
  grpcStatuses: [],
  onReset: false,
  perTryTimeoutMs: 0,
  anyMethod: false,
  backoff: { baseMs: 10, maxMs: 100 },
};
const most = () => 1;

describe('retryDelay', () => {
  it('doubles the ceiling up to the maximum', () => {
    const ceilings = [0, 1, 2, 3, 4, 50].map(retries => retryDelay(retry, retries, false, -1, most));
    expect(ceilings).toEqual([15, 30, 60, 120, 150, 150]);
    expect([0, 1, 4].map(retries => retryDelay(null, retries, false, -1, most))).toEqual([25, 50, 250]);
  });

  it('has full jitter without a backoff of the route: anything from 0 to the ceiling', () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(random, fc.nat(40), (number, retries) => {
        expect(retryDelay(null, retries, false, -1, () => number)).toBe(
          number * Math.min(250, 25 * 2 ** retries),
        );
      }),
    );
  });

  it('never waits less than the route says', () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    const after = fc.constantFrom(-1, 0, 3, 50);
    fc.assert(
      fc.property(random, fc.nat(40), after, (number, retries, retryAfter) => {
        expect(retryDelay(retry, retries, false, retryAfter, () => number)).toBeGreaterThanOrEqual(10);
      }),
    );
  });

  it('does not wait before the first retry on another endpoint', () => {
    expect(retryDelay(retry, 0, true, -1, most)).toBe(0);
    expect(retryDelay(retry, 1, true, -1, most)).toBe(30);
  });

  it('waits as long as the answer demands', () => {
    expect(retryDelay(retry, 0, true, 700, most)).toBe(700);
    expect(retryDelay(null, 0, true, 0, most)).toBe(0);
  });
});

describe('retryAfterMs', () => {
  const now = Date.parse('Sun, 06 Nov 1994 08:49:37 GMT');
  it.each([
    ['seconds', ['retry-after', '2'], 2000],
    ['zero', ['retry-after', '0'], 0],
    ['a date', ['retry-after', 'Sun, 06 Nov 1994 08:49:40 GMT'], 3000],
    ['a date in the past', ['retry-after', 'Sun, 06 Nov 1994 08:49:30 GMT'], 0],
    ['nonsense', ['retry-after', 'soon'], -1],
    ['a negative number', ['retry-after', '-5'], -1],
    ['nothing', [], -1],
    ['pushback of gRPC', ['grpc-retry-pushback-ms', '120'], 120],
    ['negative pushback, which forbids a retry', ['grpc-retry-pushback-ms', '-1'], Number.POSITIVE_INFINITY],
    [
      'pushback that is not a number, which forbids it as well',
      ['grpc-retry-pushback-ms', 'x'],
      Number.POSITIVE_INFINITY,
    ],
    ['pushback before Retry-After', ['retry-after', '2', 'grpc-retry-pushback-ms', '5'], 5],
  ])('reads %s', (_, fields, ms) => {
    expect(retryAfterMs(fields, now)).toBe(ms);
  });
});
