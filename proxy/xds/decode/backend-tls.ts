import type { TransportSocket } from '../../../api/xds/gen/envoy/config/core/v3/base.ts';
import type {
  CertificateValidationContext,
  SubjectAltNameMatcher,
} from '../../../api/xds/gen/envoy/extensions/transport_sockets/tls/v3/common.ts';
import { UpstreamTlsContext } from '../../../api/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts';
import type { BackendTlsConfig, CertificateName } from '../../cluster/cluster-config.ts';
import { type Problems, unpackField } from './decoded.ts';
import type { MetadataReader } from './metadata.ts';

const KINDS = ['', 'verified', 'refused'] as const;
const AT = 'transport_socket.typed_config';

/** What a cluster says of TLS to the application; null without. What is incomplete is a problem: it must not mean less TLS. */
export function readBackendTls(
  socket: TransportSocket | undefined,
  metadata: MetadataReader,
  problems: Problems,
): BackendTlsConfig | null {
  const kind = metadata.choice('backend_tls', KINDS);
  const clientTls = metadata.text('client_tls') === 'true';
  if (kind === 'refused') return { kind, clientTls };
  if (kind === '') {
    if (socket !== undefined)
      problems.add('transport_socket', socket.name, 'metadata backend_tls must be "verified" with it');
    return null;
  }
  const context = unpackField(UpstreamTlsContext, socket?.configType?.value, AT, problems);
  if (context === null) return null;
  const { sni } = context;
  if (sni === '') problems.add(`${AT}.sni`, sni, 'use the host name of the policy');
  const specifier = context.commonTlsContext?.validationContextType;
  if (specifier?.$case !== 'validationContext') {
    problems.add(`${AT}.common_tls_context.validation_context`, specifier?.$case, 'say what is verified');
    return null;
  }
  const names = readNames(specifier.value.matchTypedSubjectAltNames, problems);
  return {
    kind,
    serverName: sni,
    names,
    authorities: readAuthorities(specifier.value, problems),
    clientTls,
  };
}

function readAuthorities(
  { trustedCa, systemRootCerts }: CertificateValidationContext,
  problems: Problems,
): string | null {
  const source = trustedCa?.specifier;
  if (source?.$case === 'inlineString' && source.value !== '') return source.value;
  if (trustedCa !== undefined || systemRootCerts === undefined) {
    const at = `${AT}.common_tls_context.validation_context.trusted_ca`;
    problems.add(at, source?.$case, 'use inline_string, or system_root_certs in its place');
  }
  return null;
}

function readNames(matchers: readonly SubjectAltNameMatcher[], problems: Problems): CertificateName[] {
  const at = `${AT}.common_tls_context.validation_context.match_typed_subject_alt_names`;
  if (matchers.length === 0) problems.add(at, [], 'name at least one: any certificate would do otherwise');
  return matchers.flatMap(({ sanType, matcher }, index): CertificateName[] => {
    const kind = sanType === 'DNS' ? 'dns' : sanType === 'URI' ? 'uri' : null;
    const pattern = matcher?.matchPattern;
    if (kind === null) problems.add(`${at}[${index}].san_type`, sanType, 'use DNS or URI');
    else if (pattern?.$case === 'exact') return [{ kind, match: { kind: 'exact', value: pattern.value } }];
    else if (pattern?.$case === 'safeRegex')
      return [{ kind, match: { kind: 'regex', value: pattern.value.regex } }];
    else problems.add(`${at}[${index}].matcher`, pattern?.$case, 'use exact or safe_regex');
    return [];
  });
}
