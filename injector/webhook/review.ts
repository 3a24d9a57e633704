/** AdmissionReview (admission.k8s.io/v1): the question, and answers made by one constructor for each outcome. */
import type { PatchOperation } from '../inject/json-patch.ts';

export interface AdmissionRequest {
  uid: string;
  operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  subResource: string;
  namespace: string;
  name: string;
  object: unknown;
  oldObject: unknown;
}

/** What a webhook answers, before it is written as an AdmissionReview. */
export interface Answer {
  outcome: 'allowed' | 'patched' | 'denied';
  /** One of few words, for metrics, log and audit. */
  reason: string;
  /** Sentence for whoever reads the log, or whose request is denied. */
  message: string;
  /** Shown to the user of the API. */
  warnings: readonly string[];
  patch: readonly PatchOperation[];
}

export function allowed(reason: string, message: string, warnings: readonly string[] = []): Answer {
  return { outcome: 'allowed', reason, message, warnings, patch: [] };
}

export function patched(
  reason: string,
  message: string,
  patch: readonly PatchOperation[],
  warnings: readonly string[] = [],
): Answer {
  return { outcome: 'patched', reason, message, warnings, patch };
}

export function denied(reason: string, message: string, warnings: readonly string[] = []): Answer {
  return { outcome: 'denied', reason, message, warnings, patch: [] };
}

/** A body that is no review. HTTP status and sentence; the API server applies its failurePolicy. */
export class ReviewError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = 'ReviewError';
    this.status = status;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Reads a review. Throws {@link ReviewError} if it is none, or of another version. */
export function parseReview(body: string): AdmissionRequest {
  let review: unknown;
  try {
    review = JSON.parse(body);
  } catch (error) {
    throw new ReviewError(400, `the body is not JSON: ${(error as Error).message}`);
  }
  if (!isObject(review) || review.kind !== 'AdmissionReview' || review.apiVersion !== 'admission.k8s.io/v1') {
    throw new ReviewError(400, 'the body is not an AdmissionReview of admission.k8s.io/v1');
  }
  const { request } = review;
  if (!isObject(request) || typeof request.uid !== 'string' || typeof request.operation !== 'string') {
    throw new ReviewError(400, 'the review has no request with uid and operation');
  }
  return {
    uid: request.uid,
    operation: request.operation as AdmissionRequest['operation'],
    subResource: text(request.subResource),
    namespace: text(request.namespace),
    name: text(request.name),
    object: request.object ?? null,
    oldObject: request.oldObject ?? null,
  };
}

/** The whole of all warnings may have 4,096 bytes, and one of them should have less than 257 characters. */
const MAX_WARNING = 256;
const MAX_WARNINGS = 12;

/** Writes the answer as an AdmissionReview, JSON. Reason and message also go to the audit log. */
export function formatReview(uid: string, answer: Answer): string {
  const { outcome, reason, message, warnings, patch } = answer;
  return JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: {
      uid,
      allowed: outcome !== 'denied',
      auditAnnotations: { outcome, reason, message },
      ...(outcome === 'denied' ? { status: { code: 403, reason: 'Forbidden', message } } : {}),
      ...(warnings.length === 0
        ? {}
        : { warnings: warnings.slice(0, MAX_WARNINGS).map(warning => warning.slice(0, MAX_WARNING)) }),
      ...(patch.length === 0
        ? {}
        : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }),
    },
  });
}
