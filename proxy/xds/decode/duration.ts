import { millisecondsOf } from '../../../api/xds/duration.ts';
import type { Duration } from '../../../api/xds/gen/google/protobuf/duration.ts';
import type { Problems } from './decoded.ts';

/** Timers of Node hold 31 bits of milliseconds: 24 days. */
const MAX_MS = 2 ** 31 - 1;

/** A length of time in ms; `fallback` if the field is absent. Negative and endless ones are problems. */
export function readDuration(
  duration: Duration | undefined,
  fallback: number,
  field: string,
  problems: Problems,
): number {
  if (duration === undefined) return fallback;
  const ms = millisecondsOf(duration);
  if (ms >= 0 && ms <= MAX_MS) return ms;
  problems.add(field, `${ms / 1000}s`, 'use 0s to 2147483s');
  return fallback;
}
