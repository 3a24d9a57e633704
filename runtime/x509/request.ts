/** Certification requests, PKCS #10 (RFC 2986). */
import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { alternativeNames, extensionIds, readExtensions, signatureAlgorithm } from './certificate.ts';
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
  wholeBits,
} from './der.ts';
import { type AlternativeName, distinguishedName, type FoundNames, readGeneralNames } from './names.ts';

const EXTENSION_REQUEST = oid('1.2.840.113549.1.9.14');

/** A request, DER, with an empty subject and the names that the certificate is to have, if any. */
export function createRequest(
  keys: { publicKey: KeyObject; privateKey: KeyObject },
  names: readonly AlternativeName[],
): Buffer {
  const algorithm = signatureAlgorithm(keys.privateKey);
  const extensions = sequence(alternativeNames(names, true));
  const attribute = sequence(EXTENSION_REQUEST, element(tags.set, extensions));
  const body = sequence(
    integer(Buffer.of(0)),
    distinguishedName({}),
    keys.publicKey.export({ type: 'spki', format: 'der' }),
    element(contextTag(0, true), ...(names.length === 0 ? [] : [attribute])),
  );
  return sequence(body, algorithm.der, bitString(sign(algorithm.hash, body, keys.privateKey)));
}

export interface RequestFields {
  /** Its signature proves that the sender holds the private key. */
  readonly publicKey: KeyObject;
  /** Names it asks for; null if it asks for none. */
  readonly names: FoundNames | null;
}

/** Reads a request and verifies its signature. Throws {@link DerError} with the reason. */
export function readRequest(der: Buffer): RequestFields {
  const outer = new DerReader(der);
  const request = outer.enter(tags.sequence);
  outer.finish('the request');
  const body = request.readWhole(tags.sequence);
  const algorithm = request.readWhole(tags.sequence);
  const signature = wholeBits(request.read(tags.bitString));
  request.finish('the signature');
  const fields = new DerReader(body).enter(tags.sequence);
  fields.read(tags.integer);
  fields.read(tags.sequence);
  const publicKey = readPublicKey(fields.readWhole(tags.sequence));
  verifySignature(publicKey, algorithm, body, signature);
  return { publicKey, names: readNames(fields) };
}

function readPublicKey(der: Buffer): KeyObject {
  try {
    return createPublicKey({ key: der, format: 'der', type: 'spki' });
  } catch (error) {
    throw new DerError(
      `the public key cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** The algorithm must be the one that belongs to the key: nothing to choose means nothing to downgrade. */
function verifySignature(key: KeyObject, algorithm: Buffer, body: Buffer, signature: Buffer): void {
  let expected: ReturnType<typeof signatureAlgorithm>;
  try {
    expected = signatureAlgorithm(key);
  } catch (error) {
    throw new DerError((error as TypeError).message);
  }
  if (!algorithm.equals(expected.der) || !verify(expected.hash, body, key, signature)) {
    throw new DerError('the signature does not fit the public key');
  }
}

function readNames(fields: DerReader): FoundNames | null {
  if (fields.peek() !== contextTag(0, true)) return null;
  const attributes = fields.enter(contextTag(0, true));
  let names: FoundNames | null = null;
  while (!attributes.atEnd) {
    const attribute = attributes.enter(tags.sequence);
    if (!attribute.readWhole(tags.oid).equals(EXTENSION_REQUEST)) continue;
    const extensions = readExtensions(attribute.enter(tags.set));
    const found = extensions.get(oid(extensionIds.subjectAltName).toString('latin1'));
    if (found === undefined) continue;
    if (names !== null) throw new DerError('the alternative names stand twice');
    names = readGeneralNames(found);
  }
  return names;
}
