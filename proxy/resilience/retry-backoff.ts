import * as fields from '../exchange/fields.ts';
import type { FieldLines } from '../exchange/stream.ts';
import type { RetryConfig } from '../route/route-config.ts';

/** Of retries whose route says nothing (DESIGN §3.5). */
export const DEFAULT_BASE_MS = 25;
export const DEFAULT_MAX_MS = 250;

/**
 * Milliseconds to wait before the next attempt, where `retries` have been made. The ceiling doubles with each. Without a
 * backoff of the route the wait is any time under it; a backoff of the route is the least that is waited (GEP-1731), and
 * the ceiling begins there. What the answer demands is waited, or the route's least.
 * `elsewhere`: an endpoint not yet tried is there for an attempt that failed before any byte was processed. The first
 * such move is made at once: the endpoint has not seen the request.
 */
export function retryDelay(
  retry: RetryConfig | null,
  retries: number,
  elsewhere: boolean,
  retryAfter: number,
  random: () => number,
): number {
  const backoff = retry === null ? null : retry.backoff;
  if (retryAfter >= 0) return backoff === null ? retryAfter : Math.max(retryAfter, backoff.baseMs);
  if (elsewhere && retries === 0) return 0;
  const doubled = 2 ** Math.min(retries, 30);
  if (backoff === null) return random() * Math.min(DEFAULT_MAX_MS, DEFAULT_BASE_MS * doubled);
  return Math.min(backoff.maxMs, backoff.baseMs * doubled) * (1 + random() / 2);
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
