import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  authorityExtensions,
  authorityKeyIdentifier,
  leafExtensions,
  readCertificate,
  signCertificate,
} from '../../runtime/x509/certificate.ts';
import { distinguishedName } from '../../runtime/x509/names.ts';
import { certificatesOf, pemOf } from '../../runtime/x509/pem.ts';
import { createRequest } from '../../runtime/x509/request.ts';
import { type AuthorityFiles, createAuthorityFiles, readAuthority } from './authority.ts';
import { issueServing, issueWorkload } from './issue.ts';

const NOW = Date.UTC(2027, 2, 1);
const DAY = 86_400_000;
const WEB = { trustDomain: 'cluster.local', namespace: 'shop', serviceAccount: 'web' };
const WEB_URI = 'spiffe://cluster.local/ns/shop/sa/web';

function authority(files: AuthorityFiles = createAuthorityFiles(NOW)) {
  const result = readAuthority(files, NOW);
  if (result.kind === 'problem') throw new Error(result.problem);
  return result.authority;
}

function problem(files: AuthorityFiles, at = NOW): string {
  const result = readAuthority(files, at);
  return result.kind === 'problem' ? result.problem : 'none';
}

/** An intermediate under a root that Tulle made. */
function intermediate(root: AuthorityFiles, isAuthority = true): AuthorityFiles {
  const issuer = readCertificate(certificatesOf(root.certificate)[0]);
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const der = signCertificate(
    {
      issuer: issuer.subject,
      subject: distinguishedName({ commonName: 'intermediate' }),
      notBefore: NOW - DAY,
      notAfter: NOW + 30 * DAY,
      publicKey: keys.publicKey.export({ type: 'spki', format: 'der' }),
      extensions: [
        ...(isAuthority ? authorityExtensions() : leafExtensions(['server'])),
        authorityKeyIdentifier(issuer),
      ],
    },
    authority(root).key,
  );
  const key = keys.privateKey.export({ type: 'pkcs8', format: 'pem' });
  return { certificate: pemOf([der]), key, roots: root.roots };
}

function request(names: Parameters<typeof createRequest>[1], curve = 'P-256'): Buffer {
  return createRequest(generateKeyPairSync('ec', { namedCurve: curve }), names);
}

test('a leaf is what the token proves and nothing more', () => {
  const ca = authority();
  const result = issueWorkload(ca, request([]), WEB, NOW, DAY);
  if (result.kind !== 'issued') throw new Error(result.reason);
  expect(result.chain).toHaveLength(1);
  const leaf = new X509Certificate(result.chain[0]);
  expect(leaf.subjectAltName).toBe(`URI:${WEB_URI}`);
  expect(leaf.subject).toBeFalsy();
  expect(leaf.ca).toBe(false);
  expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  expect(leaf.validFromDate.getTime()).toBe(NOW - 60_000);
  expect(leaf.validToDate.getTime()).toBe(NOW + DAY);
  expect(leaf.verify(new X509Certificate(ca.bundlePem).publicKey)).toBe(true);
});

test('a request may name exactly its own identity', () => {
  expect(issueWorkload(authority(), request([{ kind: 'uri', value: WEB_URI }]), WEB, NOW, DAY).kind).toBe(
    'issued',
  );
});

test.each([
  ['another identity', [{ kind: 'uri', value: 'spiffe://cluster.local/ns/shop/sa/admin' }]],
  [
    'two identities',
    [
      { kind: 'uri', value: WEB_URI },
      { kind: 'uri', value: WEB_URI },
    ],
  ],
  [
    'a DNS name besides',
    [
      { kind: 'uri', value: WEB_URI },
      { kind: 'dns', value: 'tulle-control-plane.tulle-system.svc' },
    ],
  ],
  ['a DNS name instead', [{ kind: 'dns', value: 'tulle-control-plane.tulle-system.svc' }]],
] as const)('a request for %s is denied', (_what, names) => {
  const result = issueWorkload(authority(), request(names), WEB, NOW, DAY);
  expect(result).toMatchObject({
    kind: 'denied',
    reason: expect.stringContaining(`the token proves ${WEB_URI}`) as string,
  });
});

test.each([
  ['no request', Buffer.from('hello'), 'not valid PKCS #10'],
  ['a megabyte', Buffer.alloc(1_000_000), '4096 are allowed'],
  ['a P-384 key', request([], 'P-384'), 'use ECDSA P-256'],
  ['a P-521 key', Buffer.alloc(0), 'not valid PKCS #10'],
  ['an RSA key', createRequest(generateKeyPairSync('rsa', { modulusLength: 1024 }), []), 'use ECDSA P-256'],
])('%s is invalid', (_what, der, reason) => {
  const result = issueWorkload(authority(), der, WEB, NOW, DAY);
  expect(result).toMatchObject({ kind: 'invalid', reason: expect.stringContaining(reason) as string });
});

test('no leaf outlives its issuer', () => {
  const ca = authority(intermediate(createAuthorityFiles(NOW)));
  const result = issueWorkload(ca, request([]), WEB, NOW + 29.5 * DAY, DAY);
  expect(result).toMatchObject({ kind: 'issued', notAfter: NOW + 30 * DAY });
});

test('an intermediate issues, and is sent with the leaf; the root is the bundle', () => {
  const root = createAuthorityFiles(NOW);
  const ca = authority(intermediate(root));
  const { chain } = issueServing(
    ca,
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey,
    ['a.example'],
    NOW,
    DAY,
  );
  const [leaf, issuer] = chain.map(der => new X509Certificate(der));
  expect(leaf.checkIssued(issuer)).toBe(true);
  expect(issuer.checkIssued(new X509Certificate(ca.bundlePem))).toBe(true);
  expect(leaf.subjectAltName).toBe('DNS:a.example');
  expect(ca.bundlePem).toBe(root.roots);
});

test('a bundle may hold an old and a new root', () => {
  const old = createAuthorityFiles(NOW);
  const current = createAuthorityFiles(NOW);
  expect(authority({ ...current, roots: old.roots + current.roots }).roots).toHaveLength(2);
  // An issuer that is itself a root is trusted even where ca.crt does not say so.
  expect(authority({ ...current, roots: old.roots }).roots).toHaveLength(2);
  expect(authority({ ...current, roots: '' }).roots).toHaveLength(1);
});

test('what cannot be used is said with its file and the remedy', () => {
  const root = createAuthorityFiles(NOW);
  const other = createAuthorityFiles(NOW);
  expect(problem({ ...root, certificate: '' })).toBe(
    "tls.crt has no certificate; put the issuer's certificate there, PEM",
  );
  expect(problem({ ...root, key: 'secret' })).toBe(
    'tls.key is not a private key; put an unencrypted one there, PEM',
  );
  expect(problem({ ...root, key: other.key })).toMatch(/^tls\.key is not the key of the first certificate/);
  expect(problem(root, NOW + 4000 * DAY)).toMatch(/^the issuer in tls\.crt has expired on 2037-/);
  expect(problem(intermediate(root, false))).toMatch(/is no authority \(CA:TRUE\)/);
  expect(problem({ ...intermediate(root), roots: other.roots })).toMatch(
    /does not lead to a root in ca\.crt/,
  );
  expect(problem({ ...root, roots: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' })).toMatch(
    /^ca\.crt has a certificate that cannot be read/,
  );
});
