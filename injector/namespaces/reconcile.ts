/**
 * Gives namespaces their label where the webhook has not: those that were annotated before the installation. Lists, then
 * watches, and begins anew when the API server says so.
 */
import { annotations } from '../../api/annotations.ts';
import { excludedNamespaces } from '../../api/installation.ts';
import type { Backoff } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type ApiClient, ApiError } from '../../runtime/kubernetes/api-client.ts';
import type { Logger } from '../../runtime/log.ts';
import type { ObjectMeta } from '../pod.ts';
import { labelChange } from './inject-label.ts';

const PATH = '/api/v1/namespaces';

/** The API server ends a watch after that, and a new one begins: a connection that died silently is noticed. */
const WATCH_SECONDS = 290;

const REWATCH_MS = 1000;

interface Namespace {
  metadata: ObjectMeta;
}

export interface ReconcileOptions {
  client: ApiClient;
  clock: Clock;
  backoff: Backoff;
  log: Logger;
  /** Called when all namespaces have been looked at once. */
  onListed(): void;
}

async function reconcile({ metadata }: Namespace, { client, log }: ReconcileOptions): Promise<void> {
  if (excludedNamespaces.includes(metadata.name)) return;
  const change = labelChange(metadata, null);
  if (change.kind === 'invalid') {
    log.warn(
      { namespace: metadata.name, problems: change.problems },
      'annotations of a namespace are invalid',
    );
  }
  if (change.kind !== 'set') return;
  const { name, resourceVersion } = metadata;
  const labels = { [annotations.inject.name]: change.value };
  try {
    await client.patch(`${PATH}/${name}`, 'application/merge-patch+json', {
      metadata: { resourceVersion, labels },
    });
    log.info({ namespace: name, value: change.value }, 'label set as the annotation says');
  } catch (error) {
    // Changed or deleted since: the watch tells.
    if (!(error instanceof ApiError && (error.status === 409 || error.status === 404))) throw error;
  }
}

/** One list, and watches after it until one fails or the API server has forgotten where we were (410). */
async function listAndWatch(options: ReconcileOptions, signal: AbortSignal): Promise<void> {
  const { client, backoff, onListed } = options;
  const list = await client.get<{ metadata: ObjectMeta; items: Namespace[] }>(PATH);
  const failures: unknown[] = [];
  for (const namespace of list.items)
    await reconcile(namespace, options).catch(error => failures.push(error));
  onListed();
  // One that cannot be labelled (another webhook refuses) keeps neither the others nor readiness waiting.
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} namespaces have no label`);
  let { resourceVersion } = list.metadata;
  while (!signal.aborted) {
    const query = `watch=1&allowWatchBookmarks=true&timeoutSeconds=${WATCH_SECONDS}&resourceVersion=${resourceVersion}`;
    for await (const event of client.watch(`${PATH}?${query}`, signal)) {
      if (event.type === 'ERROR') throw new Error(`watch: ${event.object.code} ${event.object.message}`);
      backoff.reset();
      const namespace = event.object as Namespace;
      ({ resourceVersion } = namespace.metadata);
      if (event.type === 'ADDED' || event.type === 'MODIFIED') await reconcile(namespace, options);
    }
    // A watch that the API server ends at once must not become a busy loop.
    await pause(REWATCH_MS, options.clock, signal);
  }
}

function pause(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const cancel = clock.after(ms, resolve);
    signal.addEventListener('abort', () => {
      cancel();
      resolve();
    });
  });
}

/** Runs until the signal. */
export async function reconcileNamespaces(options: ReconcileOptions, signal: AbortSignal): Promise<void> {
  const { backoff, clock, log } = options;
  while (!signal.aborted) {
    try {
      await listAndWatch(options, signal);
    } catch (error) {
      if (signal.aborted) return;
      const wait = backoff.next();
      log.warn({ err: error, retryMs: Math.round(wait) }, 'namespaces are listed again');
      await pause(wait, clock, signal);
    }
  }
}
