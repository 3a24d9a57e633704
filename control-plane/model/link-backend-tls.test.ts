import { expect, test } from 'vitest';
import { caConfigMap, createServerAuthority } from '../../test/integration/server-authority.ts';
import { meshOfManifests } from '../sources/mesh-of-manifests.ts';
import type { BackendTls, Policy } from './model.ts';

const { pem } = createServerAuthority();
const ref = (name: string): string => `{group: "", kind: ConfigMap, name: ${name}}`;
const service = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.0.0.1, ports: [{port: 80, name: http}, {port: 443, name: https}]}`;

interface Written {
  name?: string;
  created?: string;
  section?: string;
  version?: string;
  validation?: string;
}

function policy({
  name = 'p',
  created = '2026-01-01T00:00:00Z',
  section,
  version = 'v1',
  ...rest
}: Written = {}) {
  const { validation = `{hostname: web.test, caCertificateRefs: [${ref('ca')}]}` } = rest;
  const target = `{group: "", kind: Service, name: web${section === undefined ? '' : `, sectionName: ${section}`}}`;
  return `
apiVersion: gateway.networking.k8s.io/${version}
kind: BackendTLSPolicy
metadata: {name: ${name}, namespace: shop, creationTimestamp: "${created}"}
spec: {targetRefs: [${target}], options: {example.com/a: b}, validation: ${validation}}`;
}

function link(...manifests: string[]) {
  const { mesh, problems } = meshOfManifests({ 'a.yaml': [service, ...manifests].join('\n---\n') });
  const ports = mesh.services.get('shop/web')?.ports ?? [];
  return {
    tls: Object.fromEntries(ports.map(({ name, backendTls }) => [name, backendTls])) as Record<
      string,
      BackendTls | null
    >,
    policy: (name = 'p') => mesh.policies.get(`BackendTLSPolicy/shop/${name}`) as Policy,
    problems: problems.flatMap(({ subject, problems }) => problems.map(text => `${subject}: ${text}`)),
  };
}

/** `reason reason`: of Accepted and of ResolvedRefs. */
const said = ({ targets, references }: Policy): string => `${targets[0]?.reason} ${references?.reason}`;
const ca = caConfigMap('ca', `# a comment\n${pem}`, 'shop');

test('all ports of a Service have what a policy of either version says', () => {
  for (const version of ['v1', 'v1alpha3']) {
    const { tls, policy: held, problems } = link(policy({ version }), ca);
    const expected = { kind: 'verified', hostname: 'web.test', subjectAltNames: [], authorities: pem };
    expect(tls).toMatchObject({ http: expected, https: expected });
    expect(said(held())).toBe('Accepted ResolvedRefs');
    expect(problems).toEqual([]);
  }
});

test('several ConfigMaps count together, and one that cannot be used is said', () => {
  const other = createServerAuthority().pem;
  const validation = `{hostname: a, caCertificateRefs: [${ref('ca')}, ${ref('more')}, ${ref('absent')}]}`;
  const { tls, policy: held } = link(policy({ validation }), ca, caConfigMap('more', other, 'shop'));
  expect(tls.http).toMatchObject({ kind: 'verified', authorities: pem + other });
  expect(said(held())).toBe('Accepted InvalidCACertificateRef');
  expect(held().references?.message).toBe(
    'ConfigMap shop/absent does not exist; create it or correct the name',
  );
});

test('well-known authorities are those of the client', () => {
  const validation = `{hostname: a.test, wellKnownCACertificates: System, subjectAltNames: [
    {type: Hostname, hostname: "*.b.test"}, {type: URI, uri: "spiffe://c/d"}]}`;
  expect(link(policy({ validation })).tls.http).toMatchObject({
    kind: 'verified',
    hostname: 'a.test',
    authorities: null,
    subjectAltNames: [
      { kind: 'hostname', value: '*.b.test' },
      { kind: 'uri', value: 'spiffe://c/d' },
    ],
  });
});

test.each([
  ['no ConfigMap', 'NoValidCACertificate InvalidCACertificateRef', 'does not exist', undefined, []],
  [
    'a ConfigMap elsewhere',
    'NoValidCACertificate InvalidCACertificateRef',
    'does not exist',
    undefined,
    [caConfigMap('ca', pem)],
  ],
  [
    'no certificate',
    'NoValidCACertificate InvalidCACertificateRef',
    'has no certificate',
    undefined,
    [caConfigMap('ca', 'none', 'shop')],
  ],
  [
    'a broken certificate',
    'NoValidCACertificate InvalidCACertificateRef',
    'cannot be read, number 2',
    undefined,
    [caConfigMap('ca', `${pem}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----`, 'shop')],
  ],
  [
    'another kind',
    'NoValidCACertificate InvalidKind',
    'use group "" and kind ConfigMap',
    '{hostname: a, caCertificateRefs: [{group: "", kind: Secret, name: ca}]}',
    [ca],
  ],
  [
    'unknown well-known authorities',
    'Invalid ResolvedRefs',
    'use System',
    '{hostname: a, wellKnownCACertificates: x.test/Mine}',
    [],
  ],
  [
    'both',
    'Invalid ResolvedRefs',
    'use one of',
    `{hostname: a, wellKnownCACertificates: System, caCertificateRefs: [${ref('ca')}]}`,
    [ca],
  ],
  ['neither', 'Invalid ResolvedRefs', 'use one of', '{hostname: a}', []],
  [
    'no hostname',
    'Invalid ResolvedRefs',
    'spec.validation.hostname is missing',
    '{wellKnownCACertificates: System}',
    [],
  ],
  [
    'an address',
    'Invalid ResolvedRefs',
    'use a DNS name',
    '{hostname: 10.0.0.1, wellKnownCACertificates: System}',
    [],
  ],
  [
    'a name that is none',
    'Invalid ResolvedRefs',
    'use Hostname or URI',
    '{hostname: a, wellKnownCACertificates: System, subjectAltNames: [{type: Email, email: a@b}]}',
    [],
  ],
] as const)(
  '%s: the Service is refused, and status says why',
  (_what, reasons, sentence, validation, more) => {
    const {
      tls,
      policy: held,
      problems,
    } = link(policy(validation === undefined ? {} : { validation }), ...more);
    expect(tls).toMatchObject({ http: { kind: 'refused' }, https: { kind: 'refused' } });
    expect(said(held())).toBe(reasons);
    expect(held().targets[0]?.message).toContain(sentence);
    expect(held().targets[0]?.message).toMatch(/Until then requests are refused$/);
    expect(problems.join()).toContain(sentence);
  },
);

const named = (hostname: string): string => `{hostname: ${hostname}, caCertificateRefs: [${ref('ca')}]}`;

test('a port that a policy names does not have that of the Service', () => {
  const { tls, policy: held } = link(
    policy({ name: 'old', validation: named('old.test') }),
    policy({
      name: 'port',
      validation: named('port.test'),
      section: 'https',
      created: '2026-02-01T00:00:00Z',
    }),
    ca,
  );
  expect(tls).toMatchObject({ http: { hostname: 'old.test' }, https: { hostname: 'port.test' } });
  expect([said(held('old')), said(held('port'))]).toEqual(['Accepted ResolvedRefs', 'Accepted ResolvedRefs']);
  expect(held('port').targets[0]).toMatchObject({ service: 'web', sectionName: 'https' });
});

test('a policy for a port that is not there says so', () => {
  const { tls, policy: held } = link(policy({ section: 'nope' }), ca);
  expect(tls).toEqual({ http: null, https: null });
  expect(held().targets[0]).toMatchObject({ reason: 'TargetNotFound' });
  expect(held().targets[0]?.message).toContain('has no port of that name; use one of "http", "https"');
});

test('of several the oldest is in force, then the first by name; one that is invalid stands behind', () => {
  const at = (name: string, created: string, validation = named(`${name}.test`)) =>
    policy({ name, created, validation });
  const day = (n: number) => `2026-01-0${n}T00:00:00Z`;
  const first = link(at('b', day(2)), at('a', day(2)), at('c', day(1)), ca);
  expect(first.tls.http).toMatchObject({ hostname: 'c.test' });
  expect(['a', 'b', 'c'].map(name => first.policy(name).targets[0]?.reason)).toEqual([
    'Conflicted',
    'Conflicted',
    'Accepted',
  ]);
  expect(first.policy('a').targets[0]?.message).toContain('older BackendTLSPolicy shop/c is in force');
  expect(link(at('b', day(2)), at('a', day(2)), ca).tls.http).toMatchObject({ hostname: 'a.test' });
  const broken = link(at('c', day(1), '{hostname: c}'), at('a', day(2)), ca);
  expect(broken.tls.http).toMatchObject({ hostname: 'a.test' });
  expect(broken.policy('c').targets[0]?.reason).toBe('Invalid');
});
