import * as fields from '../exchange/fields.ts';
import type { FieldLines } from '../exchange/stream.ts';
import type { RetryConfig } from '../route/route-config.ts';

/** Of retries without a configuration of the route (DESIGN §3.5). */
export const DEFAULT_BASE_MS = 25;
export const DEFAULT_MAX_MS = 250;

/**
 * Milliseconds to wait before the next attempt: full jitter under a ceiling that doubles with each retry. `retries` is
 * the number already made; `elsewhere` says that an endpoint not yet tried is there for an attempt that failed before
 * any byte was processed: the first such retry is made at once. What the answer demands is the least that is waited.
 */
export function retryDelay(
  retry: RetryConfig | null,
  retries: number,
  elsewhere: boolean,
  retryAfter: number,
  random: () => number,
): number {
  if (retryAfter >= 0) return retryAfter;
  if (elsewhere && retries === 0) return 0;
  const base = retry === null ? DEFAULT_BASE_MS : retry.backoffBaseMs;
  const max = retry === null ? DEFAULT_MAX_MS : retry.backoffMaxMs;
  return random() * Math.min(max, base * 2 ** Math.min(retries, 30));
}

/**
 * What a response demands before a retry, in ms: `Retry-After` in seconds or as a date (RFC 9110 §10.2.3), or
 * `grpc-retry-pushback-ms` (gRFC A6). -1 if nothing; Infinity if it must not be retried. `unix` is the time of day in ms.
 */
export function retryAfterMs(lines: FieldLines, unix: number): number {
  const pushback = fields.get(lines, 'grpc-retry-pushback-ms');
  if (pushback !== '') return /^\d{1,9}$/.test(pushback) ? Number(pushback) : Number.POSITIVE_INFINITY;
  const value = fields.get(lines, 'retry-after');
  if (value === '') return -1;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  // Date.parse takes much more than HTTP-dates, "-5" for instance.
  const date = value.endsWith(' GMT') ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? -1 : Math.max(0, date - unix);
}
