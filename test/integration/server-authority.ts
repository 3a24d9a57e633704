/** Authorities and certificates of applications that serve TLS themselves. */
import { generateKeyPairSync } from 'node:crypto';
import { createAuthorityFiles, readAuthority } from '../../control-plane/identity/authority.ts';
import { alternativeNames, leafExtensions, signCertificate } from '../../runtime/x509/certificate.ts';
import { type AlternativeName, distinguishedName } from '../../runtime/x509/names.ts';
import { pemOf } from '../../runtime/x509/pem.ts';

const HOUR_MS = 3_600_000;

export interface ServerAuthority {
  /** Its own certificate. */
  readonly pem: string;
  /** `uri:` begins a URI, all others are DNS names. `endsIn`: milliseconds, negative if it has ended. */
  issue(names: readonly string[], options?: { endsIn?: number }): { cert: string; key: string };
}

export function createServerAuthority(): ServerAuthority {
  const result = readAuthority(createAuthorityFiles(Date.now()), Date.now());
  if (result.kind === 'problem') throw new Error(result.problem);
  const { issuer, key: issuerKey, bundlePem } = result.authority;
  return {
    pem: bundlePem,
    issue(names, { endsIn = HOUR_MS } = {}) {
      const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const nameOf = (name: string): AlternativeName =>
        name.startsWith('uri:') ? { kind: 'uri', value: name.slice(4) } : { kind: 'dns', value: name };
      const extensions = [...leafExtensions(['server'])];
      if (names.length > 0) extensions.push(alternativeNames(names.map(nameOf), false));
      const der = signCertificate(
        {
          issuer: issuer.subject,
          subject: distinguishedName({ commonName: 'application' }),
          notBefore: Date.now() - 2 * HOUR_MS,
          notAfter: Date.now() + endsIn,
          publicKey: keys.publicKey.export({ type: 'spki', format: 'der' }),
          extensions,
        },
        issuerKey,
      );
      return { cert: pemOf([der]), key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) };
    },
  };
}

/** A ConfigMap with certificates in `ca.crt`, as YAML. */
export function caConfigMap(name: string, pem: string, namespace = 'default'): string {
  const data = pem.trimEnd().replaceAll('\n', '\n    ');
  return `
apiVersion: v1
kind: ConfigMap
metadata: { name: ${name}, namespace: ${namespace} }
data:
  ca.crt: |
    ${data}
`;
}
