import { pack } from '../../../api/xds/any.ts';
import { durationOf } from '../../../api/xds/duration.ts';
import type {
  Cluster,
  LoadBalancingPolicy_Policy,
} from '../../../api/xds/gen/envoy/config/cluster/v3/cluster.ts';
import { LeastRequest } from '../../../api/xds/gen/envoy/extensions/load_balancing_policies/least_request/v3/least_request.ts';
import { RoundRobin } from '../../../api/xds/gen/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin.ts';
import { WrrLocality } from '../../../api/xds/gen/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality.ts';
import type { DeepPartial } from '../../../api/xds/gen/google/protobuf/any.ts';
import type { TrafficPolicy } from '../../model/model.ts';
import type { Client } from '../client.ts';
import { clusterEndpoints, clusterTls } from '../cluster-endpoints.ts';
import { defaults } from '../defaults.ts';
import { serviceDestination } from '../destination.ts';
import type { MeshReader } from '../mesh-reader.ts';
import type { Expressed } from '../omission.ts';
import { parseClusterName } from '../resource-name.ts';
import { overAds, policyNames } from '../wire.ts';
import { omittedOfPolicy, omittedOfTls } from './not-expressed.ts';
import { tlsSocket } from './tls.ts';

/** A cluster without endpoints: the share of an invalid backend fails with UNAVAILABLE, as GRPCRoute asks for. */
export const invalidBackend = 'invalid-backend';

const noLimit = 4_294_967_295;

export function cluster(reader: MeshReader, name: string, client: Client): Expressed<Cluster> {
  if (name === invalidBackend) return { message: write(reader, name), omitted: [] };
  const localities = clusterEndpoints(reader, name, client.zone);
  if (localities === null) return { message: null, omitted: [] };
  const backendTls = clusterTls(reader, name);
  const plain = client.tls === null || backendTls !== null;
  const socket = plain ? null : tlsSocket(localities, client.tls, reader.settings.trustDomain);
  const message = write(reader, name);
  return {
    message: socket === null ? message : { ...message, transportSocket: socket },
    omitted: [...omittedOfPolicy(policyOf(reader, name)), ...omittedOfTls(backendTls)],
  };
}

function policyOf(reader: MeshReader, name: string): TrafficPolicy | null {
  const subject = parseClusterName(name);
  if (subject?.kind !== 'service') return null;
  return serviceDestination(reader, subject.service, subject.port)?.service.policy ?? null;
}

function write(reader: MeshReader, name: string): DeepPartial<Cluster> {
  const { baseEjectionMs, maxEjectionMs, maxEjectedPercent } = defaults.outlier;
  const { intervalMs, failurePercent, minRequests, minEndpoints } = defaults.grpcOutlier;
  return {
    name,
    clusterDiscoveryType: { $case: 'type', value: 'EDS' },
    edsClusterConfig: { edsConfig: overAds },
    connectTimeout: durationOf(reader.settings.connectTimeoutMs),
    loadBalancingPolicy: { policies: [leastRequest(), roundRobin()] },
    // Without it gRPC allows 1024 calls at once (gRFC A32).
    circuitBreakers: { thresholds: [{ maxRequests: noLimit }] },
    // gRPC has no ejection after failures in a row, and ejects by success rate unless that is switched off (gRFC A50).
    outlierDetection: {
      interval: durationOf(intervalMs),
      baseEjectionTime: durationOf(baseEjectionMs),
      maxEjectionTime: durationOf(maxEjectionMs),
      maxEjectionPercent: maxEjectedPercent,
      enforcingSuccessRate: 0,
      enforcingFailurePercentage: 100,
      failurePercentageThreshold: failurePercent,
      failurePercentageRequestVolume: minRequests,
      failurePercentageMinimumHosts: minEndpoints,
    },
  };
}

/** The first policy that a client knows is used: only Go has least request (gRFC A48). */
function leastRequest(): DeepPartial<LoadBalancingPolicy_Policy> {
  return policy(policyNames.leastRequest, pack(LeastRequest, { choiceCount: 2 }));
}

function roundRobin(): DeepPartial<LoadBalancingPolicy_Policy> {
  const picking = { policies: [policy(policyNames.roundRobin, pack(RoundRobin, {}))] };
  return policy(policyNames.wrrLocality, pack(WrrLocality, { endpointPickingPolicy: picking }));
}

function policy(name: string, typedConfig: ReturnType<typeof pack>): DeepPartial<LoadBalancingPolicy_Policy> {
  return { typedExtensionConfig: { name, typedConfig } };
}
