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
  /** ConfigMaps that are followed for a policy, in the version that is written or in one that waits. */
  readonly #wanted = new Map<Key, Set<Key>>();
  /** ConfigMaps of which nothing is known yet. */
  readonly #unread = new Set<Key>();
  /**
   * Policies that wait for these, and how each is written: none is in force before what it refers to is known. Until then
   * the version before has what it refers to.
   */
  readonly #held = new Map<Key, { readonly needs: readonly Key[]; readonly write: () => void }>();
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
        const { namespace, authorities } = record as TlsPolicyRecord;
        const needs = authorities.map(name => key(namespace, name));
        this.#follow(id, needs);
        this.#held.set(id, { needs, write });
        this.#release();
      },
      reject: (kind, id, problems, location) => writer.reject(kind, id, problems, location),
      remove: (kind, id) => {
        writer.remove(kind, id);
        if (kind !== 'BackendTLSPolicy') return;
        this.#held.delete(id);
        this.#keep(id, []);
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

  #follow(policy: Key, ids: readonly Key[]): void {
    const wanted = this.#wanted.get(policy) ?? new Set();
    for (const id of ids) {
      wanted.add(id);
      this.#watchOf(id).add(policy);
    }
    this.#wanted.set(policy, wanted);
  }

  /** No others than these are followed for the policy any more. */
  #keep(policy: Key, ids: readonly Key[]): void {
    const wanted = this.#wanted.get(policy) ?? new Set();
    for (const id of wanted) {
      if (ids.includes(id)) continue;
      wanted.delete(id);
      this.#leave(id, policy);
    }
    if (wanted.size === 0) this.#wanted.delete(policy);
  }

  /** The policies for which the ConfigMap is followed. */
  #watchOf(id: Key): Set<Key> {
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
    for (const [policy, { needs, write }] of this.#held) {
      if (needs.some(id => this.#unread.has(id))) continue;
      this.#held.delete(policy);
      write();
      this.#keep(policy, needs);
    }
    // The mesh begins when everything is known that its policies refer to.
    if (this.#synced || !this.#policiesListed || this.#unread.size > 0) return;
    this.#synced = true;
    this.#options.writer.synced('ConfigMap');
  }
}
