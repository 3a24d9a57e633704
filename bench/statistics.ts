/** Median and spread of repeated measurements. */

export interface Spread {
  min: number;
  median: number;
  max: number;
}

/** NaN three times for no values. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  if (sorted.length === 0) return { min: Number.NaN, median: Number.NaN, max: Number.NaN };
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { min: sorted[0], median, max: sorted[sorted.length - 1] };
}

/** Values below which the given shares of the samples lie (nearest rank); NaN for no samples. */
export function quantiles(samples: Float64Array, shares: readonly number[]): number[] {
  const sorted = samples.toSorted();
  return shares.map(share => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN);
}
