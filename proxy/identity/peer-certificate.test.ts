import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  alternativeNames,
  authorityExtensions,
  leafExtensions,
  signCertificate,
} from '../../runtime/x509/certificate.ts';
import { distinguishedName } from '../../runtime/x509/names.ts';
import { peerIdentity } from './peer-certificate.ts';

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const publicKey = keys.publicKey.export({ type: 'spki', format: 'der' });
const GOOD = 'spiffe://cluster.local/ns/shop/sa/web';

function certificate(extensions: readonly Buffer[]): Buffer {
  const name = distinguishedName({ commonName: GOOD });
  const validity = { notBefore: Date.UTC(2027, 0), notAfter: Date.UTC(2028, 0) };
  return signCertificate(
    { issuer: name, subject: name, ...validity, publicKey, extensions },
    keys.privateKey,
  );
}

const withUris = (...uris: string[]): Buffer =>
  certificate([
    ...leafExtensions(['server']),
    alternativeNames(
      uris.map(value => ({ kind: 'uri', value })),
      true,
    ),
  ]);

test('the single SPIFFE ID of a certificate is read', () => {
  expect(peerIdentity(withUris(GOOD))).toEqual({ kind: 'spiffe', uri: GOOD });
});

test('a DNS name beside it does no harm', () => {
  const names = [
    { kind: 'dns', value: 'web.shop.svc' },
    { kind: 'uri', value: GOOD },
  ] as const;
  expect(peerIdentity(certificate([alternativeNames(names, false)]))).toEqual({ kind: 'spiffe', uri: GOOD });
});

test.each([
  ['two URIs', withUris(GOOD, GOOD), 'has 2 URI names'],
  ['no URI', certificate([alternativeNames([{ kind: 'dns', value: 'a' }], false)]), 'has 0 URI names'],
  ['no alternative name, and the ID as common name', certificate([]), 'no subject alternative name'],
  [
    'one name that reads like two',
    withUris(`${GOOD}, URI:spiffe://cluster.local/ns/a/sa/b`),
    'not printable',
  ],
  ['a NUL', withUris(`${GOOD}\0.evil`), 'not printable'],
  ['a byte above ASCII', withUris(`${GOOD}\u00e9`), 'not printable'],
  ['2049 bytes', withUris(`spiffe://${'a'.repeat(2040)}`), 'has 2049 bytes'],
  ['another scheme', withUris('https://cluster.local/ns/shop/sa/web'), 'is not the SPIFFE ID'],
  ['an upper-case trust domain', withUris('spiffe://Cluster.local/ns/shop/sa/web'), 'is not the SPIFFE ID'],
  ['a path too many', withUris(`${GOOD}/x`), 'is not the SPIFFE ID'],
  ['an encoded slash', withUris('spiffe://cluster.local/ns/shop/sa/web%2fx'), 'is not the SPIFFE ID'],
  ['a port', withUris('spiffe://cluster.local:1/ns/shop/sa/web'), 'is not the SPIFFE ID'],
  [
    'the extension twice',
    certificate([
      alternativeNames([{ kind: 'uri', value: GOOD }], true),
      alternativeNames([{ kind: 'uri', value: GOOD }], true),
    ]),
    'stands twice',
  ],
  ['bytes after the end', Buffer.concat([withUris(GOOD), Buffer.of(0)]), 'are left'],
  ['no certificate at all', Buffer.alloc(0), 'cannot be read'],
])('a certificate with %s is nobody', (_what, der, reason) => {
  expect(peerIdentity(der)).toEqual({ kind: 'none', reason: expect.stringContaining(reason) as string });
});

test('an authority is told apart by its chain, not here: only names count', () => {
  const der = certificate([...authorityExtensions(), alternativeNames([{ kind: 'uri', value: GOOD }], true)]);
  expect(peerIdentity(der).kind).toBe('spiffe');
});
