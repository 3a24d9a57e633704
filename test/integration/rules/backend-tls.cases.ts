import { describe, expect, test } from 'vitest';
import type { Answer } from '../proxy/apps.ts';
import { caConfigMap, createServerAuthority } from '../server-authority.ts';
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

  /** Every caller comes to this outcome, and stays at it. */
  async function expectAll(code: string, told = code): Promise<void> {
    for (const caller of world().callers) {
      const expected = caller.name === 'Envoy' ? told : code;
      await expect
        .poll(async () => reasonOf(await two(caller)), { timeout: GENEROUS_MS, message: caller.name })
        .toBe(expected);
      for (let i = 0; i < 3; i++) expect(reasonOf(await two(caller)), caller.name).toBe(expected);
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
      world().secure(authority.issue([]));
      await expectAll('503 BACKEND_CERTIFICATE', '503 Envoy');
      world().seen.length = 0;
      world().secure(null);
      await expectAll('503 BACKEND_TLS', '503 Envoy');
      expect(world().seen).toEqual([]);
      world().secure(authority.issue(['*.test']));
      await expectAll('200');
    });
  });
}
