/** The sidecar's link to the control plane: identity, configuration, and their gauges. Composition only. */

import { version } from '../api/version.ts';
import { inboundListener } from '../api/xds/names.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { SidecarConfig } from './config/sidecar-config.ts';
import { Http2Workspace } from './http2/workspace.ts';
import { controlPlaneSigner } from './identity/certificate-signer.ts';
import { CertificateSource } from './identity/certificate-source.ts';
import { TrustBundleFile } from './identity/trust-bundle.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { FlushQueue } from './transport/output.ts';
import { createSharedReadBuffer } from './transport/read-buffer.ts';
import { AdsClient } from './xds/ads-client.ts';
import type { ControlConnectionContext } from './xds/control-connection.ts';
import { DestinationTable } from './xds/destination-table.ts';

const CONNECT_TIMEOUT_MS = 5000;

export interface ControlLinkOptions {
  readonly config: SidecarConfig;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** The pod's own Listener has been taken over. */
  readonly onInbound: () => void;
}

export interface ControlLink {
  readonly identity: CertificateSource;
  readonly ads: AdsClient;
  readonly destinations: DestinationTable;
  start(): void;
  stop(): void;
}

export function createControlLink(options: ControlLinkOptions): ControlLink {
  const { config, clock, random, log, metrics, onInbound } = options;
  const node = `${config.podNamespace}/${config.podName}`;
  const context: ControlConnectionContext = {
    transport: {
      queue: new FlushQueue(),
      readBuffer: createSharedReadBuffer(),
      keepaliveMs: config.limits.connections.keepaliveTcpMs,
    },
    workspace: new Http2Workspace(),
    clock,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
  };
  const sign = controlPlaneSigner(context, config.controlPlane, config.token);
  const identity = new CertificateSource({ spiffe: config.spiffe, sign, clock, random, log });
  const bundle = new TrustBundleFile(config.trustBundle, clock, log, pem => identity.trust(pem));
  const ads: AdsClient = new AdsClient({
    context,
    target: config.controlPlane,
    identity,
    node: {
      id: node,
      userAgentName: 'tulle',
      userAgentVersionType: { $case: 'userAgentVersion', value: version },
      metadata: { node: config.node },
    },
    clock,
    random,
    log,
    onApplied: () => destinations.settle(),
    onRejected: type => {
      metrics.counter('configRejected', { type }).value++;
    },
    urgent: () => destinations.current === null,
  });
  const destinations = new DestinationTable({
    ads,
    clock,
    inbound: inboundListener(config.podNamespace, config.podName),
    resolveTimeoutMs: config.configTimeoutMs,
    idleMs: config.idleDestinationSeconds * 1000,
    counters: host => metrics.service(host),
    onInbound,
  });
  metrics.setClusters(
    () => destinations.clusters(),
    () => clock.now(),
  );
  metrics.read('controlConnected', () => [{ labels: {}, value: ads.connected ? 1 : 0 }]);
  metrics.read('configAge', () => [{ labels: {}, value: Math.round(ads.silentSeconds * 10) / 10 }]);
  metrics.read('certificateExpiry', () => {
    const { current } = identity;
    return current === null ? [] : [{ labels: {}, value: current.notAfter / 1000 }];
  });
  return {
    identity,
    ads,
    destinations,
    start() {
      ads.start();
      bundle.start();
    },
    stop() {
      ads.stop();
      destinations.stop();
      bundle.stop();
      identity.stop();
    },
  };
}
