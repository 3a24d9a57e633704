import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { authoritySecretName, controlPlaneName } from '../../api/installation.ts';
import { Backoff } from '../../runtime/backoff.ts';
import { systemClock } from '../../runtime/clock.ts';
import { ApiClient } from '../../runtime/kubernetes/api-client.ts';
import { findCredentials } from '../../runtime/kubernetes/credentials.ts';
import type { Logger } from '../../runtime/log.ts';
import type { ControlPlaneSettings } from '../config/settings.ts';
import { kubernetesReviewer } from '../identity/kubernetes-reviewer.ts';
import { secretStore } from '../identity/secret-store.ts';
import { authority } from '../listen.ts';
import { key, type Mesh } from '../model/model.ts';
import type { RecordStore } from '../model/store.ts';
import { KubernetesSource } from '../sources/kubernetes/kubernetes-source.ts';
import { TrustBundlePublisher } from '../sources/kubernetes/trust-bundle.ts';
import { controllerName } from '../status/route-status.ts';
import { startStatus } from '../status/status.ts';
import type { Mode } from './mode.ts';

/** A mesh from a cluster: objects, authority, tokens and roots go through the API server. */
export async function kubernetesMode(
  settings: ControlPlaneSettings,
  store: RecordStore,
  log: Logger,
  environment: NodeJS.ProcessEnv,
): Promise<Mode> {
  const api = new ApiClient(await findCredentials(environment));
  const source = new KubernetesSource({
    api,
    writer: store,
    clock: systemClock,
    random: Math.random,
    log,
  });
  let publisher: TrustBundlePublisher | null = null;
  let status: { stop(): Promise<void> } | null = null;
  return {
    authority: secretStore(api, settings.namespace, authoritySecretName),
    reviewer: kubernetesReviewer(api),
    start(whenInForce) {
      source.start();
      status = startStatus({
        api,
        store,
        whenInForce,
        controllerName,
        namespace: settings.namespace,
        leaseName: controlPlaneName,
        // A pod that starts again has the same name.
        identity: `${hostname()}_${randomUUID()}`,
        clock: systemClock,
        random: Math.random,
        log,
      });
      return Promise.resolve();
    },
    changes: () => source.changes(),
    hasRead: changes => source.hasRead(changes),
    replicas: () => replicasIn(store.current, settings),
    publishRoots(bundle) {
      if (publisher !== null) publisher.setBundle(bundle);
      else {
        const backoff = new Backoff(500, 30_000);
        publisher = new TrustBundlePublisher(bundle, { api, store, backoff, clock: systemClock, log });
      }
    },
    async stop() {
      publisher?.stop();
      await status?.stop();
      await source.stop();
      await api.close();
    },
  };
}

/** The pods of the control plane's own Service, but for this one. */
function replicasIn(mesh: Mesh | null, { namespace, adminPort }: ControlPlaneSettings): string[] {
  const own = key(namespace, hostname());
  const [port] = mesh?.endpoints.get(key(namespace, controlPlaneName))?.ports ?? [];
  return (port?.endpoints ?? [])
    .filter(({ pod, ready }) => ready && pod !== own)
    .map(({ address }) => authority(address, adminPort));
}
