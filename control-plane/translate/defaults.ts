/** What holds where neither a route nor a policy says otherwise. docs/reference/defaults.md is made from this table. */
export const defaults = {
  outlier: {
    /** Failures in a row (connection failures, 5xx) that eject an endpoint. */
    consecutiveFailures: 5,
    baseEjectionMs: 10_000,
    maxEjectionMs: 60_000,
    /** Share of a cluster that may be ejected at once, percent. */
    maxEjectedPercent: 50,
  },
  /** For gRPC clients, which eject by the share of failed calls only. */
  grpcOutlier: {
    intervalMs: 5000,
    /** Percent of an endpoint's calls. */
    failurePercent: 85,
    /** Calls in an interval, below which an endpoint is not judged. */
    minRequests: 5,
    /** Endpoints with so many calls, below which none is ejected. */
    minEndpoints: 2,
  },
  retryBudget: {
    /** Retries in flight as a share of the requests in flight, percent. */
    percent: 20,
    /** Retries that are always allowed. */
    min: 3,
  },
  /** First wait between attempts; the longest is ten times as long (Envoy's default ratio). */
  retryBackoffMs: 25,
  /** A longer wait that an answer demands before a retry is not made: the answer is passed on. */
  maxRetryAfterMs: 5000,
  /** Attempts that Envoy makes after a connection that failed or a stream that was refused, where no route says more. */
  connectRetries: 2,
} as const;
