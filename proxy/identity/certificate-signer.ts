import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { SignRequest, SignResponse } from '../../api/xds/gen/tulle/identity/v1/certificate.ts';
import { describeStatus } from '../grpc/status.ts';
import {
  ControlConnection,
  type ControlConnectionContext,
  type ControlPlaneTarget,
} from '../xds/control-connection.ts';

const SIGN = '/tulle.identity.v1.CertificateService/Sign';

/** The control plane may itself wait for the API server's TokenReview. */
const CALL_MS = 10_000;

export interface SignedCertificate {
  /** Leaf first, DER. */
  readonly chain: readonly Buffer[];
  /** Every root that peers are trusted by now, DER. */
  readonly roots: readonly Buffer[];
}

export type SignOutcome =
  | { readonly kind: 'signed'; readonly certificate: SignedCertificate }
  | { readonly kind: 'failed'; readonly reason: string };

/** Has a certification request (DER) signed; the roots (PEM) are those by which the signer is trusted. Never rejects. */
export type CertificateSigner = (request: Buffer, rootsPem: string) => Promise<SignOutcome>;

/**
 * Signs by the control plane's CertificateService. The server is authenticated by TLS and we by the token, so it works
 * without a certificate and with one that has expired. The token file is read each time: the kubelet replaces it.
 */
export function controlPlaneSigner(
  context: ControlConnectionContext,
  target: ControlPlaneTarget,
  tokenFile: string,
): CertificateSigner {
  return async (request, rootsPem) => {
    let token: string;
    try {
      token = (await readFile(tokenFile, 'utf8')).trim();
    } catch (error) {
      return failed(`the token in TULLE_TOKEN cannot be read: ${(error as Error).message}`);
    }
    const secureContext = createSecureContext({ ca: rootsPem, minVersion: 'TLSv1.3' });
    const connection = await connect(context, target, secureContext);
    if (typeof connection === 'string') return failed(connection);
    try {
      const message = SignRequest.encode({ csrDer: request }).finish();
      const metadata = ['authorization', `Bearer ${token}`];
      const result = await connection.callOnce(SIGN, metadata, message, CALL_MS);
      return result.kind === 'failed' ? failed(describeStatus(result.status)) : decode(result.message);
    } finally {
      connection.close();
    }
  };
}

const failed = (reason: string): SignOutcome => ({ kind: 'failed', reason });

/** An open connection, or why there is none. */
function connect(
  context: ControlConnectionContext,
  target: ControlPlaneTarget,
  secureContext: ReturnType<typeof createSecureContext>,
): Promise<ControlConnection | string> {
  return new Promise(resolve => {
    void new ControlConnection(context, target, secureContext, {
      onOpen: resolve,
      onClosed: (_connection, reason) => resolve(reason),
    });
  });
}

function decode(message: Buffer): SignOutcome {
  try {
    const response = SignResponse.decode(message);
    return {
      kind: 'signed',
      certificate: {
        chain: response.certificateChainDer.map(der => Buffer.from(der)),
        roots: response.trustBundleDer.map(der => Buffer.from(der)),
      },
    };
  } catch (error) {
    return failed(`the answer is no SignResponse: ${(error as Error).message}`);
  }
}
