import { resourceTypes } from '../../api/xds/any.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Mesh, MeshChange, MeshStore } from '../model/model.ts';
import type { Client } from '../translate/client.ts';
import type { ResourceKind } from '../translate/dialect.ts';
import { dialects } from '../translate/dialects.ts';
import { EndpointFrames } from '../translate/endpoint-frames.ts';
import { MeshIndex, type Token } from '../translate/mesh-index.ts';
import { MeshReader } from '../translate/mesh-reader.ts';
import { type Omission } from '../translate/omission.ts';
import { OmissionList, type OnOmission } from './omission-list.ts';
import { Resource, type TypeUrl } from './resource.ts';

const typeUrls: Readonly<Record<ResourceKind, TypeUrl>> = {
  listener: resourceTypes.listener,
  routes: resourceTypes.routes,
  cluster: resourceTypes.cluster,
  endpoints: resourceTypes.endpoints,
};

/** Told when what it watches has a new value. Called for all of one change before anything else happens. */
export interface Watcher {
  resourceChanged(watched: WatchedResource): void;
  namesChanged(watched: WatchedNames): void;
}

/** One resource that somebody subscribes to, in one dialect and scope; `current` is null while there is none. */
export interface WatchedResource {
  readonly kind: ResourceKind;
  readonly name: string;
  readonly current: Resource | null;
}

/** Names that a wildcard stands for, in one dialect and scope. */
export interface WatchedNames {
  readonly kind: ResourceKind;
  readonly current: readonly string[];
}

/** A value that is made from the mesh, and made again when something it was made from changes. */
interface Entry {
  readonly id: string;
  readonly read: ReadonlySet<Token>;
  /** Makes the value; true if it differs from the last. */
  evaluate(index: MeshIndex, frames: EndpointFrames): boolean;
  notify(): void;
  readonly watchers: ReadonlySet<Watcher>;
  readonly client: Client;
  /** What the mesh says and the value does not. */
  readonly omitted: readonly Omission[];
}

/**
 * The newest state of everything that is subscribed to, encoded once for all who share it. A change of the mesh makes again
 * only what was made from something that changed, and wakes only those who watch what came out differently.
 */
export class Snapshot {
  readonly #log: Logger;
  readonly #entries = new Map<string, Entry>();
  readonly #dependents = new Map<Token, Set<Entry>>();
  readonly #ready: (() => void)[] = [];
  readonly #unsubscribe: () => void;
  readonly #omissions: OmissionList;
  #index: MeshIndex | null = null;
  #frames = new EndpointFrames('');

  constructor(store: MeshStore, log: Logger, onOmission: OnOmission = () => {}) {
    this.#log = log;
    this.#omissions = new OmissionList(onOmission);
    if (store.current !== null) this.#start(store.current);
    this.#unsubscribe = store.subscribe((mesh, change) => this.#advance(mesh, change));
  }

  /** Resources and name lists that are kept current. */
  get size(): number {
    return this.#entries.size;
  }

  /** False before the first complete state: nothing may be served then, as absence would mean deletion. */
  get isComplete(): boolean {
    return this.#index !== null;
  }

  /** Calls back once when the first complete state is there, at once if it is already. */
  whenComplete(callback: () => void): void {
    if (this.#index !== null) callback();
    else this.#ready.push(callback);
  }

  /** Version of the mesh that is served; 0 before the first. */
  get meshVersion(): number {
    return this.#index?.mesh.version ?? 0;
  }

  /** The mesh that is served; null before the first. */
  get mesh(): Mesh | null {
    return this.#index?.mesh ?? null;
  }

  watchResource(client: Client, kind: ResourceKind, name: string, watcher: Watcher): WatchedResource {
    const id = `${client.dialect}|${kind}|${dialects[client.dialect].scope(kind, client)}|${name}`;
    const entry = this.#entry(id, () => new ResourceEntry(id, client, kind, name)) as ResourceEntry;
    entry.watchers.add(watcher);
    return entry;
  }

  watchNames(client: Client, kind: ResourceKind, watcher: Watcher): WatchedNames {
    const id = `${client.dialect}|${kind}|${dialects[client.dialect].scope(kind, client)}|*`;
    const entry = this.#entry(`names|${id}`, () => new NamesEntry(`names|${id}`, client, kind)) as NamesEntry;
    entry.watchers.add(watcher);
    return entry;
  }

  /** Ends a watch; what nobody watches any more is forgotten. */
  unwatch(watched: WatchedResource | WatchedNames, watcher: Watcher): void {
    const entry = watched as ResourceEntry | NamesEntry;
    entry.watchers.delete(watcher);
    if (entry.watchers.size > 0 || this.#entries.get(entry.id) !== entry) return;
    this.#entries.delete(entry.id);
    this.#omissions.set(entry.id, entry.client.dialect, []);
    for (const token of entry.read) this.#unlink(token, entry);
  }

  close(): void {
    this.#unsubscribe();
  }

  #entry(id: string, create: () => Entry): Entry {
    let entry = this.#entries.get(id);
    if (entry === undefined) {
      entry = create();
      this.#entries.set(id, entry);
      if (this.#index !== null) this.#evaluate(entry, this.#index);
    }
    return entry;
  }

  #start(mesh: Mesh): void {
    this.#index = new MeshIndex(mesh);
    this.#frames = new EndpointFrames(mesh.trustDomain);
    this.#refresh(this.#entries.values(), this.#index);
    for (const callback of this.#ready.splice(0)) callback();
  }

  #advance(mesh: Mesh, change: MeshChange): void {
    if (this.#index === null) {
      this.#start(mesh);
      return;
    }
    const trustDomain = this.#index.mesh.trustDomain;
    const touched = this.#index.advance(mesh, change);
    if (mesh.trustDomain !== trustDomain) this.#frames = new EndpointFrames(mesh.trustDomain);
    this.#refresh(touched === null ? this.#entries.values() : this.#dependentsOf(touched), this.#index);
  }

  #dependentsOf(touched: ReadonlySet<Token>): Set<Entry> {
    const entries = new Set<Entry>();
    for (const token of touched) {
      for (const entry of this.#dependents.get(token) ?? []) entries.add(entry);
    }
    return entries;
  }

  /** Everything is made before anyone is told, so that nobody sees half of a change. */
  #refresh(entries: Iterable<Entry>, index: MeshIndex): void {
    const changed = [...entries].filter(entry => this.#evaluate(entry, index));
    for (const entry of changed) entry.notify();
  }

  #evaluate(entry: Entry, index: MeshIndex): boolean {
    const before = entry.read;
    try {
      return entry.evaluate(index, this.#frames);
    } catch (error) {
      this.#log.error(
        { err: error, entry: entry.id },
        'translation failed; the last good resource stays in force',
      );
      return false;
    } finally {
      this.#relink(entry, before);
      this.#omissions.set(entry.id, entry.client.dialect, entry.omitted);
    }
  }

  #relink(entry: Entry, before: ReadonlySet<Token>): void {
    if (before === entry.read) return;
    for (const token of before) {
      if (!entry.read.has(token)) this.#unlink(token, entry);
    }
    for (const token of entry.read) {
      const dependents = this.#dependents.get(token);
      if (dependents === undefined) this.#dependents.set(token, new Set([entry]));
      else dependents.add(entry);
    }
  }

  #unlink(token: Token, entry: Entry): void {
    const dependents = this.#dependents.get(token);
    dependents?.delete(entry);
    if (dependents?.size === 0) this.#dependents.delete(token);
  }
}

class ResourceEntry implements Entry, WatchedResource {
  readonly id: string;
  readonly kind: ResourceKind;
  readonly name: string;
  readonly watchers = new Set<Watcher>();
  current: Resource | null = null;
  read: ReadonlySet<Token> = new Set();
  omitted: readonly Omission[] = [];
  readonly client: Client;

  constructor(id: string, client: Client, kind: ResourceKind, name: string) {
    this.id = id;
    this.kind = kind;
    this.name = name;
    this.client = client;
  }

  evaluate(index: MeshIndex, frames: EndpointFrames): boolean {
    const reader = new MeshReader(index);
    this.read = reader.read;
    const { dialect } = this.client;
    const { bytes, omitted } = dialects[dialect].write(reader, frames, this.kind, this.name, this.client);
    this.omitted = omitted;
    const next = bytes === null ? null : new Resource(typeUrls[this.kind], this.name, bytes);
    if (next?.version === this.current?.version) return false;
    this.current = next;
    return true;
  }

  notify(): void {
    for (const watcher of this.watchers) watcher.resourceChanged(this);
  }
}

class NamesEntry implements Entry, WatchedNames {
  readonly id: string;
  readonly kind: ResourceKind;
  readonly watchers = new Set<Watcher>();
  current: readonly string[] = [];
  read: ReadonlySet<Token> = new Set();
  readonly omitted = [];
  readonly client: Client;

  constructor(id: string, client: Client, kind: ResourceKind) {
    this.id = id;
    this.kind = kind;
    this.client = client;
  }

  evaluate(index: MeshIndex): boolean {
    const reader = new MeshReader(index);
    this.read = reader.read;
    const names = dialects[this.client.dialect].names(reader, this.kind, this.client);
    const differs =
      names.length !== this.current.length || names.some((name, at) => name !== this.current[at]);
    if (differs) this.current = names;
    return differs;
  }

  notify(): void {
    for (const watcher of this.watchers) watcher.namesChanged(this);
  }
}
