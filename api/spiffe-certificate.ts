/** The identity in an X.509-SVID: exactly one URI among its alternative names (X.509-SVID specification §2, §5.2). */
import { extensionIds, readCertificate } from '../runtime/x509/certificate.ts';
import { DerError } from '../runtime/x509/der.ts';
import { readGeneralNames } from '../runtime/x509/names.ts';
import { parseSpiffe } from './spiffe.ts';

/** SPIFFE-ID specification §2.3: longest ID that must be supported, and here the longest that is. */
const MAX_URI_BYTES = 2048;

export type CertificateIdentity =
  | { readonly kind: 'spiffe'; readonly uri: string }
  | { readonly kind: 'none'; readonly reason: string };

const none = (reason: string): CertificateIdentity => ({ kind: 'none', reason });

/**
 * The SPIFFE ID of a workload that a certificate (DER) carries, or why it carries none. Read from the DER and not from
 * Node's `subjectaltname` text, in which one odd name can look like two.
 */
export function certificateIdentity(der: Buffer): CertificateIdentity {
  let uris: readonly Buffer[];
  try {
    const extension = readCertificate(der).extension(extensionIds.subjectAltName);
    if (extension === undefined) return none('the certificate has no subject alternative name');
    uris = readGeneralNames(extension).uris;
  } catch (error) {
    if (error instanceof DerError) return none(`the certificate cannot be read: ${error.message}`);
    throw error;
  }
  if (uris.length !== 1)
    return none(`the certificate has ${uris.length} URI names; it must have exactly one`);
  return identityOf(uris[0]);
}

function identityOf(uri: Buffer): CertificateIdentity {
  if (uri.length > MAX_URI_BYTES) {
    return none(`the URI name has ${uri.length} bytes; ${MAX_URI_BYTES} are allowed`);
  }
  if (uri.some(byte => byte < 0x21 || byte > 0x7e)) {
    return none('the URI name has bytes that are not printable ASCII');
  }
  const text = uri.toString('latin1');
  return parseSpiffe(text) === null
    ? none(`the URI name ${JSON.stringify(text)} is not the SPIFFE ID of a workload`)
    : { kind: 'spiffe', uri: text };
}
