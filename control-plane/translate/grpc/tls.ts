import { pack } from '../../../api/xds/any.ts';
import type { TransportSocket } from '../../../api/xds/gen/envoy/config/core/v3/base.ts';
import { UpstreamTlsContext } from '../../../api/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts';
import type { DeepPartial } from '../../../api/xds/gen/google/protobuf/any.ts';
import type { Client } from '../client.ts';
import { type EndpointLocality, identityOf } from '../endpoint-set.ts';

/**
 * mTLS with certificates of the client's own bootstrap (gRFC A29); null if no endpoint is meshed. The identities stand in
 * `match_subject_alt_names`: all gRPC clients ignore the field that replaced it, and would take any peer (XDS.md §3.5).
 */
export function tlsSocket(
  localities: readonly EndpointLocality[],
  tls: NonNullable<Client['tls']>,
  trustDomain: string,
): DeepPartial<TransportSocket> | null {
  const identities = new Set<string>();
  for (const { endpoints } of localities) {
    for (const { workload } of endpoints) {
      const identity = identityOf(workload, trustDomain);
      if (identity !== '') identities.add(identity);
    }
  }
  if (identities.size === 0) return null;
  const context = pack(UpstreamTlsContext, {
    commonTlsContext: {
      tlsCertificateProviderInstance: { instanceName: tls.identity },
      validationContextType: {
        $case: 'validationContext',
        value: {
          caCertificateProviderInstance: { instanceName: tls.roots },
          matchSubjectAltNames: [...identities]
            .sort()
            .map(identity => ({ matchPattern: { $case: 'exact' as const, value: identity } })),
        },
      },
    },
  });
  return { name: 'envoy.transport_sockets.tls', configType: { $case: 'typedConfig', value: context } };
}

/** A cluster has one transport: of a Service that is meshed in part only the meshed endpoints are used. */
export function tlsEndpoints(localities: readonly EndpointLocality[]): EndpointLocality[] {
  const meshed = localities.map(locality => ({
    ...locality,
    endpoints: locality.endpoints.filter(({ workload }) => workload?.meshed === true),
  }));
  const left = meshed.filter(({ endpoints }) => endpoints.length > 0);
  return left.length === 0 ? [...localities] : withoutGaps(left);
}

/** Priorities must be contiguous from 0. */
function withoutGaps(localities: readonly EndpointLocality[]): EndpointLocality[] {
  const lowest = Math.min(...localities.map(({ priority }) => priority));
  return localities.map(locality => ({ ...locality, priority: locality.priority - lowest }));
}
