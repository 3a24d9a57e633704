/** A pod's sidecar: the data path in redirect mode, with the configuration that the test sends. */
import { parseLimits } from '../../../api/limits.ts';
import type { PortProtocol } from '../../../api/protocol.ts';
import type { AuthorityFiles } from '../../../control-plane/identity/authority.ts';
import type { Cluster } from '../../../proxy/cluster/cluster.ts';
import type { ClusterConfig, EndpointConfig } from '../../../proxy/cluster/cluster-config.ts';
import { proxyLimits } from '../../../proxy/config/proxy-limits.ts';
import { createDataPath } from '../../../proxy/data-path.ts';
import { createInbound } from '../../../proxy/inbound.ts';
import type { MtlsMode } from '../../../proxy/listener/listener-config.ts';
import { createOriginalDestination } from '../../../proxy/listener/original-destination.ts';
import { createOutbound } from '../../../proxy/outbound.ts';
import { ownAddresses } from '../../../proxy/own-addresses.ts';
import type { ForwardConfig } from '../../../proxy/route/route-config.ts';
import { AccessLog } from '../../../proxy/telemetry/access-log.ts';
import { Metrics } from '../../../proxy/telemetry/metrics.ts';
import { renderMetrics } from '../../../proxy/telemetry/render-metrics.ts';
import { createPeerWatch } from '../../../proxy/transport/peer-watch.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { createLogger } from '../../../runtime/log.ts';
import {
  cluster,
  forward,
  inboundConfig,
  service,
  TestDestinations,
} from '../../integration/proxy/configuration.ts';
import { createAuthority, TestIdentity } from '../../integration/proxy/identities.ts';
import { serve } from './process.ts';

export interface SidecarOptions {
  readonly podIp: string;
  readonly spiffe: string;
  readonly authority: AuthorityFiles;
  /** As in TULLE_LIMITS. */
  readonly limits: string;
  /** Ports that are carried as bytes. */
  readonly opaquePorts: readonly number[];
  /** Ports that demand mTLS. */
  readonly strictPorts: readonly number[];
}

export interface ServiceConfig {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly protocol: PortProtocol;
  readonly endpoints: readonly EndpointConfig[];
  readonly cluster: Partial<ClusterConfig>;
  readonly route: Partial<ForwardConfig>;
}

export type SidecarRequest =
  | { readonly do: 'service'; readonly service: ServiceConfig }
  /** `foreign`: a certificate of an authority that nobody else trusts. */
  | { readonly do: 'identity'; readonly kind: 'own' | 'foreign' }
  | { readonly do: 'logs' }
  /** The exposition. */
  | { readonly do: 'metrics' };

/** A line of the access log. */
export interface AccessLine {
  readonly direction: string;
  readonly protocol: string;
  readonly response_code: number;
  readonly grpc_status?: number;
  readonly response_flags: string;
  readonly failure?: string;
  readonly attempts: number;
  readonly upstream_cluster: string;
  readonly upstream_host: string;
  readonly duration: number;
  readonly bytes_sent: number;
}

export interface SidecarLogs {
  readonly access: readonly AccessLine[];
  /** What was logged besides, as objects. */
  readonly log: readonly Record<string, unknown>[];
}

const OUTBOUND = 14001;
const INBOUND = 14006;

async function start(options: SidecarOptions): Promise<(request: SidecarRequest) => unknown> {
  const access: AccessLine[] = [];
  const lines: Record<string, unknown>[] = [];
  const log = createLogger('sidecar', 'info', {
    write(text) {
      const line = JSON.parse(text) as Record<string, unknown>;
      if (line['log'] === 'access') access.push(line as unknown as AccessLine);
      else lines.push(line);
    },
  });
  const overrides = parseLimits(options.limits);
  if (!('value' in overrides)) throw new Error(overrides.remedy);
  const authority = createAuthority(options.authority);
  const identity = TestIdentity.create(authority, options.spiffe);
  const metrics = new Metrics(10_000);
  const portConfig = (port: number, protocol: PortProtocol, mtls: MtlsMode) =>
    [port, { port, protocol, mtls, service: service('own') }] as const;
  const path = createDataPath({
    clock: systemClock,
    random: Math.random,
    log,
    metrics,
    accessLog: new AccessLog(log, 'all'),
    identity,
    inbound: {
      current: {
        ...inboundConfig('own', 'detect', 'permissive'),
        ports: new Map([
          ...options.opaquePorts.map(port => portConfig(port, 'opaque', 'permissive')),
          ...options.strictPorts.map(port => portConfig(port, 'detect', 'strict')),
        ]),
      },
    },
    limits: proxyLimits(overrides.value),
    watchPeers: createPeerWatch,
  });
  const destinations = new TestDestinations();
  const clusters: Cluster[] = [];
  metrics.setClusters(
    () => clusters,
    () => systemClock.now(),
  );
  const common = {
    listenAddress: '::',
    originalDestination: createOriginalDestination(),
    isOwn: ownAddresses(() => [OUTBOUND, INBOUND].map(port => ({ address: '::', port })), options.podIp),
    // Longer than TCP takes to repeat a lost ClientHello a few times: after it a mesh client is taken for one of plaintext.
    detectTimeoutMs: 5000,
    connectTimeoutMs: 1000,
    maxConnections: 1000,
    listeners: [],
  };
  await createInbound(path, { ...common, port: INBOUND, podIp: options.podIp }).listen();
  await createOutbound(path, { ...common, port: OUTBOUND, destinations, expand: host => host }).listen();

  return request => {
    switch (request.do) {
      case 'service': {
        const { name, host, port, protocol, endpoints, cluster: config, route } = request.service;
        const labels = service(name);
        const made = cluster(name, endpoints, { ...config, service: labels }, metrics.service(labels.host));
        clusters.push(made);
        destinations.set(
          host,
          port,
          protocol,
          [made],
          protocol === 'opaque' ? null : [forward([name], route)],
        );
        return null;
      }
      case 'identity':
        if (request.kind === 'own') identity.renew(authority, options.spiffe);
        else identity.renew(createAuthority(), options.spiffe, {}, [authority.pem]);
        return null;
      case 'logs':
        return { access, log: lines } satisfies SidecarLogs;
      case 'metrics': {
        let text = '';
        renderMetrics(metrics, 'text', part => (text += part));
        return text;
      }
    }
  };
}

let answer: ((request: SidecarRequest) => unknown) | null = null;
serve<SidecarRequest | { readonly do: 'start'; readonly options: SidecarOptions }>(async request => {
  if (request.do === 'start') answer = await start(request.options);
  else return answer?.(request);
  return null;
});
