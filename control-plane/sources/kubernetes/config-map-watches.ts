/**
 * The ConfigMaps that BackendTLSPolicies refer to, and no others: a cluster has many, of which most are nobody's business
 * here. Each is followed by itself, by name, from when the first policy refers to it until the last one does no more.
 */
import { Backoff } from '../../../runtime/backoff.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { type ApiClient, ApiError } from '../../../runtime/kubernetes/api-client.ts';
import type { Logger } from '../../../runtime/log.ts';
import { type Key, key } from '../../model/model.ts';
import type { RecordKind, Records, RecordWriter, TlsPolicyRecord } from '../../model/records.ts';
import { writeObject } from '../convert/convert.ts';
import type { Fields } from '../convert/fields.ts';
import { readMetadata } from '../convert/object.ts';
import { Reflector } from './reflector.ts';

export interface ConfigMapWatchesOptions {
  readonly api: Pick<ApiClient, 'get' | 'watch'>;
  readonly writer: RecordWriter;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

export class ConfigMapWatches {
  readonly #options: ConfigMapWatchesOptions;
  /** By ConfigMap. */
  readonly #watches = new Map<Key, { readonly reflector: Reflector; readonly policies: Set<Key> }>();
  /** ConfigMaps that a policy refers to. */
  readonly #wanted = new Map<Key, readonly Key[]>();
  /** ConfigMaps of which nothing is known yet. */
  readonly #unread = new Set<Key>();
  /** Policies that wait for these, and how each is written: none is in force before what it refers to is known. */
  readonly #held = new Map<Key, () => void>();
  readonly #running = new Set<Promise<void>>();
  #policiesListed = false;
  #synced = false;
  #stopped = false;

  constructor(options: ConfigMapWatchesOptions) {
    this.#options = options;
  }

  /** Writes to `writer`, and learns from BackendTLSPolicies which ConfigMaps are wanted. */
  following(writer: RecordWriter): RecordWriter {
    return {
      put: <K extends RecordKind>(
        kind: K,
        id: Key,
        record: Records[K],
        problems: readonly string[],
        location: string,
      ): void => {
        const write = (): void => writer.put(kind, id, record, problems, location);
        if (kind !== 'BackendTLSPolicy') return write();
        this.#want(id, record as TlsPolicyRecord);
        this.#held.set(id, write);
        this.#release();
      },
      reject: (kind, id, problems, location) => writer.reject(kind, id, problems, location),
      remove: (kind, id) => {
        writer.remove(kind, id);
        if (kind !== 'BackendTLSPolicy') return;
        this.#held.delete(id);
        this.#want(id, null);
      },
      report: (subject, problems) => writer.report(subject, problems),
      synced: kind => {
        writer.synced(kind);
        if (kind !== 'BackendTLSPolicy') return;
        this.#policiesListed = true;
        this.#release();
      },
    };
  }

  /** `ConfigMap/<namespace>/<name>` and who follows it. */
  *reflectors(): Generator<[string, Reflector]> {
    for (const [id, { reflector }] of this.#watches) yield [`ConfigMap/${id}`, reflector];
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { reflector } of this.#watches.values()) reflector.stop();
    await Promise.all(this.#running);
  }

  #want(policy: Key, record: TlsPolicyRecord | null): void {
    const before = this.#wanted.get(policy) ?? [];
    const after = (record?.authorities ?? []).map(name => key(record?.namespace ?? '', name));
    if (after.length === 0) this.#wanted.delete(policy);
    else this.#wanted.set(policy, after);
    for (const id of after) this.#follow(id).add(policy);
    for (const id of before) if (!after.includes(id)) this.#leave(id, policy);
  }

  #follow(id: Key): Set<Key> {
    const known = this.#watches.get(id);
    if (known !== undefined) return known.policies;
    const reflector = this.#reflect(id);
    const policies = new Set<Key>();
    this.#watches.set(id, { reflector, policies });
    this.#unread.add(id);
    if (!this.#stopped) {
      const run = reflector.run().finally(() => this.#running.delete(run));
      this.#running.add(run);
    }
    return policies;
  }

  #leave(id: Key, policy: Key): void {
    const watch = this.#watches.get(id);
    if (watch?.policies.delete(policy) !== true || watch.policies.size > 0) return;
    watch.reflector.stop();
    this.#watches.delete(id);
    this.#options.writer.remove('ConfigMap', id);
    this.#known(id);
  }

  #reflect(id: Key): Reflector {
    const { api, writer, clock, random, log } = this.#options;
    const [namespace, name] = id.split('/');
    const isFollowed = (): boolean => this.#watches.get(id)?.reflector === reflector;
    let unreadable = false;
    const reflector = new Reflector({
      api,
      path: () => Promise.resolve(`/api/v1/namespaces/${namespace}/configmaps`),
      // A right on ConfigMaps of certain names allows this too (Kubernetes: fieldSelector metadata.name).
      query: { fieldSelector: `metadata.name=${name}` },
      key: () => id,
      onObject: object => {
        const fields = object as Fields;
        const metadata = readMetadata(fields.metadata, '');
        unreadable = false;
        if (isFollowed()) writeObject(writer, 'ConfigMap', { kind: 'ConfigMap', metadata, fields }, '');
      },
      onDelete: () => {
        if (isFollowed()) writer.remove('ConfigMap', id);
      },
      onSynced: () => {
        if (!isFollowed()) return;
        if (unreadable) writer.remove('ConfigMap', id);
        unreadable = false;
        this.#known(id);
      },
      onListFailed: error => {
        // An API server that does not answer is waited for; one that refuses may do so for ever.
        if (!(error instanceof ApiError) || !isFollowed() || !(unreadable || this.#unread.has(id))) return;
        unreadable = true;
        const problem = `cannot be read (${error.message}); allow the control plane to list and watch it`;
        writer.put('ConfigMap', id, { authorities: '', problem }, [], '');
        this.#known(id);
      },
      backoff: new Backoff(500, 30_000, random),
      random,
      clock,
      log: log.child({ kind: 'ConfigMap', object: id }),
    });
    return reflector;
  }

  #known(id: Key): void {
    this.#unread.delete(id);
    this.#release();
  }

  #release(): void {
    for (const [policy, write] of this.#held) {
      if (this.#wanted.get(policy)?.some(id => this.#unread.has(id)) === true) continue;
      this.#held.delete(policy);
      write();
    }
    // The mesh begins when everything is known that its policies refer to.
    if (this.#synced || !this.#policiesListed || this.#unread.size > 0) return;
    this.#synced = true;
    this.#options.writer.synced('ConfigMap');
  }
}
