import { type handleUnaryCall, type Metadata, type ServiceDefinition, status } from '@grpc/grpc-js';
import type { WorkloadIdentity } from '../../api/spiffe.ts';
import {
  CertificateServiceDefinition,
  SignRequest,
  SignResponse,
} from '../../api/xds/gen/tulle/identity/v1/certificate.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { issueWorkload } from './issue.ts';
import type { LiveAuthority } from './live-authority.ts';
import { createRateLimit } from './rate-limit.ts';
import type { TokenReviewer } from './token-review.ts';

/** Projected tokens have 1–2 KB. */
const MAX_TOKEN_LENGTH = 16_384;

/** Per address; many sidecars may share one (explicit mode on one machine). */
const RATE_LIMIT = { burst: 100, perSecond: 10 };

const bytes = (message: Buffer): Buffer => message;

const definition: ServiceDefinition = {
  Sign: {
    path: `/${CertificateServiceDefinition.fullName}/${CertificateServiceDefinition.methods.sign.name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  },
};

export interface CertificateServiceOptions {
  readonly authority: LiveAuthority;
  readonly reviewer: TokenReviewer;
  readonly trustDomain: string;
  /** Life of a workload's certificate in milliseconds. */
  readonly leafLifeMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** For `server.addService(service.definition, service.implementation)` of grpc-js; messages are raw Buffers. */
export interface CertificateService {
  readonly definition: ServiceDefinition;
  readonly implementation: { Sign: handleUnaryCall<Buffer, Buffer> };
}

type Outcome =
  | { readonly code: typeof status.OK; readonly response: Buffer }
  | { readonly code: Exclude<status, status.OK>; readonly details: string };

export function createCertificateService(options: CertificateServiceOptions): CertificateService {
  const allowed = createRateLimit(RATE_LIMIT, options.clock);
  const { log } = options;
  return {
    definition,
    implementation: {
      Sign(call, callback) {
        const peer = call.getPeer();
        const answer = (outcome: Outcome): void => {
          if (outcome.code === status.OK) {
            callback(null, outcome.response);
            return;
          }
          log.warn({ peer, code: status[outcome.code], reason: outcome.details }, 'certificate refused');
          callback({ code: outcome.code, details: outcome.details });
        };
        const address = peer.slice(0, peer.lastIndexOf(':'));
        if (!allowed(address)) {
          const details = `more than ${RATE_LIMIT.perSecond} certificates a second were asked for from ${address}; try again later`;
          answer({ code: status.RESOURCE_EXHAUSTED, details });
          return;
        }
        void sign(options, call.metadata, call.request)
          .catch((error: unknown): Outcome => {
            log.error({ peer, err: error }, 'certificate could not be signed');
            return { code: status.INTERNAL, details: 'the control plane failed; its log has the cause' };
          })
          .then(answer);
      },
    },
  };
}

async function sign(
  options: CertificateServiceOptions,
  metadata: Metadata,
  request: Buffer,
): Promise<Outcome> {
  const token = bearerToken(metadata);
  if (token === null) {
    return {
      code: status.UNAUTHENTICATED,
      details:
        'there is no token; send the projected service-account token as `authorization: Bearer <token>`',
    };
  }
  const csr = decodeRequest(request);
  if (csr === null) {
    return { code: status.INVALID_ARGUMENT, details: 'the message is no tulle.identity.v1.SignRequest' };
  }
  const review = await options.reviewer.review(token);
  if (review.kind === 'refused') return { code: status.UNAUTHENTICATED, details: review.reason };
  if (review.kind === 'unavailable') return { code: status.UNAVAILABLE, details: review.reason };
  const { namespace, serviceAccount, pod } = review.workload;
  const identity = { trustDomain: options.trustDomain, namespace, serviceAccount };
  const outcome = signFor(options, csr, identity);
  if (outcome.code === status.OK) {
    options.log.info({ namespace, serviceAccount, pod }, 'certificate issued');
  }
  return outcome;
}

function signFor(options: CertificateServiceOptions, csr: Buffer, identity: WorkloadIdentity): Outcome {
  const authority = options.authority.current;
  const now = options.clock.unix();
  if (authority.notAfter <= now) {
    const details = `the certificate authority has ended on ${new Date(authority.notAfter).toISOString()}; its operator must renew it`;
    return { code: status.UNAVAILABLE, details };
  }
  const result = issueWorkload(authority, csr, identity, now, options.leafLifeMs);
  if (result.kind === 'invalid') return { code: status.INVALID_ARGUMENT, details: result.reason };
  if (result.kind === 'denied') return { code: status.PERMISSION_DENIED, details: result.reason };
  const response = SignResponse.encode({
    certificateChainDer: [...result.chain],
    trustBundleDer: [...authority.roots],
    notAfter: new Date(result.notAfter),
  }).finish();
  return { code: status.OK, response: Buffer.from(response) };
}

/** null if there is none, more than one, or one of another kind (RFC 6750 §2.1). */
function bearerToken(metadata: Metadata): string | null {
  const values = metadata.get('authorization');
  if (values.length !== 1 || typeof values[0] !== 'string' || values[0].length > MAX_TOKEN_LENGTH)
    return null;
  return /^Bearer ([A-Za-z0-9._~+/=-]+)$/i.exec(values[0])?.[1] ?? null;
}

function decodeRequest(message: Buffer): Buffer | null {
  try {
    return Buffer.from(SignRequest.decode(message).csrDer);
  } catch {
    return null;
  }
}
