/** The sidecar. Composition only: settings, build, listen, and drain on SIGTERM. */
import { applicationSource } from '../api/ports.ts';
import { version } from '../api/version.ts';
import { systemClock } from '../runtime/clock.ts';
import { Lifecycle } from '../runtime/lifecycle.ts';
import { createLogger } from '../runtime/log.ts';
import { adminRoutes } from './admin/admin-routes.ts';
import { type AdminServer, createAdminServer } from './admin/admin-server.ts';
import { describeConfig } from './admin/describe-config.ts';
import type { GetContext } from './admin/http-get.ts';
import { probe } from './admin/probes.ts';
import { ApplicationScraper, scrape } from './admin/scrape.ts';
import { readSidecarConfig, type SidecarConfig } from './config/sidecar-config.ts';
import { createControlLink } from './control-link.ts';
import { createDataPath } from './data-path.ts';
import { setEngineFlags } from './engine-flags.ts';
import { createInbound } from './inbound.ts';
import { CUT_OFF_MS, drain } from './listener/drain.ts';
import { createOriginalDestination } from './listener/original-destination.ts';
import { createOutbound } from './outbound.ts';
import { type ApplicationAddress, type Bound, ownAddresses } from './own-addresses.ts';
import { AccessLog } from './telemetry/access-log.ts';
import { Metrics } from './telemetry/metrics.ts';
import { createPeerWatch } from './transport/peer-watch.ts';
import { hostExpansion } from './xds/expand-host.ts';

/** After the drain, for what remains to be closed. */
const CLOSE_MS = 1000;

/** Loopback first; then the pod's address, from a source that the redirection lets through, which IPv6 has not. */
function byRedirection(loopback: string, podIp: string): ApplicationAddress[] {
  const first = { address: loopback };
  return podIp.includes(':') ? [first] : [first, { address: podIp, source: applicationSource }];
}

/** Where the application listens on a port, for probes: by redirection on this host, else where it was said to be. */
function applicationAddresses(config: SidecarConfig): (port: number) => (ApplicationAddress & Bound)[] {
  const { mode, podIp, inboundListeners } = config;
  if (mode === 'redirect') {
    const redirected = byRedirection('127.0.0.1', podIp);
    return port => redirected.map(at => ({ ...at, port }));
  }
  return port => {
    const listener = inboundListeners.find(listener => listener.port === port);
    if (listener === undefined) return [{ address: podIp, port }];
    return [{ address: listener.applicationAddress, port: listener.applicationPort }];
  };
}

/** null if the application has no metrics of its own. */
function applicationScraper(
  { appMetrics, mode, podIp }: SidecarConfig,
  context: GetContext,
): ApplicationScraper | null {
  if (appMetrics === null) return null;
  const { hostname } = appMetrics;
  const said = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  // By redirection, an application that listens on the pod's address alone is found there.
  const addresses = mode === 'redirect' ? byRedirection(said, podIp) : [{ address: said }];
  return new ApplicationScraper(context, appMetrics, addresses);
}

/** Runs until SIGTERM. Rejects with a SettingsError if the environment is not valid, or if it cannot listen. */
export async function main(environment: NodeJS.ProcessEnv): Promise<void> {
  setEngineFlags();
  const config = readSidecarConfig(environment);
  const clock = systemClock;
  const random = Math.random;
  const log = createLogger('sidecar', config.logLevel);
  const drainMs = config.drainSeconds * 1000;
  const lifecycle = new Lifecycle(log, drainMs + CUT_OFF_MS + CLOSE_MS);
  const tasks = {
    identity: lifecycle.task('identity'),
    configuration: lifecycle.task('configuration of this pod'),
    listeners: lifecycle.task('listeners'),
  };
  const metrics = new Metrics(config.maxSeries);
  const accessLog = new AccessLog(log, config.accessLog);

  const link = createControlLink({
    config,
    clock,
    random,
    log,
    metrics,
    onInbound: () => tasks.configuration(true),
  });
  const { identity, ads, destinations } = link;
  identity.subscribe(() => tasks.identity(true));

  const path = createDataPath({
    clock,
    random,
    log,
    metrics,
    accessLog,
    identity,
    inbound: destinations,
    limits: config.limits,
    ...(config.mode === 'redirect' ? { watchPeers: createPeerWatch } : {}),
  });
  const originalDestination = config.mode === 'redirect' ? createOriginalDestination() : null;
  const bound: Bound[] = [];
  const isOwn = ownAddresses(() => bound, config.podIp);
  const common = {
    listenAddress: config.listenAddress,
    originalDestination,
    isOwn,
    detectTimeoutMs: config.detectTimeoutMs,
    connectTimeoutMs: config.connectTimeoutMs,
    maxConnections: config.limits.connections.maxConnections,
  };
  const inbound = createInbound(path, {
    ...common,
    port: config.inboundPort,
    listeners: config.inboundListeners,
    podIp: config.podIp,
  });
  const outbound = createOutbound(path, {
    ...common,
    destinations,
    port: config.outboundPort,
    listeners: config.outboundListeners,
    expand:
      config.mode === 'explicit' ? hostExpansion(config.podNamespace, config.clusterDomain) : host => host,
  });
  const stacks = { inbound, outbound };

  const context = { ...path, http1: path.serverCodecs.http1, workspace: path.serverCodecs.workspace };
  const addresses = applicationAddresses(config);
  const application = applicationScraper(config, context);
  if (application !== null) {
    metrics.read('applicationUp', () => [{ labels: {}, value: application.up ? 1 : 0 }]);
  }
  const admin: AdminServer = createAdminServer({
    address: config.listenAddress,
    port: config.adminPort,
    transport: path.transport,
    codecs: path.serverCodecs,
    clock,
    log,
    maxConnections: config.limits.connections.maxAdminConnections,
    onLimit: path.faults.limit,
    handler: adminRoutes({
      waiting: () => reasons(lifecycle.waiting(), identity.failure),
      metrics: accept => scrape(metrics, application, accept),
      probe: at => probe({ ...context, table: config.probes, addresses }, at),
      config: () =>
        describeConfig({ node: `${config.podNamespace}/${config.podName}`, identity, ads, destinations }),
      drain: () => void drain(clock, log, stacks, drainMs),
    }),
  });

  lifecycle.onStop({ name: 'admin', run: () => admin.close() });
  lifecycle.onStop({ name: 'control plane', run: () => link.stop() });
  lifecycle.onStop({ name: 'close', run: () => Object.values(stacks).forEach(stack => stack.close()) });
  lifecycle.onStop({ name: 'drain', run: () => drain(clock, log, stacks, drainMs) });
  lifecycle.stopOnSignals(process);

  await admin.listen();
  link.start();
  await Promise.all(Object.values(stacks).map(stack => stack.listen()));
  bound.push(admin.address, ...outbound.addresses);
  // In explicit mode the inbound addresses are the application's own, which may be called.
  if (config.mode === 'redirect') bound.push(...inbound.addresses);
  tasks.listeners(true);
  log.info(
    {
      version,
      mode: config.mode,
      spiffe: config.spiffe,
      admin: admin.address,
      inbound: inbound.addresses,
      outbound: outbound.addresses,
    },
    'sidecar listens',
  );
}

function reasons(waiting: readonly string[], failure: string): string[] {
  return waiting.map(task => (task === 'identity' && failure !== '' ? `${task}: ${failure}` : task));
}
