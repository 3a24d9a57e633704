import { constants, generateKeyPairSync } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import { ServerCredentials } from '@grpc/grpc-js';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { pemOf } from '../../runtime/x509/pem.ts';
import { issueServing } from './issue.ts';
import type { LiveAuthority } from './live-authority.ts';

/** Wait before a certificate that could not be renewed is tried again. */
const RETRY_MS = 10_000;

/**
 * Credentials of the control plane's port: a certificate of the mesh's own authority, and client certificates that are
 * asked for and verified but may be absent (`Sign` comes without one). Session tickets are off, because a resumed
 * session skips verification (RELIABILITY §0.1).
 */
class RotatingCredentials extends ServerCredentials {
  constructor() {
    super({ requestCert: true, rejectUnauthorized: false, ...tlsVersion }, {});
  }

  /** Connections from now on use these; open ones stay. */
  rotate(options: SecureContextOptions): void {
    this.updateSecureContextOptions({ ...options, ...tlsVersion });
  }

  _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

const tlsVersion = { minVersion: 'TLSv1.3', secureOptions: constants.SSL_OP_NO_TICKET } as const;

export interface ServingCertificate {
  readonly credentials: ServerCredentials;
  /** Unix milliseconds; in the past if it could not be renewed. */
  readonly notAfter: number;
  stop(): void;
}

/** Serves with a certificate for `dnsNames` that is renewed at half of its life and when the authority changes. */
export function serveCertificate(
  authority: LiveAuthority,
  dnsNames: readonly string[],
  lifeMs: number,
  clock: Clock,
  log: Logger,
): ServingCertificate {
  const credentials = new RotatingCredentials();
  let notAfter = 0;
  let cancel = (): void => {};

  const renew = (): void => {
    cancel();
    const now = clock.unix();
    try {
      const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const leaf = issueServing(authority.current, keys.publicKey, dnsNames, now, lifeMs);
      if (leaf.notAfter <= now) throw new Error('the certificate authority has ended');
      credentials.rotate({
        cert: pemOf(leaf.chain),
        key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }),
        ca: authority.current.bundlePem,
      });
      notAfter = leaf.notAfter;
      log.info({ dnsNames, notAfter: new Date(notAfter).toISOString() }, 'serving certificate renewed');
      cancel = clock.after((notAfter - now) / 2, renew);
    } catch (error) {
      log.error({ err: error, retryMs: RETRY_MS }, 'serving certificate not renewed; the last one stays');
      cancel = clock.after(RETRY_MS, renew);
    }
  };

  const unsubscribe = authority.subscribe(renew);
  renew();
  return {
    credentials,
    get notAfter() {
      return notAfter;
    },
    stop() {
      unsubscribe();
      cancel();
    },
  };
}
