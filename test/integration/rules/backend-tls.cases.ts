import { describe, expect, test } from 'vitest';
import type { Answer } from '../proxy/apps.ts';
import { caConfigMap, createServerAuthority } from '../server-authority.ts';
import { bytesOf, clientTls, grpcEcho, http2Status, startOutside, tunnel, upgradeEcho } from './outside.ts';
import { type Caller, GENEROUS_MS, type RulesWorld } from './world.ts';

const authority = createServerAuthority();
const other = createServerAuthority();

function policy(
  validation: string,
  { name = 'tls', section = '', created = '2026-01-01T00:00:00Z' } = {},
): string {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: { name: ${name}, namespace: default, creationTimestamp: "${created}" }
spec:
  targetRefs: [{ group: "", kind: Service, name: two${section === '' ? '' : `, sectionName: ${section}`} }]
  options: { example.com/unknown: ignored }
  validation: ${validation}`;
}

const ca = (hostname: string, more = ''): string =>
  `{ caCertificateRefs: [{ group: "", kind: ConfigMap, name: ca }], hostname: ${hostname}${more} }`;

const trusted = caConfigMap('ca', authority.pem);

/** Why a proxy has answered itself: the code of a sidecar, the flag of Envoy as far as its answer tells. */
function reasonOf({ status, headers, body }: Answer): string {
  const code = headers['tulle-error'];
  if (code !== undefined) return `${status} ${String(code).split(';')[0]}`;
  return /^(upstream connect error|no healthy upstream)/.test(body) ? `${status} Envoy` : `${status}`;
}

/** GEP-1897: applications that serve TLS themselves. */
export function backendTlsCases(world: () => RulesWorld): void {
  const two = ({ call }: Caller) => call({ path: '/x', host: 'two' });

  const sidecarAddress = (): string => world().pods('client')[0].address;

  /** Every caller comes to this outcome, and stays at it. */
  async function expectAll(code: string, told = code): Promise<void> {
    for (const caller of world().callers) {
      const expected = caller.name === 'Envoy' ? told : code;
      await expect
        .poll(async () => reasonOf(await two(caller)), { timeout: GENEROUS_MS, message: caller.name })
        .toBe(expected);
      expect(reasonOf(await two(caller)), caller.name).toBe(expected);
    }
  }

  describe('BackendTLSPolicy', () => {
    test('opens TLS to the application, with the name as SNI', async () => {
      world().secure(authority.issue(['two.test']));
      await world().apply(trusted, policy(ca('two.test')));
      expect(await world().problems()).toEqual([]);
      await expectAll('200');
      const { seen } = world();
      seen.length = 0;
      for (const caller of world().callers) {
        await two(caller);
        const [{ tls, headers }] = seen.splice(0);
        expect(tls, caller.name).toEqual({ serverName: 'two.test', alpn: 'http/1.1' });
        // What sidecars tell each other is not for the application.
        expect(Object.keys(headers).filter(name => name.startsWith('tulle-'))).toEqual([]);
      }
    });

    test('says what is wrong with the certificate, or that there is no TLS', async () => {
      await world().apply(trusted, policy(ca('two.test')));
      world().secure(authority.issue(['other.test', 'sub.two.test']));
      await expectAll('503 BACKEND_CERTIFICATE', '503 Envoy');
      world().secure(other.issue(['two.test']));
      await expectAll('503 BACKEND_CERTIFICATE', '503 Envoy');
      world().secure(authority.issue(['two.test'], { endsIn: -60_000 }));
      await expectAll('503 BACKEND_CERTIFICATE', '503 Envoy');
      world().seen.length = 0;
      world().secure(null);
      await expectAll('503 BACKEND_TLS', '503 Envoy');
      expect(world().seen).toEqual([]);
      world().secure(authority.issue(['*.test']));
      await expectAll('200');
    });

    test('takes the names of subjectAltNames in place of the hostname', async () => {
      const names = (hostname: string, list: string): string => ca(hostname, `, subjectAltNames: [${list}]`);
      const pods = '{ type: Hostname, hostname: "*.pods.test" }';
      const uri = '{ type: URI, uri: "spiffe://two.test/app" }';
      await world().apply(trusted, policy(names('two.test', `${pods}, ${uri}`)));
      expect(await world().problems()).toEqual([]);
      world().secure(authority.issue(['a.pods.test']));
      await expectAll('200');
      world().secure(authority.issue(['uri:spiffe://two.test/app']));
      await expectAll('200');
      expect(world().seen.every(({ tls }) => tls?.serverName === 'two.test')).toBe(true);
      world().secure(authority.issue(['two.test', 'b.a.pods.test', 'uri:spiffe://two.test/application']));
      await expectAll('503 BACKEND_CERTIFICATE', '503 Envoy');
    });

    test('that cannot be obeyed lets nothing through, and is obeyed when it can be', async () => {
      world().secure(authority.issue(['two.test']));
      await world().apply(policy(ca('two.test')));
      await expectAll('503 BACKEND_TLS_POLICY', '503 Envoy');
      expect(world().seen).toEqual([]);
      expect(await world().problems()).toEqual([
        'ConfigMap default/ca does not exist; create it or correct the name',
      ]);
      // Requests to others are none of its business.
      for (const { name, call } of world().callers)
        expect((await call({ host: 'one' })).status, name).toBe(200);
      await world().apply(trusted, policy(ca('two.test')));
      await expectAll('200');
      // The roots of the Web do not know this authority.
      await world().apply(policy('{ wellKnownCACertificates: System, hostname: two.test }'));
      expect(await world().problems()).toEqual([]);
      await expectAll('503 BACKEND_CERTIFICATE', '503 Envoy');
    });

    test('that changes, or whose ConfigMap does, is for new connections, and no request is lost', async () => {
      world().secure(authority.issue(['two.test']));
      await world().apply(trusted, policy(ca('two.test')));
      await expectAll('200');
      const [sidecar] = world().callers;
      let answer = (): void => {};
      const held = new Promise<void>(reached => {
        world().handler = (seen, response) => {
          if (seen.path !== '/slow') return void response.end(seen.pod);
          answer = () => void response.end('slow');
          reached();
        };
      });
      const slow = sidecar.call({ path: '/slow', host: 'two' });
      await held;
      const { handler } = world();
      // New connections get a certificate of the other authority, which is trusted by the new ConfigMap alone.
      world().secure(other.issue(['two.test']), 'new connections');
      await world().apply(caConfigMap('ca', other.pem), policy(ca('two.test')));
      world().handler = handler;
      await expectAll('200');
      answer();
      expect((await slow).body).toBe('slow');
      // Without the policy it is plaintext again, on other connections.
      world().secure(null, 'new connections');
      await world().apply();
      await expectAll('200');
      await expect
        .poll(async () => (await two(sidecar), world().seen.at(-1)?.tls), { timeout: GENEROUS_MS })
        .toBe(null);
    });

    test('carries HTTP/2 to whoever asks in HTTP/2', async () => {
      world().secure(authority.issue(['two.test']));
      await world().apply(trusted, policy(ca('two.test')));
      await expectAll('200');
      world().seen.length = 0;
      expect(await http2Status(sidecarAddress(), 'two')).toBe(200);
      expect(world().seen[0]?.tls).toEqual({ serverName: 'two.test', alpn: 'h2' });
    });

    test('reaches applications without a sidecar: nginx, gRPC and bytes', async context => {
      world().secure(null);
      const certificate = authority.issue(['outside.test']);
      const servers = await startOutside(certificate, authority.issue(['own.test']));
      context.onTestFinished(() => servers.stop());
      const outside = policy(ca('outside.test')).replace('name: two', 'name: outside');
      await world().apply(trusted, outside, servers.manifests);
      expect(await world().problems()).toEqual([]);
      const [sidecar] = world().callers;
      const address = sidecarAddress();
      const call = (host: string): Promise<Answer> => sidecar.call({ host });
      await expect.poll(async () => (await call('outside:80')).body, { timeout: GENEROUS_MS }).toBe('node');
      if (servers.withoutNginx === '') expect((await call('outside:81')).body).toBe('nginx');
      else console.warn(`without nginx: ${servers.withoutNginx}`);
      expect(await upgradeEcho(address, 'outside:80', 'through a tunnel')).toBe('through a tunnel');
      expect(await grpcEcho(address, 'outside:82')).toBe('echo');
      // Bytes of a port that is declared opaque go in TLS; whoever speaks TLS already goes on to.
      expect(await bytesOf(await tunnel(address, 'outside:83'))).toBe('TLS of outside.test');
      const own = (port: number) => clientTls(address, `outside:${port}`, authority.pem);
      expect(await bytesOf(await own(84))).toBe('TLS of own.test');
      expect(await bytesOf(await own(85))).toBe('TLS of own.test');
      const metrics = await world().metrics(world().pods('client')[0]);
      const counted = (port: string) =>
        metrics.split('\n').filter(line => line.startsWith(port) && line.includes('"outside"'));
      expect(counted('istio_requests_total').join()).toContain('connection_security_policy="tls"');
    });
  });
}
