import { describe, expect, it } from 'vitest';
import { quantiles, spread } from './statistics.ts';

describe('spread', () => {
  it('has the middle of an odd number of values', () => {
    expect(spread([3, 10, 1])).toEqual({ min: 1, median: 3, max: 10 });
  });

  it('has the mean of the two in the middle of an even number', () => {
    expect(spread([4, 1, 2, 100])).toEqual({ min: 1, median: 3, max: 100 });
  });

  it('is not a number for no values', () => {
    expect(spread([])).toEqual({ min: Number.NaN, median: Number.NaN, max: Number.NaN });
  });
});

describe('quantiles', () => {
  const samples = Float64Array.from({ length: 1000 }, (_, i) => 1000 - i);

  it('takes the nearest rank', () => {
    expect(quantiles(samples, [0.5, 0.99, 0.999])).toEqual([500, 990, 999]);
  });

  it('ends at the largest sample', () => {
    expect(quantiles(samples, [1])).toEqual([1000]);
    expect(quantiles(Float64Array.of(7), [0, 0.999])).toEqual([7, 7]);
  });

  it('is not a number for no samples', () => {
    expect(quantiles(new Float64Array(), [0.5])).toEqual([Number.NaN]);
  });
});
