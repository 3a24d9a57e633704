import { isIP } from 'node:net';
import { parseSpiffe } from '../../../api/spiffe.ts';
import { Cluster } from '../../../api/xds/gen/envoy/config/cluster/v3/cluster.ts';
import type { OutlierDetection } from '../../../api/xds/gen/envoy/config/cluster/v3/outlier_detection.ts';
import { ClusterLoadAssignment } from '../../../api/xds/gen/envoy/config/endpoint/v3/endpoint.ts';
import type {
  LbEndpoint,
  LocalityLbEndpoints,
} from '../../../api/xds/gen/envoy/config/endpoint/v3/endpoint_components.ts';
import type { Duration } from '../../../api/xds/gen/google/protobuf/duration.ts';
import type {
  BalancingPolicy,
  ClusterConfig,
  EndpointConfig,
  EndpointsConfig,
  OutlierConfig,
  RetryRateConfig,
} from '../../cluster/cluster-config.ts';
import { readBackendTls } from './backend-tls.ts';
import { type Decoded, decodeMessage, Problems } from './decoded.ts';
import { readDuration } from './duration.ts';
import { MetadataReader } from './metadata.ts';
import { readSession } from './session.ts';

const UPSTREAM_PROTOCOLS: readonly ClusterConfig['protocol'][] = ['auto', 'http1', 'http2'];
const POLICIES: readonly BalancingPolicy[] = ['peak-ewma', 'least-request', 'round-robin', 'random'];

/** What holds where the message says nothing (DESIGN §3.5; times are Envoy's defaults). */
const defaults = {
  connectTimeoutMs: 1000,
  retryBudgetPercent: 20,
  minRetries: 3,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectedPercent: 50,
};

export function decodeCluster(bytes: Uint8Array, name: string, version: string): Decoded<ClusterConfig> {
  const message = decodeMessage(Cluster, bytes, name, ({ name }) => name);
  if (message.kind === 'rejected') return message;
  const cluster = message.value;
  const problems = new Problems();
  const type = cluster.clusterDiscoveryType;
  if (type?.$case !== 'type' || type.value !== 'EDS') problems.add('type', type?.value, 'use EDS, over ADS');
  const metadata = new MetadataReader(cluster.metadata, '', problems);
  const limits = cluster.circuitBreakers?.thresholds[0];
  const percent = limits?.retryBudget?.budgetPercent?.value ?? defaults.retryBudgetPercent;
  if (!(percent >= 0 && percent <= 100)) {
    problems.add('circuit_breakers.thresholds[0].retry_budget.budget_percent', percent, 'use 0 to 100');
  }
  const connectTimeoutMs = readDuration(
    cluster.connectTimeout,
    defaults.connectTimeoutMs,
    'connect_timeout',
    problems,
  );
  if (connectTimeoutMs === 0) problems.add('connect_timeout', '0s', 'use a time above 0');
  return problems.result({
    name,
    version,
    service: metadata.service(),
    protocol: metadata.choice('protocol', UPSTREAM_PROTOCOLS, 'auto'),
    connectTimeoutMs,
    balancing: metadata.choice('balancing', POLICIES, 'peak-ewma'),
    outlier: outlierOf(cluster.outlierDetection, problems),
    retryBudget: {
      fraction: percent / 100,
      min: limits?.retryBudget?.minRetryConcurrency ?? defaults.minRetries,
      rate: rateOf(limits?.retryBudget?.budgetInterval, percent / 100, metadata, problems),
    },
    maxConnections: limits?.maxConnections ?? 0,
    maxRequests: limits?.maxRequests ?? 0,
    session: readSession(metadata),
    backendTls: readBackendTls(cluster.transportSocket, metadata, problems),
  });
}

function rateOf(
  interval: Duration | undefined,
  fraction: number,
  metadata: MetadataReader,
  problems: Problems,
): RetryRateConfig | null {
  if (interval === undefined) return null;
  const at = 'circuit_breakers.thresholds[0].retry_budget.budget_interval';
  const intervalMs = readDuration(interval, 0, at, problems);
  if (intervalMs === 0) problems.add(at, '0s', 'use a time above 0');
  const minIntervalMs = metadata.number('retry_min_interval_ms');
  return {
    fraction,
    intervalMs: Math.max(1, intervalMs),
    minCount: metadata.number('retry_min_count'),
    minIntervalMs: Math.max(1, minIntervalMs),
  };
}

/** No message means no ejection. */
function outlierOf(outlier: OutlierDetection | undefined, problems: Problems): OutlierConfig {
  const { baseEjectionMs, maxEjectionMs, maxEjectedPercent } = defaults;
  const at = 'outlier_detection';
  const percent = outlier?.maxEjectionPercent ?? maxEjectedPercent;
  if (percent > 100) problems.add(`${at}.max_ejection_percent`, percent, 'use 0 to 100');
  const base = readDuration(outlier?.baseEjectionTime, baseEjectionMs, `${at}.base_ejection_time`, problems);
  const longest = readDuration(outlier?.maxEjectionTime, maxEjectionMs, `${at}.max_ejection_time`, problems);
  return {
    consecutiveFailures: outlier?.consecutive5xx ?? 0,
    baseEjectionMs: base,
    maxEjectionMs: Math.max(base, longest),
    maxEjectedFraction: percent / 100,
  };
}

export function decodeEndpoints(bytes: Uint8Array, name: string, version: string): Decoded<EndpointsConfig> {
  const message = decodeMessage(ClusterLoadAssignment, bytes, name, ({ clusterName }) => clusterName);
  if (message.kind === 'rejected') return message;
  const problems = new Problems();
  const endpoints: EndpointConfig[] = [];
  message.value.endpoints.forEach((locality, i) => {
    locality.lbEndpoints.forEach((endpoint, j) => {
      const at = `endpoints[${i}].lb_endpoints[${j}]`;
      if (isUsable(endpoint)) endpoints.push(decodeEndpoint(endpoint, locality, at, problems));
    });
  });
  return problems.result({ name, version, endpoints });
}

/** Endpoints that must not get traffic are as good as absent; one of unknown health gets it. */
function isUsable({ healthStatus }: LbEndpoint): boolean {
  return healthStatus === 'HEALTHY' || healthStatus === 'UNKNOWN' || healthStatus === 'DEGRADED';
}

function decodeEndpoint(
  endpoint: LbEndpoint,
  locality: LocalityLbEndpoints,
  at: string,
  problems: Problems,
): EndpointConfig {
  const holder = endpoint.hostIdentifier?.value.address?.address;
  const socket = holder?.$case === 'socketAddress' ? holder.value : undefined;
  const port = socket?.portSpecifier?.$case === 'portValue' ? socket.portSpecifier.value : 0;
  const where = `${at}.endpoint.address.socket_address`;
  if (socket === undefined || isIP(socket.address) === 0) {
    problems.add(`${where}.address`, socket?.address, 'use an IP address');
  }
  if (port < 1 || port > 65_535) problems.add(`${where}.port_value`, port, 'use a port from 1 to 65535');
  const metadata = new MetadataReader(endpoint.metadata, at, problems);
  const meshed = metadata.text('tls') === 'mesh';
  const identity = meshed ? metadata.text('identity') : '';
  if (meshed && parseSpiffe(identity) === null) {
    problems.add(`${at}.metadata.identity`, identity, 'an endpoint with tls "mesh" needs its SPIFFE ID');
  }
  return {
    address: socket?.address ?? '',
    port,
    meshed,
    identity,
    weight: Math.max(1, endpoint.loadBalancingWeight ?? 1),
    priority: locality.priority,
    zone: locality.locality?.zone ?? '',
    labels: metadata.workload(),
  };
}
