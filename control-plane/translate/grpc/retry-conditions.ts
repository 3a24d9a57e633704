import type { Retry } from '../../model/model.ts';

/** HTTP statuses that a gRPC client reports as UNAVAILABLE (gRPC, "HTTP to gRPC Status Code Mapping"). */
export const unavailable: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** Statuses, as gRPC retries them, that a rule wants to be retried. */
export function retryConditions({ grpcStatuses, anyMethod, statuses }: Retry): Set<string> {
  const conditions = new Set(grpcStatuses);
  if (anyMethod && statuses.some(status => unavailable.has(status))) conditions.add('unavailable');
  return conditions;
}
