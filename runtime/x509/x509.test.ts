import { execFileSync, spawnSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  alternativeNames,
  authorityExtensions,
  authorityKeyIdentifier,
  leafExtensions,
  readCertificate,
  signCertificate,
  subjectKeyIdentifier,
} from './certificate.ts';
import { DerError, DerReader, element, integer, tags } from './der.ts';
import { distinguishedName, readGeneralNames } from './names.ts';
import { certificatesOf, pemOf } from './pem.ts';
import { createRequest, readRequest } from './request.ts';

const NOW = Date.UTC(2027, 0, 1);
const KINDS = ['P-256', 'P-384', 'rsa', 'ed25519'] as const;

const noOpenssl = spawnSync('openssl', ['version']).status !== 0;
const why = noOpenssl ? ' (skipped: the openssl command is not installed)' : '';

function authority(curve: (typeof KINDS)[number]) {
  const keys =
    curve === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : curve === 'ed25519'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('ec', { namedCurve: curve });
  const publicKey = keys.publicKey.export({ type: 'spki', format: 'der' });
  const name = distinguishedName({ organization: 'test', commonName: 'root' });
  const der = signCertificate(
    {
      issuer: name,
      subject: name,
      notBefore: NOW,
      notAfter: NOW + 1e9,
      publicKey,
      extensions: [...authorityExtensions(), subjectKeyIdentifier(publicKey)],
    },
    keys.privateKey,
  );
  return { der, key: keys.privateKey };
}

/** A root of a kind and a leaf under it. */
function chain(kind: (typeof KINDS)[number]) {
  const root = authority(kind);
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicKey = keys.publicKey.export({ type: 'spki', format: 'der' });
  const issuer = readCertificate(root.der);
  const template = {
    issuer: issuer.subject,
    subject: distinguishedName({}),
    notBefore: NOW,
    notAfter: NOW + 86_400_000,
    publicKey,
    extensions: [
      ...leafExtensions(['server', 'client']),
      alternativeNames([{ kind: 'uri', value: 'spiffe://td/ns/a/sa/b' }], true),
      subjectKeyIdentifier(publicKey),
      authorityKeyIdentifier(issuer),
    ],
  };
  return { root: root.der, leaf: signCertificate(template, root.key) };
}

test.each(KINDS)('a leaf of a %s authority says what it was made for', kind => {
  const { root, leaf: der } = chain(kind);
  const parent = new X509Certificate(root);
  const leaf = new X509Certificate(der);
  expect(parent.ca).toBe(true);
  expect(leaf.ca).toBe(false);
  expect(leaf.checkIssued(parent)).toBe(true);
  expect(leaf.verify(parent.publicKey)).toBe(true);
  expect(leaf.subjectAltName).toBe('URI:spiffe://td/ns/a/sa/b');
  expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  expect(leaf.validFromDate.getTime()).toBe(NOW);
  expect(leaf.validToDate.getTime()).toBe(NOW + 86_400_000);
});

test.skipIf(noOpenssl).each(KINDS)(`OpenSSL trusts a leaf of a %s authority${why}`, kind => {
  const { root, leaf } = chain(kind);
  const folder = mkdtempSync(join(tmpdir(), 'tulle-x509-'));
  try {
    writeFileSync(join(folder, 'root.pem'), pemOf([root]));
    writeFileSync(join(folder, 'leaf.pem'), pemOf([leaf]));
    const how = ['-x509_strict', '-attime', String(NOW / 1000 + 60), '-purpose', 'sslserver'];
    const files = ['-CAfile', join(folder, 'root.pem'), join(folder, 'leaf.pem')];
    expect(execFileSync('openssl', ['verify', ...how, ...files]).toString()).toContain('OK');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('years from 2050 on are GeneralizedTime', () => {
  const root = authority('P-256');
  const issuer = readCertificate(root.der);
  const end = Date.UTC(2051, 5, 1);
  const template = {
    notBefore: NOW,
    notAfter: end,
    publicKey: Buffer.from(issuer.publicKey),
    extensions: [],
  };
  const der = signCertificate({ issuer: issuer.subject, subject: issuer.subject, ...template }, root.key);
  expect(new X509Certificate(der).validToDate.getTime()).toBe(end);
});

test('PEM goes there and back', () => {
  const { der } = authority('P-256');
  expect(certificatesOf(`# comment\n${pemOf([der, der])}`)).toEqual([der, der]);
  expect(new X509Certificate(pemOf([der])).raw).toEqual(der);
});

test.skipIf(noOpenssl)(`a request is read as OpenSSL reads it${why}`, () => {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const der = createRequest(keys, [{ kind: 'uri', value: 'spiffe://td/ns/a/sa/b' }]);
  const text = execFileSync('openssl', ['req', '-inform', 'DER', '-verify', '-noout', '-text'], {
    input: der,
    stdio: ['pipe', 'pipe', 'pipe'],
  }).toString();
  expect(text).toContain('URI:spiffe://td/ns/a/sa/b');
  const request = readRequest(der);
  expect(request.publicKey.equals(keys.publicKey)).toBe(true);
  expect(request.names?.uris.map(String)).toEqual(['spiffe://td/ns/a/sa/b']);
});

test.skipIf(noOpenssl)(`a request made by OpenSSL is read${why}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tulle-x509-'));
  try {
    const key = join(folder, 'key.pem');
    execFileSync('openssl', [
      'genpkey',
      '-algorithm',
      'EC',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-out',
      key,
    ]);
    const subject = [
      '-subj',
      '/CN=trick',
      '-addext',
      'subjectAltName=DNS:a.example,IP:127.0.0.1,URI:spiffe://x/y',
    ];
    const der = execFileSync('openssl', ['req', '-new', '-key', key, '-outform', 'DER', ...subject]);
    const names = readRequest(der).names;
    expect(names?.uris.map(String)).toEqual(['spiffe://x/y']);
    expect(names?.dns.map(String)).toEqual(['a.example']);
    expect(names?.others).toBe(1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a request gives the key and the names', () => {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const request = readRequest(createRequest(keys, [{ kind: 'uri', value: 'spiffe://td/ns/a/sa/b' }]));
  expect(request.publicKey.equals(keys.publicKey)).toBe(true);
  expect(request.names).toMatchObject({ others: 0, uris: [Buffer.from('spiffe://td/ns/a/sa/b')], dns: [] });
});

test('a request whose signature is not of its key is refused', () => {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const der = createRequest({ publicKey: keys.publicKey, privateKey: other.privateKey }, []);
  expect(() => readRequest(der)).toThrow('the signature does not fit the public key');
});

test('every cut and every flipped byte of a certificate is refused or read, never a crash', () => {
  const { der } = authority('P-256');
  for (let end = 0; end < der.length; end++) {
    expect(() => readCertificate(der.subarray(0, end))).toThrow(DerError);
  }
  for (let at = 0; at < der.length; at++) {
    for (const bits of [0x01, 0x80, 0xff]) {
      const bad = Buffer.from(der);
      bad[at] ^= bits;
      try {
        readCertificate(bad);
      } catch (error) {
        expect(error).toBeInstanceOf(DerError);
      }
    }
  }
});

test.each([
  ['indefinite length', '3080020101'],
  ['length longer than needed', '30810302010100'],
  ['leading zero in the length', '308200030201010000'],
  ['length of four bytes', '308400000003020101'],
  ['cut off', '30050201'],
])('DER with %s is refused', (_what, hex) => {
  expect(() => new DerReader(Buffer.from(hex, 'hex')).enter(tags.sequence)).toThrow(DerError);
});

test('integers are the shortest non-negative form', () => {
  expect(integer(Buffer.of(0, 0, 5)).toString('hex')).toBe('020105');
  expect(integer(Buffer.of(0x80)).toString('hex')).toBe('02020080');
  expect(integer(Buffer.of(0)).toString('hex')).toBe('020100');
});

test('alternative names of every kind are told apart', () => {
  const names = element(
    tags.sequence,
    element(0x86, Buffer.from('spiffe://a')),
    element(0x82, Buffer.from('b')),
    element(0x87, Buffer.of(127, 0, 0, 1)),
    element(0xa4, element(tags.sequence)),
  );
  expect(readGeneralNames(names)).toMatchObject({
    others: 2,
    uris: [Buffer.from('spiffe://a')],
    dns: [Buffer.from('b')],
  });
});
