import type { PortProtocol } from '../../../api/protocol.ts';
import { durationOf } from '../../../api/xds/duration.ts';
import type { Cluster } from '../../../api/xds/gen/envoy/config/cluster/v3/cluster.ts';
import type { DeepPartial } from '../../../api/xds/gen/google/protobuf/any.ts';
import type { Service, ServicePort, TrafficPolicy } from '../../model/model.ts';
import { backendTlsSocket } from '../backend-tls.ts';
import { podDestination, serviceDestination } from '../destination.ts';
import type { MeshReader } from '../mesh-reader.ts';
import { parseClusterName } from '../resource-name.ts';
import { sessionMetadata, sessionOfPolicy } from '../session.ts';
import { outlierDetection, overAds, retryBudget, tulleMetadata } from '../wire.ts';
import { serviceMetadata } from './service-metadata.ts';

/** Cluster of a Service port or of one pod's port. */
export function cluster(reader: MeshReader, name: string): DeepPartial<Cluster> | null {
  const subject = parseClusterName(name);
  if (subject === null) return null;
  if (subject.kind === 'pod') {
    const pod = podDestination(reader, subject.workload, subject.port);
    return pod === null ? null : write(reader, name, pod, pod.service);
  }
  const destination = serviceDestination(reader, subject.service, subject.port);
  return destination === null ? null : write(reader, name, destination.port, destination.service);
}

function write(
  reader: MeshReader,
  name: string,
  { protocol, clientTls, backendTls }: Pick<ServicePort, 'protocol' | 'clientTls' | 'backendTls'>,
  service: Service | null,
): DeepPartial<Cluster> {
  const policy = service?.policy ?? null;
  return {
    name,
    clusterDiscoveryType: { $case: 'type', value: 'EDS' },
    edsClusterConfig: { edsConfig: overAds },
    connectTimeout: durationOf(reader.settings.connectTimeoutMs),
    circuitBreakers: { thresholds: [retryBudget(policy)] },
    outlierDetection: outlierDetection(),
    ...(backendTls?.kind === 'verified' ? { transportSocket: backendTlsSocket(backendTls, null) } : {}),
    metadata: tulleMetadata({
      protocol: upstreamProtocol(protocol),
      balancing: 'peak-ewma',
      backend_tls: backendTls?.kind ?? '',
      client_tls: backendTls !== null && clientTls ? 'true' : '',
      ...policyMetadata(policy),
      ...serviceMetadata(service, reader.settings.clusterDomain),
    }),
  };
}

/** What of a policy Envoy's messages have no field for. */
function policyMetadata(policy: TrafficPolicy | null): Record<string, string> {
  if (policy === null) return {};
  const { budget } = policy;
  const rate = budget && {
    retry_min_count: String(budget.minCount),
    retry_min_interval_ms: String(budget.minIntervalMs),
  };
  return { ...rate, ...sessionMetadata(sessionOfPolicy(policy)) };
}

/** How the application behind the port is spoken to where nothing is declared: as the request came. */
function upstreamProtocol(protocol: PortProtocol): 'http1' | 'http2' | 'auto' {
  return protocol === 'http2' || protocol === 'grpc' ? 'http2' : 'auto';
}
