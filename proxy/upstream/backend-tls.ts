/** What it takes to open TLS to an application, made once for each policy: authorities are dear to read. */
import { createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import { extensionIds, readCertificate } from '../../runtime/x509/certificate.ts';
import { DerError } from '../../runtime/x509/der.ts';
import { readGeneralNames } from '../../runtime/x509/names.ts';
import type { BackendTlsConfig } from '../cluster/cluster-config.ts';
import { compileString, matchesString, type StringMatcher } from '../route/string-matcher.ts';

type VerifiedTls = Extract<BackendTlsConfig, { kind: 'verified' }>;

export interface BackendTlsVerifier {
  readonly context: SecureContext;
  /** Why the application has not proved to be what the policy asks for, '' if it has. Fails closed. */
  problemOf(socket: TLSSocket): string;
}

export class BackendTlsVerifiers {
  readonly #made = new WeakMap<VerifiedTls, BackendTlsVerifier>();

  /** The same one for the same object. */
  of(tls: VerifiedTls): BackendTlsVerifier {
    let verifier = this.#made.get(tls);
    if (verifier === undefined) {
      verifier = makeVerifier(tls);
      this.#made.set(tls, verifier);
    }
    return verifier;
  }
}

function makeVerifier({ authorities, names }: VerifiedTls): BackendTlsVerifier {
  const matchers = names.map(({ kind, match }) => ({ kind, matcher: compileString(match) }));
  const expected = names.map(({ match }) => match.value).join(', ');
  return {
    context: createSecureContext(authorities === null ? {} : { ca: authorities }),
    problemOf(socket) {
      if (!socket.authorized) return `it is not trusted: ${String(socket.authorizationError)}`;
      const certificate = socket.getPeerX509Certificate();
      if (certificate === undefined) return 'there is none';
      const found = certificateNames(certificate.raw);
      if (typeof found === 'string') return found;
      const matches = matchers.some(({ kind, matcher }) =>
        kind === 'uri'
          ? found.uris.some(uri => matchesString(matcher, uri))
          : found.dns.some(name => matchesName(matcher, name)),
      );
      if (matches) return '';
      const held = [...found.dns, ...found.uris].join(', ');
      return `it has the names ${held === '' ? '(none)' : held}, expected ${expected}`;
    },
  };
}

/** Its alternative names, DNS names in lower case; the common name is none (RFC 9525 §2). A sentence if there are none. */
function certificateNames(der: Buffer): { dns: string[]; uris: string[] } | string {
  try {
    const extension = readCertificate(der).extension(extensionIds.subjectAltName);
    if (extension === undefined) return 'it has no subject alternative name';
    const { dns, uris } = readGeneralNames(extension);
    return {
      dns: dns.map(name => name.toString('latin1').toLowerCase()),
      uris: uris.map(uri => uri.toString('latin1')),
    };
  } catch (error) {
    if (error instanceof DerError) return `it cannot be read: ${error.message}`;
    throw error;
  }
}

/** A wildcard of the certificate stands for its whole first label (RFC 9525 §6.3). */
function matchesName(matcher: StringMatcher, name: string): boolean {
  if (matchesString(matcher, name)) return true;
  if (matcher.kind !== 'exact' || !name.startsWith('*.')) return false;
  const dot = matcher.value.indexOf('.');
  return dot > 0 && matcher.value.slice(dot) === name.slice(1);
}
