/**
 * Whether a resourceVersion is before another of the same API server: they are decimal numbers of any length, and '' is
 * before all (KEP-5504, Comparable Resource Version).
 */
export function isEarlier(a: string, b: string): boolean {
  return a.length === b.length ? a < b : a.length < b.length;
}
