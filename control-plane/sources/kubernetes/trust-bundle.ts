/**
 * Keeps the roots of the mesh in a ConfigMap of every namespace that has meshed pods or will have them: sidecars mount
 * it. Written by every replica alike, so that it needs no leader. ConfigMaps that others change are put right again at the
 * next look; those of namespaces that leave the mesh stay, as their pods may still run.
 */
import { trustBundleKey, trustBundleName } from '../../../api/installation.ts';
import type { Backoff } from '../../../runtime/backoff.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { type ApiClient, orAbsent } from '../../../runtime/kubernetes/api-client.ts';
import type { Logger } from '../../../runtime/log.ts';
import type { Mesh, MeshChange } from '../../model/model.ts';
import type { NamespaceRecord } from '../../model/records.ts';

interface ConfigMap {
  readonly metadata: object;
  readonly data?: Readonly<Record<string, string>>;
}

/** The part of the store that says where the mesh is. */
export interface Namespaces {
  namespaces(): Iterable<[name: string, record: NamespaceRecord]>;
  onNamespace(listener: () => void): () => void;
  subscribe(listener: (mesh: Mesh, change: MeshChange) => void): () => void;
}

export interface TrustBundleOptions {
  readonly api: Pick<ApiClient, 'get' | 'create' | 'replace'>;
  readonly store: Namespaces;
  readonly backoff: Backoff;
  readonly clock: Clock;
  readonly log: Logger;
  /** Milliseconds after which every ConfigMap is looked at again. Default 60000. */
  readonly recheckMs?: number;
}

/** Milliseconds in which changes of namespaces are gathered. */
const GATHER_MS = 20;

export class TrustBundlePublisher {
  readonly #options: Required<TrustBundleOptions>;
  #bundle: string;
  /** Namespaces whose ConfigMap is known to hold the bundle. */
  readonly #good = new Set<string>();
  readonly #meshed = new Set<string>();
  readonly #unsubscribe: readonly (() => void)[];
  #running = false;
  #again = false;
  #stopped = false;
  #cancelTimer: () => void = () => {};
  #cancelRecheck: () => void = () => {};

  /** `bundle`: the roots, PEM. */
  constructor(bundle: string, options: TrustBundleOptions) {
    this.#options = { recheckMs: 60_000, ...options };
    this.#bundle = bundle;
    const { store } = this.#options;
    this.#unsubscribe = [
      store.onNamespace(() => this.#wake(GATHER_MS)),
      store.subscribe((mesh, change) => this.#noteMeshed(mesh, change)),
    ];
    this.#recheck();
  }

  setBundle(bundle: string): void {
    this.#bundle = bundle;
    this.#good.clear();
    this.#wake(0);
  }

  stop(): void {
    this.#stopped = true;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#cancelTimer();
    this.#cancelRecheck();
  }

  #noteMeshed(mesh: Mesh, change: MeshChange): void {
    const before = this.#meshed.size;
    for (const key of change.workloads) {
      const workload = mesh.workloads.get(key);
      if (workload?.meshed === true) this.#meshed.add(workload.namespace);
    }
    if (this.#meshed.size > before) this.#wake(0);
  }

  #recheck(): void {
    this.#cancelRecheck = this.#options.clock.after(this.#options.recheckMs, () => {
      this.#good.clear();
      this.#wake(0);
      this.#recheck();
    });
  }

  #wake(ms: number): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(ms, () => void this.#run());
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    this.#running = true;
    let failed = false;
    do {
      this.#again = false;
      for (const [namespace, { inject }] of this.#options.store.namespaces()) {
        if (this.#stopped) return;
        if ((inject || this.#meshed.has(namespace)) && !this.#good.has(namespace))
          failed = !(await this.#keep(namespace)) || failed;
      }
    } while (this.#again);
    this.#running = false;
    if (failed) this.#wake(this.#options.backoff.next());
    else this.#options.backoff.reset();
  }

  async #keep(namespace: string): Promise<boolean> {
    const bundle = this.#bundle;
    try {
      await this.#write(namespace, bundle);
      if (bundle === this.#bundle) this.#good.add(namespace);
      return true;
    } catch (error) {
      this.#options.log.warn({ namespace, err: error }, 'trust bundle not written; it is tried again');
      return false;
    }
  }

  async #write(namespace: string, bundle: string): Promise<void> {
    const { api, log } = this.#options;
    const collection = `/api/v1/namespaces/${namespace}/configmaps`;
    const held = await api.get<ConfigMap>(`${collection}/${trustBundleName}`).catch(orAbsent);
    if (held?.data?.[trustBundleKey] === bundle) return;
    const data = { [trustBundleKey]: bundle };
    if (held === null) {
      const metadata = { name: trustBundleName, labels: { 'app.kubernetes.io/managed-by': 'tulle' } };
      await api.create(collection, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data });
    } else {
      // With the resourceVersion that was read: a write in between leads to a conflict and to another look.
      await api.replace(`${collection}/${trustBundleName}`, { ...held, data });
    }
    log.info({ namespace }, 'trust bundle written');
  }
}
