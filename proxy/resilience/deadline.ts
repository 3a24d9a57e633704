/** Deadlines: the route's timeout and what the caller still has (`grpc-timeout`), whichever ends first. */

/** Milliseconds per unit of `grpc-timeout` (gRPC over HTTP/2, TimeoutUnit). */
const UNITS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

const ZERO = 48;
const NINE = 57;

/** Milliseconds of a `grpc-timeout` value (1 to 8 digits and a unit); -1 if it is absent or malformed. */
export function parseGrpcTimeout(value: string): number {
  const digits = value.length - 1;
  if (digits < 1 || digits > 8) return -1;
  let amount = 0;
  for (let i = 0; i < digits; i++) {
    const code = value.charCodeAt(i);
    if (code < ZERO || code > NINE) return -1;
    amount = amount * 10 + code - ZERO;
  }
  const unit = UNITS[value[digits]];
  return unit === undefined ? -1 : amount * unit;
}

/** `grpc-timeout` for a time left in ms; rounded up to a microsecond, so that it is never longer by more than that. */
export function formatGrpcTimeout(ms: number): string {
  if (ms <= 0) return '0n';
  const micros = Math.ceil(ms * 1000);
  if (micros <= 99_999_999) return `${micros}u`;
  if (ms <= 99_999_999) return `${Math.ceil(ms)}m`;
  return `${Math.min(99_999_999, Math.ceil(ms / 1000))}S`;
}

/**
 * Clock time at which the request must be over; Infinity for none. `timeoutMs` is the route's (0 for none), `grpcTimeout`
 * the value of the field, '' without one.
 */
export function deadline(now: number, timeoutMs: number, grpcTimeout: string): number {
  const own = timeoutMs > 0 ? now + timeoutMs : Number.POSITIVE_INFINITY;
  if (grpcTimeout === '') return own;
  const callers = parseGrpcTimeout(grpcTimeout);
  return callers < 0 ? own : Math.min(own, now + callers);
}
