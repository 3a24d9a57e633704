import type { Problems } from './fields.ts';

/** GEP-2257: up to four pairs of number and unit, no fractions. */
const DURATION = /^([0-9]{1,5}(h|m|s|ms)){1,4}$/;
const PAIR = /([0-9]{1,5})(h|ms|m|s)/g;
const MILLISECONDS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Reads a Gateway API duration in milliseconds; 0 if the field is absent, null if it is wrong. */
export function duration(value: unknown, path: string, problems: Problems): number | null {
  if (value === undefined || value === null) return 0;
  if (typeof value !== 'string' || !DURATION.test(value)) {
    problems.add(path, value, 'use a duration such as 500ms, 10s or 1m30s');
    return null;
  }
  let total = 0;
  for (const [, number, unit] of value.matchAll(PAIR)) total += Number(number) * MILLISECONDS[unit];
  return total;
}
