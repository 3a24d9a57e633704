import { X509Certificate as X509 } from 'node:crypto';
import { once } from 'node:events';
import { createServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { ManualClock } from '../../runtime/clock.ts';
import { createLogger } from '../../runtime/log.ts';
import { createAuthority, issue, type KeyPair, parseAuthorities } from './authority.ts';
import { CertificateKeeper } from './keeper.ts';
import { planAuthorities, type RotationTimes, renewalDue } from './rotation.ts';
import type { AuthorityStore, BundleStore } from './stores.ts';

const MINUTE = 60_000;
const times: RotationTimes = {
  authorityLifeMs: 300 * MINUTE,
  servingLifeMs: 60 * MINUTE,
  overlapMs: 10 * MINUTE,
};
const log = createLogger('test', 'fatal');

/** One Secret and one webhook configuration, shared by the keepers of a test, with the conflicts of the real ones. */
class Cluster implements AuthorityStore, BundleStore {
  authorities: KeyPair[] = [];
  version = 0;
  bundle = '';
  failing = false;
  /** Runs between read and write, once. */
  meanwhile: (() => Promise<void>) | null = null;

  async read() {
    if (this.failing) throw new Error('the API server is away');
    const answer = { authorities: this.authorities, version: String(this.version) };
    const meanwhile = this.meanwhile;
    this.meanwhile = null;
    await meanwhile?.();
    return answer;
  }

  async write(authorities: readonly KeyPair[], version: string) {
    if (version !== String(this.version)) return false;
    this.version++;
    this.authorities = parseAuthorities(
      authorities.map(a => a.cert).join(''),
      authorities.map(a => a.key).join(''),
    );
    return true;
  }

  async publish(bundle: string) {
    const change = bundle !== this.bundle;
    this.bundle = bundle;
    return change;
  }
}

function keeperIn(cluster: Cluster, clock: ManualClock) {
  const served: KeyPair[] = [];
  const keeper = new CertificateKeeper({
    authorities: cluster,
    bundle: cluster,
    names: ['tulle-injector.tulle-system.svc'],
    times,
    intervalMs: MINUTE,
    clock,
    log,
    onCertificate: certificate => served.push(certificate),
  });
  return { keeper, served };
}

/** Whether a client that trusts `ca` accepts a server with that certificate. */
async function handshake(certificate: KeyPair, ca: string, servername: string): Promise<string> {
  const server = createServer(certificate, (_request, response) => response.end('ok'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    return await new Promise(resolve => {
      const request = get({ host: '127.0.0.1', port, ca, servername, agent: false }, response => {
        response.resume();
        resolve('ok');
      });
      request.on('error', error => resolve((error as NodeJS.ErrnoException).code ?? error.message));
    });
  } finally {
    server.close();
  }
}

test('a serving certificate is accepted for its names by who trusts the authority, and by nobody else', async () => {
  const now = Date.now();
  const authority = createAuthority(now, times.authorityLifeMs);
  const other = createAuthority(now, times.authorityLifeMs);
  const serving = issue(authority, ['tulle-injector.tulle-system.svc'], now, times.servingLifeMs);
  expect(await handshake(serving, authority.cert, 'tulle-injector.tulle-system.svc')).toBe('ok');
  expect(await handshake(serving, other.cert + authority.cert, 'tulle-injector.tulle-system.svc')).toBe('ok');
  expect(await handshake(serving, other.cert, 'tulle-injector.tulle-system.svc')).toBe(
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  );
  expect(await handshake(serving, authority.cert, 'other.tulle-system.svc')).toBe(
    'ERR_TLS_CERT_ALTNAME_INVALID',
  );
});

test('a serving certificate does not outlive its issuer', async () => {
  const authority = createAuthority(Date.now(), 30 * MINUTE);
  const serving = issue(authority, ['x.example'], Date.now(), times.servingLifeMs);
  expect(serving.notAfter).toBe(authority.notAfter);
});

test('a key that belongs to another certificate is not used', async () => {
  const [one, two] = [createAuthority(Date.now(), MINUTE), createAuthority(Date.now(), MINUTE)];
  expect(parseAuthorities(one.cert + two.cert, one.key + two.key)).toHaveLength(2);
  expect(parseAuthorities(one.cert + two.cert, two.key + two.key).map(({ cert }) => cert)).toEqual([
    two.cert,
  ]);
  expect(parseAuthorities('', '')).toEqual([]);
});

test('a new authority is published before it signs, and the old one stays until it expires', () => {
  const old = { notBefore: 0, notAfter: 300 * MINUTE };
  const next = { notBefore: 200 * MINUTE, notAfter: 500 * MINUTE };
  expect(planAuthorities([], 0, times)).toEqual({ keep: [], issuer: null, create: true });
  expect(planAuthorities([old], 1, times)).toEqual({ keep: [old], issuer: old, create: false });
  expect(planAuthorities([old], 200 * MINUTE, times).create).toBe(true);
  expect(planAuthorities([old, next], 209 * MINUTE, times)).toEqual({
    keep: [old, next],
    issuer: old,
    create: false,
  });
  expect(planAuthorities([old, next], 210 * MINUTE, times).issuer).toBe(next);
  expect(planAuthorities([next, old], 210 * MINUTE, times).keep).toEqual([old, next]);
  expect(planAuthorities([old, next], 300 * MINUTE, times).keep).toEqual([next]);
  expect(renewalDue({ notBefore: 0, notAfter: 10 }, 4)).toBe(false);
  expect(renewalDue({ notBefore: 0, notAfter: 10 }, 5)).toBe(true);
});

test('two replicas that start together end with one authority, and each certificate is trusted', async () => {
  const cluster = new Cluster();
  const clock = new ManualClock(Date.now());
  const [a, b] = [keeperIn(cluster, clock), keeperIn(cluster, clock)];
  cluster.meanwhile = () => b.keeper.synchronise();
  await a.keeper.synchronise();
  expect(cluster.authorities).toHaveLength(1);
  for (const { served } of [a, b]) {
    expect(served).toHaveLength(1);
    expect(await handshake(served[0], cluster.bundle, 'tulle-injector.tulle-system.svc')).toBe('ok');
  }
  expect(a.served[0].key).not.toBe(b.served[0].key);
});

test('through two lives of an authority, no moment has a certificate that is not trusted or has expired', async () => {
  const cluster = new Cluster();
  const clock = new ManualClock(Date.now());
  const { keeper, served } = keeperIn(cluster, clock);
  const issuers = new Set<string>();
  let bundleBefore = '';
  for (let minute = 0; minute < 700; minute += 5) {
    await keeper.synchronise();
    const serving = served.at(-1) as KeyPair;
    expect(keeper.valid).toBe(true);
    const issuer = cluster.authorities.find(authority => issuedBy(serving, authority));
    expect(issuer, `minute ${minute}: the issuer is published`).toBeDefined();
    // The API server may have seen the last caBundle only; the first authority has no earlier one.
    if (issuers.size > 0) expect(bundleBefore).toContain(issuer?.cert);
    issuers.add(issuer?.cert ?? '');
    bundleBefore = cluster.bundle;
    clock.advance(5 * MINUTE);
  }
  expect(issuers.size).toBe(4);
  expect(cluster.authorities.length).toBeLessThanOrEqual(2);
});

function issuedBy(certificate: KeyPair, authority: KeyPair): boolean {
  const [child, parent] = [new X509(certificate.cert), new X509(authority.cert)];
  return child.verify(parent.publicKey);
}

test('while the API server is away the certificate stays, and then expires visibly', async () => {
  const cluster = new Cluster();
  const clock = new ManualClock(Date.now());
  const { keeper, served } = keeperIn(cluster, clock);
  await keeper.run();
  expect(keeper.valid).toBe(true);
  cluster.failing = true;
  clock.advance(times.servingLifeMs + MINUTE);
  expect(keeper.valid).toBe(false);
  cluster.failing = false;
  await keeper.synchronise();
  expect(keeper.valid).toBe(true);
  expect(served).toHaveLength(2);
  keeper.stop();
});

test('a caBundle that somebody has overwritten is repaired', async () => {
  const cluster = new Cluster();
  const { keeper, served } = keeperIn(cluster, new ManualClock(Date.now()));
  await keeper.synchronise();
  const published = cluster.bundle;
  cluster.bundle = '';
  await keeper.synchronise();
  expect(cluster.bundle).toBe(published);
  expect(served).toHaveLength(1);
});
