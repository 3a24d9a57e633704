/** X.509 v3 certificates (RFC 5280): reading the fields that matter here, and signing new ones. */
import { createHash, type KeyObject, randomBytes, sign } from 'node:crypto';
import {
  bitString,
  contextTag,
  DerError,
  DerReader,
  element,
  integer,
  oid,
  sequence,
  tags,
  time,
  wholeBits,
} from './der.ts';
import { type AlternativeName, generalNames } from './names.ts';

export const extensionIds = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
} as const;

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** What is read of a certificate; views of its bytes. */
export interface CertificateFields {
  readonly issuer: Buffer;
  readonly subject: Buffer;
  /** SubjectPublicKeyInfo. */
  readonly publicKey: Buffer;
  /** Content of an extension by its identifier, absent ones undefined. */
  extension(id: string): Buffer | undefined;
}

/** Reads a certificate. Throws {@link DerError}; an extension that stands twice is an error too (RFC 5280 §4.2). */
export function readCertificate(der: Buffer): CertificateFields {
  const outer = new DerReader(der);
  const certificate = outer.enter(tags.sequence);
  outer.finish('the certificate');
  const body = certificate.enter(tags.sequence);
  if (body.peek() === contextTag(0, true)) body.read(contextTag(0, true));
  body.read(tags.integer);
  body.read(tags.sequence);
  const issuer = body.readWhole(tags.sequence);
  body.read(tags.sequence);
  const subject = body.readWhole(tags.sequence);
  const publicKey = body.readWhole(tags.sequence);
  for (const id of [contextTag(1, false), contextTag(2, false)]) if (body.peek() === id) body.read(id);
  const extensions =
    body.peek() === contextTag(3, true)
      ? readExtensions(body.enter(contextTag(3, true)))
      : new Map<string, Buffer>();
  body.finish('the certificate body');
  return { issuer, subject, publicKey, extension: id => extensions.get(oid(id).toString('latin1')) };
}

/** Extensions (a SEQUENCE of Extension), keyed by the DER of their identifiers. */
export function readExtensions(reader: DerReader): Map<string, Buffer> {
  const list = reader.enter(tags.sequence);
  const extensions = new Map<string, Buffer>();
  while (!list.atEnd) {
    const extension = list.enter(tags.sequence);
    const id = extension.readWhole(tags.oid).toString('latin1');
    if (extension.peek() === tags.boolean) extension.read(tags.boolean);
    if (extensions.has(id)) throw new DerError('an extension stands twice');
    extensions.set(id, extension.read(tags.octetString));
  }
  return extensions;
}

export interface CertificateTemplate {
  /** Name DER; byte for byte the subject of the issuer. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
  /** Unix milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo DER. */
  readonly publicKey: Buffer;
  readonly extensions: readonly Buffer[];
}

/** A certificate, DER, with a random serial number of 126 bits. Throws a TypeError for a key that cannot sign. */
export function signCertificate(template: CertificateTemplate, issuerKey: KeyObject): Buffer {
  const algorithm = signatureAlgorithm(issuerKey);
  const serial = randomBytes(16);
  // Positive and of a fixed length, whatever the random bits are.
  serial[0] = (serial[0] & 0x3f) | 0x40;
  const body = sequence(
    element(contextTag(0, true), integer(Buffer.of(2))),
    integer(serial),
    algorithm.der,
    template.issuer,
    sequence(time(template.notBefore), time(template.notAfter)),
    template.subject,
    template.publicKey,
    element(contextTag(3, true), sequence(...template.extensions)),
  );
  return sequence(body, algorithm.der, bitString(sign(algorithm.hash, body, issuerKey)));
}

interface SignatureAlgorithm {
  /** AlgorithmIdentifier. */
  readonly der: Buffer;
  /** null where the key decides (Ed25519). */
  readonly hash: string | null;
}

/** How a key signs. ECDSA has no parameters (RFC 5758 §3.2), RSA has NULL (RFC 4055 §5). */
export function signatureAlgorithm(key: KeyObject): SignatureAlgorithm {
  const details = key.asymmetricKeyDetails;
  if (key.asymmetricKeyType === 'ed25519') return { der: sequence(oid('1.3.101.112')), hash: null };
  if (key.asymmetricKeyType === 'rsa') {
    return { der: sequence(oid('1.2.840.113549.1.1.11'), Buffer.of(5, 0)), hash: 'sha256' };
  }
  if (key.asymmetricKeyType === 'ec') {
    if (details?.namedCurve === 'prime256v1')
      return { der: sequence(oid('1.2.840.10045.4.3.2')), hash: 'sha256' };
    if (details?.namedCurve === 'secp384r1')
      return { der: sequence(oid('1.2.840.10045.4.3.3')), hash: 'sha384' };
  }
  throw new TypeError(
    `a key of type ${key.asymmetricKeyType} ${details?.namedCurve ?? ''} cannot sign certificates here; use ECDSA P-256 or P-384, RSA or Ed25519`,
  );
}

const extension = (id: string, critical: boolean, content: Buffer): Buffer =>
  sequence(
    oid(id),
    ...(critical ? [element(tags.boolean, Buffer.of(0xff))] : []),
    element(tags.octetString, content),
  );

/** BasicConstraints and KeyUsage of an authority: CA:TRUE, signs certificates and revocation lists. */
export function authorityExtensions(): Buffer[] {
  return [
    extension(extensionIds.basicConstraints, true, sequence(element(tags.boolean, Buffer.of(0xff)))),
    extension(extensionIds.keyUsage, true, bitString(Buffer.of(0b0000_0110), 1)),
  ];
}

/** BasicConstraints, KeyUsage and ExtendedKeyUsage of a leaf: CA:FALSE, digital signatures for TLS. */
export function leafExtensions(purposes: readonly ('server' | 'client')[]): Buffer[] {
  const ids = purposes.map(purpose => oid(purpose === 'server' ? SERVER_AUTH : CLIENT_AUTH));
  return [
    extension(extensionIds.basicConstraints, true, sequence()),
    extension(extensionIds.keyUsage, true, bitString(Buffer.of(0b1000_0000), 7)),
    extension(extensionIds.extendedKeyUsage, false, sequence(...ids)),
  ];
}

/** SubjectAltName; critical if the subject is empty (RFC 5280 §4.2.1.6). */
export function alternativeNames(names: readonly AlternativeName[], critical: boolean): Buffer {
  return extension(extensionIds.subjectAltName, critical, generalNames(names));
}

/** SubjectKeyIdentifier: SHA-1 of the key's bits (RFC 5280 §4.2.1.2, method 1). */
export function subjectKeyIdentifier(publicKey: Buffer): Buffer {
  return extension(
    extensionIds.subjectKeyIdentifier,
    false,
    element(tags.octetString, keyIdentifier(publicKey)),
  );
}

/** AuthorityKeyIdentifier that names the issuer's SubjectKeyIdentifier, or its key if it has none. */
export function authorityKeyIdentifier(issuer: CertificateFields): Buffer {
  const own = issuer.extension(extensionIds.subjectKeyIdentifier);
  const id = own === undefined ? keyIdentifier(issuer.publicKey) : new DerReader(own).read(tags.octetString);
  return extension(extensionIds.authorityKeyIdentifier, false, sequence(element(contextTag(0, false), id)));
}

function keyIdentifier(publicKey: Buffer): Buffer {
  const key = new DerReader(publicKey).enter(tags.sequence);
  key.read(tags.sequence);
  return createHash('sha1')
    .update(wholeBits(key.read(tags.bitString)))
    .digest();
}
