/** The certificate authority as a value: what is in `tls.crt`, `tls.key` and `ca.crt`, checked. */
import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { domain } from '../../api/installation.ts';
import {
  authorityExtensions,
  type CertificateFields,
  readCertificate,
  signatureAlgorithm,
  signCertificate,
  subjectKeyIdentifier,
} from '../../runtime/x509/certificate.ts';
import { distinguishedName } from '../../runtime/x509/names.ts';
import { certificatesOf, pemOf } from '../../runtime/x509/pem.ts';

/** Ten years: a root that Tulle makes is replaced by the operator, with overlap, and not by time. */
const ROOT_LIFE_MS = 3650 * 86_400_000;

/** Clocks of other nodes may be behind. */
export const CLOCK_SKEW_MS = 60_000;

/** The files as they are stored, PEM. */
export interface AuthorityFiles {
  /** `tls.crt`: the issuer, then further intermediates if there are any. */
  readonly certificate: string;
  /** `tls.key`: private key of the issuer. */
  readonly key: string;
  /** `ca.crt`: every root that is trusted; '' if the issuer is itself the root. */
  readonly roots: string;
}

export interface Authority {
  readonly issuer: CertificateFields;
  readonly key: KeyObject;
  /** Sent after a leaf: issuer and further intermediates, DER; empty if the issuer is a root. */
  readonly chain: readonly Buffer[];
  /** The trust bundle, DER. */
  readonly roots: readonly Buffer[];
  /** The trust bundle, PEM. */
  readonly bundlePem: string;
  /** Validity of the issuer in Unix milliseconds; no leaf outlives it. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Makes a self-signed root, ECDSA P-256. */
export function createAuthorityFiles(unixMs: number): AuthorityFiles {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicKey = keys.publicKey.export({ type: 'spki', format: 'der' });
  const name = distinguishedName({
    organization: domain,
    commonName: `Tulle root of ${new Date(unixMs).toISOString()}`,
  });
  const root = signCertificate(
    {
      issuer: name,
      subject: name,
      notBefore: unixMs - CLOCK_SKEW_MS,
      notAfter: unixMs + ROOT_LIFE_MS,
      publicKey,
      extensions: [...authorityExtensions(), subjectKeyIdentifier(publicKey)],
    },
    keys.privateKey,
  );
  const key = keys.privateKey.export({ type: 'pkcs8', format: 'pem' });
  const pem = pemOf([root]);
  return { certificate: pem, key, roots: pem };
}

export type AuthorityResult =
  | { readonly kind: 'authority'; readonly authority: Authority }
  | { readonly kind: 'problem'; readonly problem: string };

/** Reads and checks the files. A problem names the file, what is wrong and the remedy. */
export function readAuthority(files: AuthorityFiles, unixMs: number): AuthorityResult {
  try {
    return { kind: 'authority', authority: parse(files, unixMs) };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { kind: 'problem', problem };
  }
}

function parse(files: AuthorityFiles, unixMs: number): Authority {
  const certificates = parseCertificates('tls.crt', files.certificate);
  if (certificates.length === 0) {
    throw new Error("tls.crt has no certificate; put the issuer's certificate there, PEM");
  }
  const [issuer] = certificates;
  const key = parseKey(files.key);
  if (!issuer.checkPrivateKey(key)) {
    throw new Error('tls.key is not the key of the first certificate in tls.crt; replace both together');
  }
  if (!issuer.ca) {
    throw new Error('the first certificate in tls.crt is no authority (CA:TRUE); use one that may issue');
  }
  const notAfter = issuer.validToDate.getTime();
  if (notAfter <= unixMs) {
    throw new Error(`the issuer in tls.crt has expired on ${issuer.validToDate.toISOString()}; renew it`);
  }
  signatureAlgorithm(key);
  const roots = parseCertificates('ca.crt', files.roots);
  if (isSelfSigned(issuer) && !roots.some(root => root.raw.equals(issuer.raw))) roots.push(issuer);
  if (!leadsToRoot(certificates, roots)) {
    throw new Error(
      'tls.crt does not lead to a root in ca.crt, so nobody would trust what it signs; add the root (and the intermediates between)',
    );
  }
  const ders = roots.map(root => root.raw);
  return {
    issuer: readCertificate(issuer.raw),
    key,
    chain: certificates.filter(certificate => !isSelfSigned(certificate)).map(certificate => certificate.raw),
    roots: ders,
    bundlePem: pemOf(ders),
    notBefore: issuer.validFromDate.getTime(),
    notAfter,
  };
}

function parseCertificates(file: string, pem: string): X509Certificate[] {
  try {
    return certificatesOf(pem).map(der => new X509Certificate(der));
  } catch (error) {
    throw new Error(`${file} has a certificate that cannot be read: ${(error as Error).message}`);
  }
}

function parseKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // OpenSSL's own message may quote what it has read.
    throw new Error('tls.key is not a private key; put an unencrypted one there, PEM');
  }
}

const isSelfSigned = (certificate: X509Certificate): boolean =>
  certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey);

/** Each certificate is issued by the next, the last by a root (or is one). */
function leadsToRoot(chain: readonly X509Certificate[], roots: readonly X509Certificate[]): boolean {
  for (const [index, certificate] of chain.entries()) {
    if (roots.some(root => certificate.checkIssued(root) && certificate.verify(root.publicKey))) return true;
    const next = chain[index + 1];
    if (next === undefined || !certificate.checkIssued(next) || !certificate.verify(next.publicKey))
      return false;
  }
  return false;
}
