import { version } from '../../api/version.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { CertificateSource } from '../identity/certificate-source.ts';
import type { AdsClient } from '../xds/ads-client.ts';
import type { DestinationTable } from '../xds/destination-table.ts';

/** Fields whose values a route may set, and that nobody should read in a dump. */
const SECRET_FIELDS =
  /^(?:authorization|proxy-authorization|cookie|set-cookie|x-api-key|.*(?:token|secret|password).*)$/;

export interface ConfigSources {
  readonly node: string;
  readonly identity: CertificateSource;
  readonly ads: AdsClient;
  readonly destinations: DestinationTable;
}

/** What the sidecar holds, as JSON: by name and version, without secrets. */
export function describeConfig({ node, identity, ads, destinations }: ConfigSources): string {
  const { current } = identity;
  const { destinations: outbound, routes, clusters } = destinations.describe();
  const described = {
    version,
    node,
    controlPlane: { connected: ads.connected, silentSeconds: Math.round(ads.silentSeconds) },
    identity:
      current === null
        ? { state: 'none', reason: identity.failure }
        : {
            state: 'issued',
            spiffe: current.spiffe,
            notAfter: new Date(current.notAfter).toISOString(),
            generation: current.generation,
          },
    inbound: destinations.current,
    outbound,
    routes,
    clusters: clusters.map(describeCluster),
  };
  return `${JSON.stringify(described, redact, 2)}\n`;
}

function describeCluster(cluster: Cluster): unknown {
  const { config, endpointsVersion, endpoints } = cluster;
  return {
    ...config,
    endpointsVersion,
    activeRequests: cluster.activeRequests,
    endpoints: endpoints.map(endpoint => ({
      address: `${endpoint.address}:${endpoint.port}`,
      identity: endpoint.identity,
      workload: endpoint.labels.workload,
      weight: endpoint.weight,
      priority: endpoint.priority,
      zone: endpoint.zone,
      active: endpoint.active,
      ejections: endpoint.ejections,
    })),
  };
}

/** Maps become objects; the key of sessions is nobody's business; edits of fields (`set`, `add`) are pairs of name and value. */
function redact(key: string, value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value);
  if (key === 'session' && value !== null) return { ...(value as object), key: '[redacted]' };
  if ((key !== 'set' && key !== 'add') || !Array.isArray(value)) return value;
  return value.map(([name, text]: [string, string]) => [
    name,
    SECRET_FIELDS.test(name) ? '[redacted]' : text,
  ]);
}
