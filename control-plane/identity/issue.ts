/** Signing leaves: for workloads what a token proves, and for the control plane its own serving certificate. */
import type { KeyObject } from 'node:crypto';
import { formatSpiffe, type WorkloadIdentity } from '../../api/spiffe.ts';
import {
  alternativeNames,
  authorityKeyIdentifier,
  leafExtensions,
  signCertificate,
  subjectKeyIdentifier,
} from '../../runtime/x509/certificate.ts';
import { DerError } from '../../runtime/x509/der.ts';
import { distinguishedName, type FoundNames } from '../../runtime/x509/names.ts';
import { type RequestFields, readRequest } from '../../runtime/x509/request.ts';
import { type Authority, CLOCK_SKEW_MS } from './authority.ts';

/** Longest request that is looked at; one of a P-256 key has about 300 bytes. */
const MAX_REQUEST_BYTES = 4096;

export interface Leaf {
  /** Leaf first, then intermediates, DER. */
  readonly chain: readonly Buffer[];
  /** Unix milliseconds. */
  readonly notAfter: number;
}

export type IssueResult =
  | ({ readonly kind: 'issued' } & Leaf)
  /** The request cannot be read, or has a key or a signature that is not allowed. */
  | { readonly kind: 'invalid'; readonly reason: string }
  /** The request asks for names that the token does not prove. */
  | { readonly kind: 'denied'; readonly reason: string };

/**
 * Signs the key of a request (DER) for one identity. The names in the request decide nothing: it may have none, or
 * exactly this identity's SPIFFE ID.
 */
export function issueWorkload(
  authority: Authority,
  requestDer: Buffer,
  identity: WorkloadIdentity,
  unixMs: number,
  lifeMs: number,
): IssueResult {
  if (requestDer.length > MAX_REQUEST_BYTES) {
    const reason = `the certificate request has ${requestDer.length} bytes; ${MAX_REQUEST_BYTES} are allowed`;
    return { kind: 'invalid', reason };
  }
  let request: RequestFields;
  try {
    request = readRequest(requestDer);
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    return {
      kind: 'invalid',
      reason: `the certificate request is not valid PKCS #10: ${error.message}`,
    };
  }
  const { publicKey } = request;
  if (publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    const reason = `the certificate request has a key of type ${publicKey.asymmetricKeyType}; use ECDSA P-256`;
    return { kind: 'invalid', reason };
  }
  const spiffe = formatSpiffe(identity);
  if (request.names !== null && !asksOnlyFor(request.names, spiffe)) {
    return {
      kind: 'denied',
      reason: `the certificate request asks for ${describeNames(request.names)}, but the token proves ${spiffe}; ask for that name only, or for none`,
    };
  }
  const der = publicKey.export({ type: 'spki', format: 'der' });
  const names = [{ kind: 'uri', value: spiffe } as const];
  return {
    kind: 'issued',
    ...issueLeaf(
      authority,
      der,
      unixMs,
      lifeMs,
      [
        ...leafExtensions(['server', 'client']),
        // The subject is empty: the name says it all.
        alternativeNames(names, true),
      ],
      distinguishedName({}),
    ),
  };
}

function asksOnlyFor(names: FoundNames, spiffe: string): boolean {
  return (
    names.uris.length === 1 &&
    names.uris[0].equals(Buffer.from(spiffe)) &&
    names.dns.length === 0 &&
    names.others === 0
  );
}

/** For an error message: what was asked for, with anything odd escaped. */
function describeNames(names: FoundNames): string {
  const found = [...names.uris, ...names.dns].map(name =>
    JSON.stringify(name.toString('latin1').slice(0, 256)),
  );
  if (names.others > 0) found.push(`${names.others} names of other kinds`);
  return found.length === 0 ? 'an empty list of names' : found.join(', ');
}

/** Signs a serving certificate for DNS names. It has no URI, so it is nobody in the mesh, and it may not be a client. */
export function issueServing(
  authority: Authority,
  publicKey: KeyObject,
  dnsNames: readonly string[],
  unixMs: number,
  lifeMs: number,
): Leaf {
  const der = publicKey.export({ type: 'spki', format: 'der' });
  const names = dnsNames.map(value => ({ kind: 'dns', value }) as const);
  const extensions = [...leafExtensions(['server']), alternativeNames(names, false)];
  // A common name has at most 64 characters (RFC 5280 appendix A.1).
  const subject = distinguishedName({ commonName: dnsNames[0].slice(0, 64) });
  return issueLeaf(authority, der, unixMs, lifeMs, extensions, subject);
}

function issueLeaf(
  authority: Authority,
  publicKey: Buffer,
  unixMs: number,
  lifeMs: number,
  extensions: readonly Buffer[],
  subject: Buffer,
): Leaf {
  const { issuer } = authority;
  const notAfter = Math.min(unixMs + lifeMs, authority.notAfter);
  const der = signCertificate(
    {
      issuer: issuer.subject,
      subject,
      notBefore: unixMs - CLOCK_SKEW_MS,
      notAfter,
      publicKey,
      extensions: [...extensions, subjectKeyIdentifier(publicKey), authorityKeyIdentifier(issuer)],
    },
    authority.key,
  );
  return { chain: [der, ...authority.chain], notAfter: Math.floor(notAfter / 1000) * 1000 };
}
