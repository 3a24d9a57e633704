import { rootCertificates } from 'node:tls';
import type { PortProtocol } from '../../../api/protocol.ts';
import { pack } from '../../../api/xds/any.ts';
import { durationOf } from '../../../api/xds/duration.ts';
import type { Cluster } from '../../../api/xds/gen/envoy/config/cluster/v3/cluster.ts';
import { HttpProtocolOptions } from '../../../api/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options.ts';
import type { DeepPartial } from '../../../api/xds/gen/google/protobuf/any.ts';
import type { BackendTls, TrafficPolicy } from '../../model/model.ts';
import { backendTlsSocket } from '../backend-tls.ts';
import { podDestination, serviceDestination } from '../destination.ts';
import type { MeshReader } from '../mesh-reader.ts';
import type { Expressed } from '../omission.ts';
import { parseClusterName } from '../resource-name.ts';
import { outlierDetection, overAds, retryBudget } from '../wire.ts';
import { omittedOfPolicy, omittedOfTls } from './not-expressed.ts';

/** Envoy's own default is 1024 of each. */
const noLimit = 4_294_967_295;

const optionsKey = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** Cluster of a Service port or of a pod's port; opaque ports have one too, for TCP listeners of the user's own. */
export function cluster(reader: MeshReader, name: string): Expressed<Cluster> {
  const subject = parseClusterName(name);
  if (subject === null) return { message: null, omitted: [] };
  if (subject.kind === 'pod') {
    const pod = podDestination(reader, subject.workload, subject.port);
    const message = pod === null ? null : write(reader, name, pod.protocol, null, pod.backendTls);
    return { message, omitted: omittedOfTls(pod?.backendTls ?? null) };
  }
  const destination = serviceDestination(reader, subject.service, subject.port);
  if (destination === null) return { message: null, omitted: [] };
  const { service, port } = destination;
  return {
    message: write(reader, name, port.protocol, service.policy, port.backendTls),
    omitted: [...omittedOfPolicy(service.policy), ...omittedOfTls(port.backendTls)],
  };
}

function write(
  reader: MeshReader,
  name: string,
  protocol: PortProtocol,
  policy: TrafficPolicy | null,
  backendTls: BackendTls | null,
): DeepPartial<Cluster> {
  const limits = { maxConnections: noLimit, maxPendingRequests: noLimit, maxRequests: noLimit };
  return {
    name,
    clusterDiscoveryType: { $case: 'type', value: 'EDS' },
    edsClusterConfig: { edsConfig: overAds },
    connectTimeout: durationOf(reader.settings.connectTimeoutMs),
    lbPolicy: 'LEAST_REQUEST',
    circuitBreakers: { thresholds: [{ ...limits, ...retryBudget(policy) }] },
    // Ejection by success rate is on by default beside failures in a row.
    outlierDetection: { ...outlierDetection(), enforcingSuccessRate: 0 },
    typedExtensionProtocolOptions: protocolOptions(protocol),
    ...(backendTls?.kind === 'verified'
      ? { transportSocket: backendTlsSocket(backendTls, rootCertificates) }
      : {}),
  };
}

/** HTTP/2 where it is declared, else as the request came. */
function protocolOptions(
  protocol: PortProtocol,
): NonNullable<DeepPartial<Cluster>['typedExtensionProtocolOptions']> {
  if (protocol === 'opaque') return {};
  const options: DeepPartial<HttpProtocolOptions> =
    protocol === 'http2' || protocol === 'grpc'
      ? {
          upstreamProtocolOptions: {
            $case: 'explicitHttpConfig',
            value: { protocolConfig: { $case: 'http2ProtocolOptions', value: {} } },
          },
        }
      : {
          upstreamProtocolOptions: {
            $case: 'useDownstreamProtocolConfig',
            value: { httpProtocolOptions: {}, http2ProtocolOptions: {} },
          },
        };
  return { [optionsKey]: pack(HttpProtocolOptions, options) };
}
