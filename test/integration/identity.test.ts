import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { connect, createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { CertificateSource } from '../../proxy/identity/certificate-source.ts';
import type { Identity } from '../../proxy/identity/identity.ts';
import { peerIdentity } from '../../proxy/identity/peer-certificate.ts';
import { TrustBundleFile } from '../../proxy/identity/trust-bundle.ts';
import { ManualClock } from '../../runtime/clock.ts';
import {
  Installation,
  logInto,
  type RunningControlPlane,
  sidecarIdentity,
  silent,
  startControlPlane,
  type Workload,
} from './identity-fixture.ts';

const WEB: Workload = { namespace: 'shop', serviceAccount: 'web', pod: 'web-1' };
const API: Workload = { namespace: 'shop', serviceAccount: 'api', pod: 'api-1' };

let installation: Installation;
let plane: RunningControlPlane | null;
const sources: CertificateSource[] = [];

beforeEach(() => {
  installation = new Installation();
  plane = null;
});
afterEach(async () => {
  for (const source of sources.splice(0)) source.stop();
  await plane?.stop();
  installation.remove();
});

async function start(options: Parameters<typeof startControlPlane>[1] = {}): Promise<RunningControlPlane> {
  plane = await startControlPlane(installation, options);
  return plane;
}

function source(...args: Parameters<typeof sidecarIdentity>): CertificateSource {
  const made = sidecarIdentity(...args);
  sources.push(made);
  return made;
}

/** The next identity of a source. */
const next = (of: CertificateSource): Promise<Identity> =>
  new Promise(resolve => {
    const end = of.subscribe(identity => {
      end();
      resolve(identity);
    });
  });

/** The first log line with a reason. */
function refusal(lines: readonly Record<string, unknown>[]): Promise<string> {
  return vi.waitFor(() => {
    const line = lines.find(({ reason }) => reason !== undefined);
    if (line === undefined) throw new Error('nothing was refused');
    return String(line.reason);
  });
}

test('a sidecar gets the identity that its token proves, and peers accept it', async () => {
  const { port, identity } = await start();
  const web = source(WEB, installation.token(WEB), port);
  const api = source(API, installation.token(API), port);
  web.trust(identity.bundlePem);
  api.trust(identity.bundlePem);
  const [own, peer] = await Promise.all([next(web), next(api)]);
  expect(own.spiffe).toBe('spiffe://cluster.local/ns/shop/sa/web');

  const server = createTlsServer({ requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' });
  // node:tls takes a SecureContext per connection only through SNICallback.
  (server as unknown as { _sharedCreds: unknown })._sharedCreds = peer.context;
  const seen = new Promise(resolve => {
    server.on('secureConnection', socket =>
      resolve(peerIdentity(socket.getPeerX509Certificate()?.raw ?? Buffer.alloc(0))),
    );
  });
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const socket = connect({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    secureContext: own.context,
    checkServerIdentity: () => undefined,
  });
  const server_ = await new Promise(resolve => {
    socket.on('secureConnect', () =>
      resolve(peerIdentity(socket.getPeerX509Certificate()?.raw ?? Buffer.alloc(0))),
    );
  });
  expect(server_).toEqual({ kind: 'spiffe', uri: 'spiffe://cluster.local/ns/shop/sa/api' });
  expect(await seen).toEqual({ kind: 'spiffe', uri: 'spiffe://cluster.local/ns/shop/sa/web' });
  expect(socket.getCipher().standardName).toBe('TLS_AES_128_GCM_SHA256');
  socket.destroy();
  server.close();
});

test('a token that nobody issued is refused, with the remedy, and never shown', async () => {
  const lines: Record<string, unknown>[] = [];
  const { port, identity } = await start();
  const file = installation.path('forged');
  writeFileSync(file, 'forged-secret-token');
  const web = source(WEB, file, port, { log: logInto(lines) });
  web.trust(identity.bundlePem);
  const reason = await refusal(lines);
  expect(reason).toMatch(/^UNAUTHENTICATED: the token belongs to none of the 0 workloads/);
  expect(JSON.stringify(lines)).not.toContain('forged-secret-token');
  expect(web.current).toBeNull();
});

test('a request for an identity that the token does not prove is refused', async () => {
  const lines: Record<string, unknown>[] = [];
  const { port, identity } = await start();
  const web = source(WEB, installation.token(API), port, { log: logInto(lines) });
  web.trust(identity.bundlePem);
  expect(await refusal(lines)).toBe(
    'PERMISSION_DENIED: the certificate request asks for "spiffe://cluster.local/ns/shop/sa/web", but the token proves spiffe://cluster.local/ns/shop/sa/api; ask for that name only, or for none',
  );
});

test('a control plane with another authority is not believed', async () => {
  const lines: Record<string, unknown>[] = [];
  const { port } = await start();
  const other = new Installation();
  const stranger = await startControlPlane(other);
  const web = source(WEB, installation.token(WEB), port, { log: logInto(lines) });
  web.trust(stranger.identity.bundlePem);
  expect(await refusal(lines)).toMatch(
    /^the certificate of 127\.0\.0\.1:\d+ is not trusted .*TULLE_TRUST_BUNDLE/,
  );
  await stranger.stop();
  other.remove();
});

test('a control plane under another name is not believed', async () => {
  const lines: Record<string, unknown>[] = [];
  const { port, identity } = await start();
  const web = source(WEB, installation.token(WEB), port, { log: logInto(lines), serverName: 'localhost' });
  web.trust(identity.bundlePem);
  expect(await refusal(lines)).toMatch(/is not valid for localhost; set TULLE_CONTROL_PLANE_NAME/);
});

test('a missing token file is named', async () => {
  const lines: Record<string, unknown>[] = [];
  const { port, identity } = await start();
  const web = source(WEB, installation.path('nowhere'), port, { log: logInto(lines) });
  web.trust(identity.bundlePem);
  expect(await refusal(lines)).toMatch(/^the token in TULLE_TOKEN cannot be read: ENOENT/);
});

test('certificates are renewed at half of their life, and the token is read again', async () => {
  const clock = new ManualClock(Date.now());
  const { port, identity } = await start();
  const file = installation.token(WEB);
  const web = source(WEB, file, port, { clock });
  web.trust(identity.bundlePem);
  const first = await next(web);
  // The kubelet has replaced the token meanwhile.
  installation.token(WEB);
  const renewed = next(web);
  clock.advance(12 * 3_600_000 - 60_000);
  await new Promise(resolve => {
    setImmediate(resolve);
  });
  expect(web.current).toBe(first);
  clock.advance(120_000);
  const second = await renewed;
  expect(second.generation).toBe(first.generation + 1);
  expect(second.context).not.toBe(first.context);
});

test('a sidecar keeps its certificate while the control plane is away, past its end, and recovers by itself', async () => {
  const lines: Record<string, unknown>[] = [];
  const running = await start({ leafLifeMs: 2000 });
  const web = source(WEB, installation.token(WEB), running.port, { log: logInto(lines) });
  web.trust(running.identity.bundlePem);
  const first = await next(web);
  await running.stop();
  expect(await vi.waitFor(() => refusal(lines), 5000)).toMatch(/ECONNREFUSED/);
  await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(first.notAfter), 5000);
  expect(web.current).toBe(first);

  const recovered = next(web);
  await start({ port: running.port });
  const second = await recovered;
  expect(second.generation).toBe(2);
  expect(second.notAfter).toBeGreaterThan(Date.now() + 3_600_000);
});

test('a sidecar that starts before the control plane gets its certificate when that is there', async () => {
  const lines: Record<string, unknown>[] = [];
  const seeded = await start();
  const { port } = seeded;
  const bundle = seeded.identity.bundlePem;
  await seeded.stop();
  const web = source(WEB, installation.token(WEB), port, { log: logInto(lines) });
  web.trust(bundle);
  expect(await refusal(lines)).toMatch(/ECONNREFUSED/);
  const issued = next(web);
  await start({ port });
  expect((await issued).generation).toBe(1);
});

test('a control plane that accepts and says nothing is given up, and tried again', async () => {
  const lines: Record<string, unknown>[] = [];
  const { identity } = await start();
  const mute = createServer(socket => socket.on('error', () => {}));
  await new Promise<void>(resolve => {
    mute.listen(0, '127.0.0.1', resolve);
  });
  const web = source(WEB, installation.token(WEB), (mute.address() as AddressInfo).port, {
    log: logInto(lines),
  });
  web.trust(identity.bundlePem);
  expect(await vi.waitFor(() => refusal(lines), 5000)).toBe('no connection within 2000 ms');
  mute.close();
});

test('a change of the trust bundle makes a new generation without a new certificate', async () => {
  const { port, identity } = await start();
  const web = source(WEB, installation.token(WEB), port);
  const file = installation.path('ca.crt');
  writeFileSync(file, identity.bundlePem);
  const clock = new ManualClock();
  const bundle = new TrustBundleFile(file, clock, silent(), pem => web.trust(pem));
  const issued = next(web);
  bundle.start();
  const first = await issued;
  const changed = next(web);
  writeFileSync(file, `# with a comment now\n${identity.bundlePem}`);
  clock.advance(5000);
  const second = await changed;
  expect(second.generation).toBe(first.generation + 1);
  expect(second.notAfter).toBe(first.notAfter);
  // Half a file is not taken over.
  writeFileSync(file, 'no certificate');
  clock.advance(5000);
  expect(bundle.problem).toBe('it holds no certificate, PEM');
  expect(web.current).toBe(second);
});

test('the authority outlives the control plane, and its key is private', async () => {
  const first = await start();
  const pem = first.identity.bundlePem;
  await first.stop();
  const second = await start();
  expect(second.identity.bundlePem).toBe(pem);
  expect(readFileSync(installation.path('ca', 'ca.crt'), 'utf8')).toBe(pem);
  expect(statSync(installation.path('ca', 'tls.key')).mode & 0o777).toBe(0o600);
});
