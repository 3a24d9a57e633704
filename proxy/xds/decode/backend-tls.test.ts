import { expect, test } from 'vitest';
import { pack } from '../../../api/xds/any.ts';
import { Cluster } from '../../../api/xds/gen/envoy/config/cluster/v3/cluster.ts';
import type { CertificateValidationContext } from '../../../api/xds/gen/envoy/extensions/transport_sockets/tls/v3/common.ts';
import { UpstreamTlsContext } from '../../../api/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts';
import type { DeepPartial } from '../../../api/xds/gen/google/protobuf/any.ts';
import { metadataKey } from '../../../api/xds/names.ts';
import type { BackendTlsConfig } from '../../cluster/cluster-config.ts';
import { decodeCluster } from './clusters.ts';

/** What is decoded, or why it is refused. */
function decode(
  metadata: Record<string, string>,
  validation: DeepPartial<CertificateValidationContext> | null,
  sni = 'a.test',
): BackendTlsConfig | null | readonly string[] {
  const context = pack(UpstreamTlsContext, {
    sni,
    commonTlsContext: {
      validationContextType: { $case: 'validationContext', value: validation ?? {} },
    },
  });
  const message: DeepPartial<Cluster> = {
    name: 'c',
    clusterDiscoveryType: { $case: 'type', value: 'EDS' },
    metadata: { filterMetadata: { [metadataKey]: metadata } },
    ...(validation === null
      ? {}
      : { transportSocket: { name: 'tls', configType: { $case: 'typedConfig', value: context } } }),
  };
  const decoded = decodeCluster(Cluster.encode(Cluster.fromPartial(message)).finish(), 'c', '1');
  return decoded.kind === 'value' ? decoded.value.backendTls : decoded.reasons;
}

const trustedCa = { specifier: { $case: 'inlineString' as const, value: 'PEM' } };
const matchTypedSubjectAltNames = [
  { sanType: 'DNS' as const, matcher: { matchPattern: { $case: 'exact' as const, value: 'a.test' } } },
  {
    sanType: 'URI' as const,
    matcher: { matchPattern: { $case: 'safeRegex' as const, value: { regex: 'x:.*' } } },
  },
];
const names = [
  { kind: 'dns', match: { kind: 'exact', value: 'a.test' } },
  { kind: 'uri', match: { kind: 'regex', value: 'x:.*' } },
];
const verified = { backend_tls: 'verified' };

test('TLS to the application is what the transport socket says', () => {
  const expected = { kind: 'verified', serverName: 'a.test', names, authorities: 'PEM', clientTls: false };
  expect(decode(verified, { trustedCa, matchTypedSubjectAltNames })).toEqual(expected);
  expect(
    decode({ ...verified, client_tls: 'true' }, { systemRootCerts: {}, matchTypedSubjectAltNames }),
  ).toEqual({ ...expected, authorities: null, clientTls: true });
  expect(decode({ backend_tls: 'refused' }, null)).toEqual({ kind: 'refused', clientTls: false });
  expect(decode({}, null)).toBe(null);
});

test('what is incomplete is refused, and never less TLS', () => {
  const at = 'transport_socket.typed_config';
  const validation = `${at}.common_tls_context.validation_context`;
  expect(decode({}, { trustedCa, matchTypedSubjectAltNames })).toEqual([
    'transport_socket is "tls"; metadata backend_tls must be "verified" with it',
  ]);
  expect(decode(verified, null)).toEqual([
    `${at}.type_url is missing; use type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext`,
  ]);
  expect(decode(verified, {}, '')).toEqual([
    `${at}.sni is ""; use the host name of the policy`,
    `${validation}.match_typed_subject_alt_names is []; name at least one: any certificate would do otherwise`,
    `${validation}.trusted_ca is missing; use inline_string, or system_root_certs in its place`,
  ]);
  const file = { specifier: { $case: 'filename' as const, value: '/ca.pem' } };
  const other = [{ ...matchTypedSubjectAltNames[0], sanType: 'EMAIL' as const }];
  expect(decode(verified, { trustedCa: file, matchTypedSubjectAltNames: other })).toEqual([
    `${validation}.match_typed_subject_alt_names[0].san_type is "EMAIL"; use DNS or URI`,
    `${validation}.trusted_ca is "filename"; use inline_string, or system_root_certs in its place`,
  ]);
  const prefix = [
    { sanType: 'DNS' as const, matcher: { matchPattern: { $case: 'prefix' as const, value: 'a' } } },
  ];
  expect(decode(verified, { trustedCa, matchTypedSubjectAltNames: prefix })).toEqual([
    `${validation}.match_typed_subject_alt_names[0].matcher is "prefix"; use exact or safe_regex`,
  ]);
});
