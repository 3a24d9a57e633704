import type { Duration } from './gen/google/protobuf/duration.ts';

/** A google.protobuf.Duration of `milliseconds`, which may have a fraction or be negative. */
export function durationOf(milliseconds: number): Duration {
  const whole = Math.trunc(milliseconds / 1000);
  const nanos = Math.round((milliseconds - whole * 1000) * 1e6);
  // Rounding may reach a full second; `+ 0` turns -0 into 0.
  const carry = Math.trunc(nanos / 1e9);
  return { seconds: whole + carry + 0, nanos: nanos - carry * 1e9 + 0 };
}

/** The length of a google.protobuf.Duration in milliseconds. */
export function millisecondsOf(duration: Duration): number {
  return duration.seconds * 1000 + duration.nanos / 1e6;
}

/** proto3 JSON: seconds with 0, 3, 6 or 9 digits of a fraction, for instance `1.500s`. */
export function formatDuration({ seconds, nanos }: Duration): string {
  const sign = seconds < 0 || nanos < 0 ? '-' : '';
  const digits = String(Math.abs(nanos)).padStart(9, '0');
  const fraction = nanos === 0 ? '' : `.${digits.replace(/(000){1,2}$/, '')}`;
  return `${sign}${Math.abs(seconds)}${fraction}s`;
}
