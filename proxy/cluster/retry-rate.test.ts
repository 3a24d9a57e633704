import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RetryRate } from './retry-rate.ts';

const CONFIG = { fraction: 0.2, intervalMs: 10_000, minCount: 2, minIntervalMs: 1000 };

function retries(rate: RetryRate, now: number, tries: number): number {
  let made = 0;
  for (let i = 0; i < tries && rate.allows(now); i++) {
    rate.retried(now);
    made++;
  }
  return made;
}

describe('a retry budget by time', () => {
  test('is a share of all requests of the interval, retries among them', () => {
    const rate = new RetryRate({ ...CONFIG, minCount: 0 });
    expect(rate.allows(1000)).toBe(false);
    for (let i = 0; i < 80; i++) rate.requested(1000);
    expect(retries(rate, 1000, 100)).toBe(20);
    expect(rate.allows(9000)).toBe(false);
    // The interval has passed, and with it both the requests and the retries.
    for (let i = 0; i < 8; i++) rate.requested(12_000);
    expect(retries(rate, 12_000, 100)).toBe(2);
  });

  test('allows the least rate in any case, and again when its time has passed', () => {
    const rate = new RetryRate({ ...CONFIG, fraction: 0 });
    expect(retries(rate, 0, 100)).toBe(2);
    expect(rate.allows(800)).toBe(false);
    expect(retries(rate, 1100, 100)).toBe(2);
  });

  test('never allows more than either, and never less', () => {
    const step = fc.record({ wait: fc.nat(3000), kind: fc.constantFrom('request', 'request', 'retry') });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), steps => {
        const rate = new RetryRate(CONFIG);
        const requests: number[] = [];
        const made: number[] = [];
        // Counted in tenths of the interval, of which the oldest ends with the interval at the latest.
        const within = (times: number[], ms: number) =>
          times.filter(at => Math.floor(at / (ms / 10)) > Math.floor(now / (ms / 10)) - 10).length;
        let now = 5;
        for (const { wait, kind } of steps) {
          now += wait;
          if (kind === 'request') {
            requests.push(now);
            rate.requested(now);
            continue;
          }
          const asked = within(made, 10_000) + 1;
          const share = asked <= 0.2 * (within(requests, 10_000) + asked);
          expect(rate.allows(now)).toBe(share || within(made, 1000) < 2);
          if (!rate.allows(now)) continue;
          made.push(now);
          rate.retried(now);
        }
      }),
    );
  });
});
