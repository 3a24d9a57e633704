/** TLS to applications that serve it themselves, as Envoy's messages have it (BackendTLSPolicy, GEP-1897). */
import { pack } from '../../api/xds/any.ts';
import type { TransportSocket } from '../../api/xds/gen/envoy/config/core/v3/base.ts';
import type { SubjectAltNameMatcher } from '../../api/xds/gen/envoy/extensions/transport_sockets/tls/v3/common.ts';
import { UpstreamTlsContext } from '../../api/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts';
import type { DeepPartial } from '../../api/xds/gen/google/protobuf/any.ts';
import type { BackendTls, SubjectAltName } from '../model/model.ts';

/**
 * `wellKnown`: roots in place of the client's own, for a client that does not know how to use those (Envoy ignores
 * `system_root_certs`); null for one that does. Without ALPN: each pool of the client offers its own protocol.
 */
export function backendTlsSocket(
  tls: Extract<BackendTls, { kind: 'verified' }>,
  wellKnown: readonly string[] | null,
): DeepPartial<TransportSocket> {
  const { hostname, subjectAltNames } = tls;
  const authorities = tls.authorities ?? wellKnown?.join('\n') ?? null;
  const names: readonly SubjectAltName[] =
    subjectAltNames.length > 0 ? subjectAltNames : [{ kind: 'hostname', value: hostname }];
  const context = pack(UpstreamTlsContext, {
    sni: hostname,
    commonTlsContext: {
      validationContextType: {
        $case: 'validationContext',
        value: {
          ...(authorities === null
            ? { systemRootCerts: {} }
            : { trustedCa: { specifier: { $case: 'inlineString', value: authorities } } }),
          matchTypedSubjectAltNames: names.map(nameMatcher),
        },
      },
    },
  });
  return { name: 'envoy.transport_sockets.tls', configType: { $case: 'typedConfig', value: context } };
}

/** `*.` stands for one label, or for the same wildcard in a certificate. */
function nameMatcher({ kind, value }: SubjectAltName): DeepPartial<SubjectAltNameMatcher> {
  const sanType = kind === 'uri' ? 'URI' : 'DNS';
  if (!value.startsWith('*.') || kind === 'uri')
    return { sanType, matcher: { matchPattern: { $case: 'exact', value } } };
  const regex = `[^.]+${value.slice(1).replaceAll('.', '\\.')}`;
  return { sanType, matcher: { matchPattern: { $case: 'safeRegex', value: { regex } } } };
}
