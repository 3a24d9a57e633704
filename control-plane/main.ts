/** The control plane: objects → mesh → resources → sidecars, and the identities of those. */
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import { Registry } from 'prom-client';
import { version } from '../api/version.ts';
import { systemClock } from '../runtime/clock.ts';
import { Lifecycle } from '../runtime/lifecycle.ts';
import { createLogger, type Logger } from '../runtime/log.ts';
import { type ControlPlaneSettings, readControlPlaneSettings } from './config/settings.ts';
import { type ControlPlaneIdentity, createIdentity } from './identity/control-plane-identity.ts';
import { closeGrpc, closeHttp, listenGrpc, listenHttp } from './listen.ts';
import type { Mode } from './mode/mode.ts';
import { RecordStore } from './model/store.ts';
import { replicas } from './status/ask-replica.ts';
import { InForce } from './status/in-force.ts';
import { createAdminServer } from './telemetry/admin-server.ts';
import { registerMetrics } from './telemetry/metrics.ts';
import { createXdsServices, type XdsServices } from './xds/services.ts';

/** Milliseconds after SIGTERM in which sidecars move to another replica and calls end. */
const DRAIN_MS = 5000;
const STOP_DEADLINE_MS = 10_000;

/** Kubernetes is loaded only where it is used: its client costs 80 MB. */
async function openMode(
  settings: ControlPlaneSettings,
  store: RecordStore,
  log: Logger,
  environment: NodeJS.ProcessEnv,
): Promise<Mode> {
  if (settings.source === 'directory') {
    const { directoryMode } = await import('./mode/directory.ts');
    return directoryMode(settings, store, log);
  }
  const { kubernetesMode } = await import('./mode/kubernetes.ts');
  return kubernetesMode(settings, store, log, environment);
}

/** The ports that clients use; opened when the first state of the mesh is complete, as an empty one means deletion. */
async function listen(
  { listenAddress, port, plaintextPort }: ControlPlaneSettings,
  xds: XdsServices,
  { certificateService, serverCredentials, identify }: ControlPlaneIdentity,
): Promise<Server[]> {
  const servers = [
    await listenGrpc(listenAddress, port, serverCredentials, server => {
      xds.addTo(server, { kind: 'authenticated', identify });
      server.addService(certificateService.definition, certificateService.implementation);
    }),
  ];
  if (plaintextPort === 0) return servers;
  const credentials = ServerCredentials.createInsecure();
  const plaintext = await listenGrpc('127.0.0.1', plaintextPort, credentials, server =>
    xds.addTo(server, { kind: 'anonymous' }),
  );
  return [...servers, plaintext];
}

/** Runs until SIGTERM. Rejects with a SettingsError if the environment is not valid, or if it cannot start. */
export async function main(environment: NodeJS.ProcessEnv): Promise<void> {
  const settings = readControlPlaneSettings(environment);
  const { trustDomain, clusterDomain, defaultMtls, connectTimeoutMs } = settings;
  const log = createLogger('control-plane', settings.logLevel);
  const lifecycle = new Lifecycle(log, STOP_DEADLINE_MS);
  const listening = lifecycle.task('the first complete state of the mesh');
  const registry = new Registry();
  const store = new RecordStore({
    trustDomain,
    clusterDomain,
    defaultMtls,
    connectTimeoutMs,
    clock: systemClock,
    log,
  });

  const mode = await openMode(settings, store, log, environment);
  const { authority, reviewer } = mode;
  const identity = await createIdentity({
    store: authority,
    reviewer,
    trustDomain,
    clusterDomain,
    clock: systemClock,
    log,
  });
  const xds = createXdsServices({
    store,
    log,
    clock: systemClock,
    metrics: registry,
    onOmission: (subject, sentences) => store.setOmitted(subject, sentences),
  });
  const others = replicas();
  const inForce = new InForce({
    changes: () => mode.changes(),
    hasRead: changes => mode.hasRead(changes),
    whenDelivered: callback => store.whenDelivered(callback),
    whenApplied: callback => xds.whenApplied(callback),
    replicas: () => mode.replicas(),
    ask: (replica, changes) => others.ask(replica, changes),
    clock: systemClock,
  });
  registerMetrics(registry, store, () => ({
    authority: identity.authorityNotAfter,
    serving: identity.servingNotAfter,
  }));

  const admin = createAdminServer({
    registry,
    problems: () => store.problems(),
    inForce: changes => inForce.here(changes),
    waiting: () => [
      ...lifecycle.waiting(),
      ...store.waiting().map(kind => `the list of ${kind}`),
      ...unready(identity),
    ],
  });
  await listenHttp(admin, settings.listenAddress, settings.adminPort);
  lifecycle.onStop({ name: 'admin port', run: () => closeHttp(admin) });
  lifecycle.onStop({ name: 'identity', run: () => identity.stop() });
  lifecycle.onStop({ name: 'other replicas', run: () => others.close() });
  lifecycle.onStop({ name: 'source', run: () => mode.stop() });
  lifecycle.stopOnSignals(process);

  mode.publishRoots(identity.bundlePem);
  identity.onBundleChange(bundle => mode.publishRoots(bundle));
  await mode.start(() => inForce.everywhere());
  await new Promise<void>(resolve => {
    xds.whenReady(resolve);
  });
  const servers = await listen(settings, xds, identity);
  lifecycle.onStop({
    name: 'xDS ports',
    async run() {
      xds.close();
      await Promise.all(servers.map(server => closeGrpc(server, DRAIN_MS)));
    },
  });
  listening(true);
  log.info({ version, address: settings.listenAddress, port: settings.port }, 'control plane listens');
}

function unready(identity: ControlPlaneIdentity): string[] {
  const reason = identity.unready();
  return reason === null ? [] : [reason];
}
