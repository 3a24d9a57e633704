/** The injector: webhooks for pods and namespaces, its certificates, and the labels of namespaces. */
import { once } from 'node:events';
import type { Server } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { version } from '../api/version.ts';
import { Backoff } from '../runtime/backoff.ts';
import { systemClock } from '../runtime/clock.ts';
import { ApiClient } from '../runtime/kubernetes/api-client.ts';
import { findCredentials } from '../runtime/kubernetes/credentials.ts';
import { Lifecycle } from '../runtime/lifecycle.ts';
import { createLogger } from '../runtime/log.ts';
import { CertificateKeeper } from './certificates/keeper.ts';
import { defaultTimes } from './certificates/rotation.ts';
import { secretStore, webhookBundleStore } from './certificates/stores.ts';
import { type InjectorSettings, readInjectorSettings } from './config/settings.ts';
import { reconcileNamespaces } from './namespaces/reconcile.ts';
import type { ObjectMeta } from './pod.ts';
import { createAdminServer } from './webhook/admin-server.ts';
import { injectorMetrics } from './webhook/metrics.ts';
import { reviewNamespace } from './webhook/namespaces.ts';
import { type PodAdmission, reviewPod } from './webhook/pods.ts';
import { createWebhookServer } from './webhook/server.ts';

/** After the drain; what is left then are reviews of milliseconds. */
const STOP_DEADLINE_MS = 10_000;

const SYNCHRONISE_MS = 15_000;

function podAdmission(settings: InjectorSettings, client: ApiClient): PodAdmission {
  const { image, trustDomain, clusterDomain, controlPlane } = settings;
  return {
    mesh: { image, version, trustDomain, clusterDomain, controlPlane },
    defaults: settings.meshDefaults,
    async namespace(name) {
      const { metadata } = await client.get<{ metadata: ObjectMeta }>(`/api/v1/namespaces/${name}`);
      return { name, annotations: metadata.annotations ?? {}, labels: metadata.labels ?? {} };
    },
  };
}

async function listen(server: Server, port: number, address: string): Promise<void> {
  server.listen({ port, ...(address === '' ? {} : { host: address }) });
  await once(server, 'listening');
}

const close = (server: Server): Promise<unknown> => {
  const closed = once(server, 'close');
  server.close();
  return closed;
};

/** Runs until SIGTERM. Throws a SettingsError if the environment is not valid. */
export async function main(environment: Readonly<Record<string, string | undefined>>): Promise<void> {
  const settings = readInjectorSettings(environment);
  const log = createLogger('injector', settings.logLevel);
  const lifecycle = new Lifecycle(log, settings.drainSeconds * 1000 + STOP_DEADLINE_MS);
  const haveCertificate = lifecycle.task('serving certificate');
  const haveListed = lifecycle.task('namespaces');

  const client = new ApiClient(await findCredentials(environment));
  const metrics = injectorMetrics(() => keeper.notAfter);
  const admission = podAdmission(settings, client);
  const webhook = createWebhookServer({
    handlers: {
      '/mutate/pods': request => reviewPod(request, admission),
      '/mutate/namespaces': reviewNamespace,
    },
    metrics,
    clock: systemClock,
    log,
  });
  const keeper = new CertificateKeeper({
    authorities: secretStore(client),
    bundle: webhookBundleStore(client),
    names: settings.servingNames,
    times: defaultTimes,
    intervalMs: SYNCHRONISE_MS,
    clock: systemClock,
    log,
    onCertificate({ cert, key }) {
      webhook.setSecureContext({ cert, key });
      haveCertificate(true);
    },
  });
  const admin = createAdminServer({
    registry: metrics.registry,
    waiting: () => [...lifecycle.waiting(), ...(keeper.valid ? [] : ['a certificate that has not expired'])],
  });

  await listen(admin, settings.adminPort, settings.listenAddress);
  await listen(webhook, settings.webhookPort, settings.listenAddress);
  log.info({ version, webhook: webhook.address(), admin: admin.address() }, 'injector listens');

  const ending = new AbortController();
  lifecycle.onStop({ name: 'API server', run: () => client.close() });
  lifecycle.onStop({ name: 'webhook', run: () => close(webhook).then(() => undefined) });
  lifecycle.onStop({
    name: 'background work',
    run() {
      ending.abort();
      keeper.stop();
    },
  });
  lifecycle.onStop({
    name: 'drain',
    run: () => setTimeout(settings.drainSeconds * 1000),
  });
  lifecycle.stopOnSignals(process);

  void reconcileNamespaces(
    {
      client,
      clock: systemClock,
      backoff: new Backoff(500, 30_000),
      log,
      onListed: () => haveListed(true),
    },
    ending.signal,
  );
  await keeper.run();
}
