/** A certificate authority and identities for tests, made with the code that the control plane uses. */
import { generateKeyPairSync } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { createAuthorityFiles, readAuthority } from '../../../control-plane/identity/authority.ts';
import type { Identity, IdentitySource } from '../../../proxy/identity/identity.ts';
import { alternativeNames, leafExtensions, signCertificate } from '../../../runtime/x509/certificate.ts';
import { distinguishedName } from '../../../runtime/x509/names.ts';

const HOUR_MS = 3_600_000;

export interface TestAuthority {
  readonly pem: string;
  issue(spiffe: string, options?: IssueOptions): { cert: string; key: string; notAfter: number };
}

export interface IssueOptions {
  /** From now until the certificate ends. */
  readonly lifeMs?: number;
  /** More URIs than the one. */
  readonly extraUris?: readonly string[];
}

/** `files`: of an authority made before, for processes that share one. */
export function createAuthority(files = createAuthorityFiles(Date.now())): TestAuthority {
  const result = readAuthority(files, Date.now());
  if (result.kind === 'problem') throw new Error(result.problem);
  const { issuer, key: issuerKey, bundlePem } = result.authority;
  return {
    pem: bundlePem,
    issue(spiffe, { lifeMs = HOUR_MS, extraUris = [] } = {}) {
      const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const notAfter = Date.now() + lifeMs;
      const der = signCertificate(
        {
          issuer: issuer.subject,
          subject: distinguishedName({}),
          notBefore: Date.now() - HOUR_MS,
          notAfter,
          publicKey: keys.publicKey.export({ type: 'spki', format: 'der' }),
          extensions: [
            ...leafExtensions(['server', 'client']),
            alternativeNames(
              [spiffe, ...extraUris].map(value => ({ kind: 'uri', value }) as const),
              true,
            ),
          ],
        },
        issuerKey,
      );
      const cert = `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`;
      return { cert, key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }), notAfter };
    },
  };
}

/** The identity of one proxy, which tests may replace. */
export class TestIdentity implements IdentitySource {
  current: Identity | null = null;
  readonly #listeners = new Set<(identity: Identity) => void>();
  #generation = 0;

  static create(authority: TestAuthority, spiffe: string, options?: IssueOptions): TestIdentity {
    const identity = new TestIdentity();
    identity.renew(authority, spiffe, options);
    return identity;
  }

  /** `trusted`: roots to trust besides the authority's. */
  renew(
    authority: TestAuthority,
    spiffe: string,
    options?: IssueOptions,
    trusted: readonly string[] = [],
  ): void {
    const { cert, key, notAfter } = authority.issue(spiffe, options);
    const context = createSecureContext({
      cert,
      key,
      ca: [authority.pem, ...trusted],
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
    });
    const identity = { generation: ++this.#generation, spiffe, context, notAfter };
    this.current = identity;
    for (const listener of this.#listeners) listener(identity);
  }

  subscribe(listener: (identity: Identity) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
