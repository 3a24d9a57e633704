import { readAnnotations } from '../../../api/annotations.ts';
import type { Retry } from '../../model/model.ts';
import { duration } from './duration.ts';
import { type Fields, fields, integer, list, type Problems } from './fields.ts';
import type { Metadata } from './object.ts';

/** What GEP-1731 leaves to implementations. */
const DEFAULT_ATTEMPTS = 1;

/** What the annotations of a route say of the retries of its rules. */
export type RouteRetry = Pick<Retry, 'attempts' | 'grpcStatuses' | 'anyMethod'>;

export function readRouteRetry({ annotations }: Metadata, problems: Problems): RouteRetry {
  const { values, problems: wrong, warnings } = readAnnotations('route', annotations);
  for (const problem of [...wrong, ...warnings]) problems.addFault('NotApplied', problem);
  return {
    attempts: values.retryAttempts ?? DEFAULT_ATTEMPTS,
    grpcStatuses: values.retryGrpcStatuses ?? [],
    anyMethod: values.retryMethods === 'any',
  };
}

/** `retry` of a rule of an HTTPRoute; null if nothing is to be retried but what nobody has processed. */
export function readRetry(
  value: unknown,
  path: string,
  ofRoute: RouteRetry,
  problems: Problems,
): Retry | null {
  const retry = fields(value, path, problems);
  if (retry === null) return grpcRetry(ofRoute);
  const { grpcStatuses, anyMethod } = ofRoute;
  const limits = { min: 1, max: 2_147_483_647 };
  const attempts = integer(retry.attempts, `${path}.attempts`, limits, DEFAULT_ATTEMPTS, problems);
  if (attempts === null) return null;
  const statuses = readCodes(retry, path, problems);
  const backoffMs = duration(retry.backoff, `${path}.backoff`, problems) ?? 0;
  return { attempts, statuses, grpcStatuses, onReset: true, backoffMs, anyMethod };
}

/** Of a rule without a retry of its own. An attempt that ends without an answer is UNAVAILABLE to gRPC. */
function grpcRetry({ attempts, grpcStatuses, anyMethod }: RouteRetry): Retry | null {
  if (grpcStatuses.length === 0) return null;
  const onReset = grpcStatuses.includes('unavailable');
  return { attempts, statuses: [], grpcStatuses, onReset, backoffMs: 0, anyMethod };
}

function readCodes(retry: Fields, path: string, problems: Problems): number[] {
  const limits = { min: 400, max: 599 };
  return list(retry.codes, `${path}.codes`, problems).flatMap((code, index) => {
    const status = integer(code ?? 'null', `${path}.codes[${index}]`, limits, 0, problems);
    return status === null ? [] : [status];
  });
}
