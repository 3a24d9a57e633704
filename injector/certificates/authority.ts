/** The authorities that sign the injector's serving certificates, and what they sign. */
import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import {
  alternativeNames,
  authorityExtensions,
  authorityKeyIdentifier,
  leafExtensions,
  readCertificate,
  signCertificate,
  subjectKeyIdentifier,
} from '../../runtime/x509/certificate.ts';
import { distinguishedName } from '../../runtime/x509/names.ts';
import { certificatesOf, pemOf } from '../../runtime/x509/pem.ts';

/** A certificate with its key, both PEM. Times are Unix milliseconds. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** The API server's clock may be behind ours. */
const SKEW_MS = 60_000;

/** Longest common name (RFC 5280 appendix A.1). */
const MAX_COMMON_NAME = 64;

function newKey(): { privateKey: KeyObject; spki: Buffer } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { privateKey, spki: publicKey.export({ type: 'spki', format: 'der' }) };
}

function keyPair(der: Buffer, key: KeyObject): KeyPair {
  const cert = pemOf([der]);
  return { cert, key: key.export({ type: 'pkcs8', format: 'pem' }).toString(), ...validity(cert) };
}

function validity(cert: string): { notBefore: number; notAfter: number } {
  const { validFromDate, validToDate } = new X509Certificate(cert);
  return { notBefore: validFromDate.getTime(), notAfter: validToDate.getTime() };
}

/** A new authority, valid for `lifeMs` from `now`. */
export function createAuthority(now: number, lifeMs: number): KeyPair {
  const { privateKey, spki } = newKey();
  // Authorities that overlap need different names, or a verifier may try the wrong one.
  const name = distinguishedName({ commonName: `tulle-injector ${new Date(now).toISOString()}` });
  const der = signCertificate(
    {
      issuer: name,
      subject: name,
      notBefore: now - SKEW_MS,
      notAfter: now + lifeMs,
      publicKey: spki,
      extensions: [...authorityExtensions(), subjectKeyIdentifier(spki)],
    },
    privateKey,
  );
  return keyPair(der, privateKey);
}

/** A serving certificate for DNS names. It does not outlive its issuer. */
export function issue(issuer: KeyPair, names: readonly string[], now: number, lifeMs: number): KeyPair {
  const authority = readCertificate(certificatesOf(issuer.cert)[0]);
  const { privateKey, spki } = newKey();
  const der = signCertificate(
    {
      issuer: authority.subject,
      subject: distinguishedName({ commonName: names[0].slice(0, MAX_COMMON_NAME) }),
      notBefore: Math.max(now - SKEW_MS, issuer.notBefore),
      notAfter: Math.min(now + lifeMs, issuer.notAfter),
      publicKey: spki,
      extensions: [
        ...leafExtensions(['server']),
        alternativeNames(
          names.map(value => ({ kind: 'dns', value })),
          false,
        ),
        subjectKeyIdentifier(spki),
        authorityKeyIdentifier(authority),
      ],
    },
    createPrivateKey(issuer.key),
  );
  return keyPair(der, privateKey);
}

/**
 * Reads certificates and their keys, which are in the same order, oldest first. Pairs that do not belong together are
 * left out.
 */
export function parseAuthorities(certs: string, keys: string): KeyPair[] {
  const keyBlocks = [...keys.matchAll(/-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/g)];
  return certificatesOf(certs).flatMap((der, i) => {
    const key = keyBlocks[i] === undefined ? null : createPrivateKey(keyBlocks[i][0]);
    return key !== null && new X509Certificate(der).checkPrivateKey(key) ? [keyPair(der, key)] : [];
  });
}
