/** Why a retry was made; label `reason` of `tulle_retries_total`. */
export const retryReasons = [
  'refused',
  'connect-failed',
  'reset',
  'timeout',
  'status',
  'grpc-status',
] as const;
export type RetryReason = (typeof retryReasons)[number];

/** Why a retry that was wanted was not made; label `reason` of `tulle_retries_denied_total`. */
export const retryDenials = [
  'budget',
  'body',
  'method',
  'attempts',
  'not-retriable',
  'deadline',
  'retry-after',
] as const;
export type RetryDenial = (typeof retryDenials)[number];

/** Plain counters of one Service; `Metrics.service(host)` keeps one object per host for the life of the process. */
export interface ServiceCounters {
  readonly retries: Record<RetryReason, number>;
  readonly retriesDenied: Record<RetryDenial, number>;
  ejections: number;
}

export function createServiceCounters(): ServiceCounters {
  return {
    retries: { refused: 0, 'connect-failed': 0, reset: 0, timeout: 0, status: 0, 'grpc-status': 0 },
    retriesDenied: {
      budget: 0,
      body: 0,
      method: 0,
      attempts: 0,
      'not-retriable': 0,
      deadline: 0,
      'retry-after': 0,
    },
    ejections: 0,
  };
}
