/** Median and spread of repeated measurements. */

export interface Spread {
  min: number;
  median: number;
  max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { min: sorted[0], median, max: sorted[sorted.length - 1] };
}

/** Value below which the given share of the samples lies. */
export function quantile(samples: Float64Array, share: number): number {
  const sorted = samples.toSorted();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}
