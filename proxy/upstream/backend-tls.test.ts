import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, setDefaultCACertificates } from 'node:tls';
import { expect, test } from 'vitest';
import { createServerAuthority } from '../../test/integration/server-authority.ts';
import type { BackendTlsConfig, CertificateName } from '../cluster/cluster-config.ts';
import { BackendTlsVerifiers } from './backend-tls.ts';

const authority = createServerAuthority();

const exact = (value: string, kind: CertificateName['kind'] = 'dns'): CertificateName => ({
  kind,
  match: { kind: 'exact', value },
});
const regex = (value: string): CertificateName => ({ kind: 'dns', match: { kind: 'regex', value } });

/** What the verifier finds in a server with a certificate of these names. */
async function problemOf(
  held: readonly string[],
  names: readonly CertificateName[],
  authorities: string | null = authority.pem,
): Promise<string> {
  const config = { kind: 'verified', serverName: 'sni.test', names, authorities, clientTls: false } as const;
  const server = createServer(authority.issue(held), socket => socket.on('error', () => {})).listen(
    0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  const verifier = new BackendTlsVerifiers().of(config);
  const socket = connect({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    secureContext: verifier.context,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  await once(socket, 'secureConnect');
  const problem = verifier.problemOf(socket);
  socket.destroy();
  server.close();
  return problem;
}

const has = (names: string, expected: string): string => `it has the names ${names}, expected ${expected}`;

test.each<[held: string[], expected: CertificateName[], problem: string]>([
  [['a.test'], [exact('a.test')], ''],
  [['A.TEST'], [exact('a.test')], ''],
  [['x.test', 'a.test'], [exact('y.test'), exact('a.test')], ''],
  [['a.test.evil'], [exact('a.test')], has('a.test.evil', 'a.test')],
  // A wildcard of the certificate stands for one label, the first.
  [['*.test'], [exact('a.test')], ''],
  [['*.test'], [exact('b.a.test')], has('*.test', 'b.a.test')],
  [['*.test'], [exact('test')], has('*.test', 'test')],
  [['a*.test'], [exact('ab.test')], has('a*.test', 'ab.test')],
  // One of the policy as well.
  [['a.test'], [regex('[^.]+\\.test')], ''],
  [['*.test'], [regex('[^.]+\\.test')], ''],
  [['b.a.test'], [regex('[^.]+\\.test')], has('b.a.test', '[^.]+\\.test')],
  [['uri:spiffe://a/b'], [exact('spiffe://a/b', 'uri')], ''],
  [['uri:spiffe://a/b/c'], [exact('spiffe://a/b', 'uri')], has('spiffe://a/b/c', 'spiffe://a/b')],
  // A name of one kind is none of the other.
  [['spiffe://a/b'], [exact('spiffe://a/b', 'uri')], has('spiffe://a/b', 'spiffe://a/b')],
  [['uri:a.test'], [exact('a.test')], has('a.test', 'a.test')],
  [[], [exact('application')], 'it has no subject alternative name'],
])('a certificate with %j against %j', async (held, expected, problem) => {
  expect(await problemOf(held, expected)).toBe(problem);
});

test('authorities are those that are given, or else those of the runtime', async () => {
  const untrusted = 'it is not trusted: UNABLE_TO_VERIFY_LEAF_SIGNATURE';
  expect(await problemOf(['a.test'], [exact('a.test')], createServerAuthority().pem)).toBe(untrusted);
  expect(await problemOf(['a.test'], [exact('a.test')], null)).toBe(untrusted);
  setDefaultCACertificates([authority.pem]);
  expect(await problemOf(['a.test'], [exact('a.test')], null)).toBe('');
});

test('what a policy needs is made once', () => {
  const verifiers = new BackendTlsVerifiers();
  const config: Extract<BackendTlsConfig, { kind: 'verified' }> = {
    kind: 'verified',
    serverName: 'a',
    names: [],
    authorities: null,
    clientTls: false,
  };
  expect(verifiers.of(config)).toBe(verifiers.of(config));
  expect(verifiers.of({ ...config })).not.toBe(verifiers.of(config));
});
