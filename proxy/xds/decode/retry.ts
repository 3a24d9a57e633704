import type { RetryPolicy } from '../../../api/xds/gen/envoy/config/route/v3/route_components.ts';
import type { RetryConfig } from '../../route/route-config.ts';
import type { Problems } from './decoded.ts';
import { readDuration } from './duration.ts';

/** Envoy's names of gRPC statuses in `retry_on`. */
const GRPC_STATUSES: Readonly<Record<string, number>> = {
  cancelled: 1,
  'deadline-exceeded': 4,
  'resource-exhausted': 8,
  internal: 13,
  unavailable: 14,
};

/** Always retried here, whatever the policy says: nothing of the request was processed. */
const ALWAYS: ReadonlySet<string> = new Set(['connect-failure', 'refused-stream']);

/** The longest wait where only the first is given (Envoy's default ratio). */
const BACKOFF_RATIO = 10;

/** Routes without a policy retry only what was not processed. */
export function readRetry(
  policy: RetryPolicy | undefined,
  anyMethod: boolean,
  at: string,
  problems: Problems,
): RetryConfig | null {
  if (policy === undefined) return null;
  const conditions = policy.retryOn.split(',').filter(condition => condition !== '');
  const known = [...Object.keys(GRPC_STATUSES), ...ALWAYS, 'reset', 'retriable-status-codes'];
  for (const condition of conditions) {
    if (!known.includes(condition)) problems.add(`${at}.retry_on`, condition, `use ${known.join(', ')}`);
  }
  const statuses = conditions.includes('retriable-status-codes') ? policy.retriableStatusCodes : [];
  for (const status of statuses) {
    if (status < 100 || status > 599) problems.add(`${at}.retriable_status_codes`, status, 'use 100 to 599');
  }
  return {
    attempts: policy.numRetries ?? 1,
    statuses,
    grpcStatuses: conditions.filter(name => name in GRPC_STATUSES).map(name => GRPC_STATUSES[name]),
    onReset: conditions.includes('reset'),
    perTryTimeoutMs: readDuration(policy.perTryTimeout, 0, `${at}.per_try_timeout`, problems),
    anyMethod,
    backoff: readBackoff(policy.retryBackOff, `${at}.retry_back_off`, problems),
  };
}

function readBackoff(
  backOff: RetryPolicy['retryBackOff'],
  at: string,
  problems: Problems,
): RetryConfig['backoff'] {
  if (backOff === undefined) return null;
  const baseMs = readDuration(backOff.baseInterval, 0, `${at}.base_interval`, problems);
  const maxMs = readDuration(backOff.maxInterval, baseMs * BACKOFF_RATIO, `${at}.max_interval`, problems);
  return { baseMs, maxMs };
}
