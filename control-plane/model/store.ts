/**
 * Where sources write and from where the control plane reads: records go in one by one, immutable states come out,
 * coalesced. Nothing comes out before every kind has delivered its first list: an incomplete state would mean deletion
 * to every sidecar.
 */
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { Linker } from './linker.ts';
import type { Key, Mesh, MeshChange, MeshStore } from './model.ts';
import { type Problem, ProblemList, type ProblemOrigin } from './problems.ts';
import { subject } from './record-index.ts';
import {
  type NamespaceRecord,
  type RecordKind,
  type Records,
  type RecordWriter,
  recordKinds,
} from './records.ts';

export interface StoreOptions {
  readonly trustDomain: string;
  readonly clusterDomain: string;
  readonly defaultMtls: 'permissive' | 'strict';
  /** As in {@link Mesh}. Default 1000. */
  readonly connectTimeoutMs?: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Milliseconds without a change after which a state is delivered. Default 5. */
  readonly quietMs?: number;
  /** Milliseconds after the first change at which a state is delivered though changes keep coming. Default 100. */
  readonly maxDelayMs?: number;
}

type Listener = (mesh: Mesh, change: MeshChange) => void;
type ProblemListener = (subject: string, origin: ProblemOrigin) => void;

export class RecordStore implements MeshStore, RecordWriter {
  #current: Mesh | null = null;
  readonly #options: Required<StoreOptions>;
  readonly #linker: Linker;
  readonly #problems: ProblemList;
  readonly #listeners = new Set<Listener>();
  readonly #namespaceListeners = new Set<() => void>();
  readonly #problemListeners = new Set<ProblemListener>();
  readonly #waiting = new Set<RecordKind>(recordKinds);
  #cancelTimer: (() => void) | null = null;
  readonly #afterDelivery: (() => void)[] = [];
  #firstChange = 0;
  #lastChange = 0;
  #notBefore = 0;

  constructor(options: StoreOptions) {
    this.#options = { connectTimeoutMs: 1000, quietMs: 5, maxDelayMs: 100, ...options };
    this.#problems = new ProblemList(options.log, (changed, origin) => {
      for (const listener of this.#problemListeners) listener(changed, origin);
    });
    this.#linker = new Linker((id, problems) => this.#problems.set(id, 'link', problems));
  }

  get current(): Mesh | null {
    return this.#current;
  }

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls back when everything that was written until now is in the mesh. */
  whenDelivered(callback: () => void): void {
    if (this.#cancelTimer === null) callback();
    else this.#afterDelivery.push(callback);
  }

  /** Everything that is wrong at the moment, or that some client cannot be told, by object or file. */
  problems(): Problem[] {
    return this.#problems.list();
  }

  /** What is wrong with one object; of `clients`, what some of them cannot be told. */
  problemsOf(subject: string, what: 'configuration' | 'clients'): readonly string[] {
    return this.#problems.of(subject, what);
  }

  /** Tells what of an object the clients of the moment cannot be told, in place of what was told before. */
  setOmitted(subject: string, sentences: readonly string[]): void {
    this.#problems.set(subject, 'clients', sentences);
  }

  /** Called at once when what is wrong with an object or file has changed; returns what ends it. */
  onProblem(listener: ProblemListener): () => void {
    this.#problemListeners.add(listener);
    return () => this.#problemListeners.delete(listener);
  }

  /** Kinds whose first list is not complete yet. */
  waiting(): RecordKind[] {
    return [...this.#waiting];
  }

  /** Namespaces as they are now; they are no part of the mesh, but say where its pods are to come. */
  namespaces(): IterableIterator<[name: string, record: NamespaceRecord]> {
    return this.#linker.entries('Namespace');
  }

  /** Called at once when a namespace has come, changed or gone; returns what ends it. */
  onNamespace(listener: () => void): () => void {
    this.#namespaceListeners.add(listener);
    return () => this.#namespaceListeners.delete(listener);
  }

  put<K extends RecordKind>(
    kind: K,
    key: Key,
    record: Records[K],
    problems: readonly string[],
    location: string,
  ): void {
    this.#problems.locate(subject(kind, key), location);
    this.#problems.set(subject(kind, key), 'object', problems);
    if (this.#linker.mark(kind, key, record)) this.#changed(kind);
  }

  reject(kind: RecordKind, key: Key, problems: readonly string[], location: string): void {
    this.#problems.locate(subject(kind, key), location);
    const held = this.#linker.get(kind, key) !== undefined;
    const outcome = held ? 'its last good version stays in force' : 'it is not in force';
    this.#problems.set(
      subject(kind, key),
      'object',
      problems.map(problem => `${problem} (${outcome})`),
    );
  }

  remove(kind: RecordKind, key: Key): void {
    this.#problems.locate(subject(kind, key), '');
    this.#problems.set(subject(kind, key), 'object', []);
    if (this.#linker.mark(kind, key, undefined)) this.#changed(kind);
  }

  report(file: string, problems: readonly string[]): void {
    this.#problems.set(file, 'object', problems);
  }

  synced(kind: RecordKind): void {
    if (!this.#waiting.delete(kind)) return;
    this.#options.log.debug({ kind, waiting: this.waiting() }, 'first list is complete');
    if (this.#waiting.size === 0) this.#schedule();
  }

  #changed(kind: RecordKind): void {
    if (kind === 'Namespace') for (const listener of this.#namespaceListeners) listener();
    this.#schedule();
  }

  #schedule(): void {
    if (this.#waiting.size > 0) return;
    const { clock, quietMs } = this.#options;
    this.#lastChange = clock.now();
    if (this.#cancelTimer !== null) return;
    this.#firstChange = this.#lastChange;
    this.#wait(Math.max(quietMs, this.#notBefore - this.#lastChange));
  }

  #wait(ms: number): void {
    this.#cancelTimer = this.#options.clock.after(ms, () => this.#due());
  }

  #due(): void {
    const { clock, quietMs, maxDelayMs } = this.#options;
    const now = clock.now();
    const rest = Math.min(this.#lastChange + quietMs, this.#firstChange + maxDelayMs) - now;
    if (rest > 0) {
      this.#wait(rest);
      return;
    }
    this.#cancelTimer = null;
    this.#deliver();
    // As long again as it took: under load at least half of the time is left for everything else.
    const end = clock.now();
    this.#notBefore = end + (end - now);
    for (const callback of this.#afterDelivery.splice(0)) callback();
  }

  #deliver(): void {
    const change = this.#linker.link();
    const policies = this.#linker.policies.snapshot();
    // A policy that has lost its Service to another changes no traffic, and is told so all the same.
    const same = this.#current?.policies === policies;
    if (same && change.services.size + change.workloads.size + change.routed.size === 0) return;
    const { trustDomain, clusterDomain, defaultMtls, connectTimeoutMs } = this.#options;
    const mesh: Mesh = {
      version: (this.#current?.version ?? 0) + 1,
      trustDomain,
      clusterDomain,
      defaultMtls,
      connectTimeoutMs,
      services: this.#linker.services.snapshot(),
      endpoints: this.#linker.endpoints.snapshot(),
      workloads: this.#linker.workloads.snapshot(),
      routes: this.#linker.routes.snapshot(),
      policies,
    };
    this.#current = mesh;
    for (const listener of this.#listeners) listener(mesh, change);
  }
}
