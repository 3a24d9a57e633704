/**
 * Writes the status of routes, policies and the Services that these affect, on the leader only. What changes is told when it
 * is in force, so that whoever reads that a route is accepted finds its rules applied. It looks at all objects when it begins
 * to lead and now and then after that, and in between at those that changed in the mesh. What is right already is not written,
 * so that a steady cluster sees no write. One object at a time, at a limited rate; one that fails does not hold up the others.
 */
import { Backoff } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type ApiClient, ApiError, orAbsent } from '../../runtime/kubernetes/api-client.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Mesh, MeshStore } from '../model/model.ts';
import { kindDefinitions } from '../sources/convert/convert.ts';
import { collectionPath, objectPath } from '../sources/kubernetes/collection-path.ts';
import { timestamp } from './condition.ts';
import {
  type Status,
  type StatusKind,
  type StatusObject,
  statusKindOf,
  statusKinds,
  statusToWrite,
} from './object-status.ts';
import { affectedServices } from './service-status.ts';

interface ObjectList {
  readonly metadata: { readonly continue?: string };
  readonly items: readonly StatusObject[];
}

export interface StatusWriterOptions {
  readonly api: Pick<ApiClient, 'get' | 'replace'>;
  readonly store: MeshStore;
  /** Whose entries are written (RouteParentStatus.controllerName). */
  readonly controllerName: string;
  /** Resolves when the newest mesh is in force; it must do so in the end, whoever is silent. */
  readonly whenInForce: () => Promise<void>;
  /** Asked before each write. */
  readonly isLeader: () => boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** Objects read and written per second, after a burst of as many. Default 20. */
  readonly perSecond?: number;
  /** Milliseconds after which all objects are looked at again. Default 300000. */
  readonly recheckMs?: number;
}

/** What status follows from, by object. */
interface Seen extends Pick<Mesh, 'routes' | 'policies'> {
  readonly affected: ReadonlyMap<string, string>;
}

/** Objects of one page of a list. */
const PAGE = 500;

export class StatusWriter {
  readonly #options: Required<StatusWriterOptions>;
  readonly #unsubscribe: () => void;
  /** Objects to look at, `<kind>/<namespace>/<name>`. */
  readonly #queue = new Set<string>();
  /** Objects whose last change is not in force yet, by the number of the change. */
  readonly #unapplied = new Map<string, number>();
  #changes = 0;
  readonly #retries = new Map<string, { backoff: Backoff; cancel: () => void }>();
  readonly #lookBackoff: Backoff;
  /** The mesh that was looked at last; null: everything is to be looked at. */
  #seen: Seen | null = null;
  /** Collections as the API server serves them at the moment. */
  #paths = new Map<StatusKind, string>();
  /** When the next object may be looked at, if there had been no burst. */
  #nextAt = 0;
  #busy: Promise<void> | null = null;
  #stopped = false;
  #cancelTimer: (() => void) | null = null;
  #cancelRecheck: () => void = () => {};

  constructor(options: StatusWriterOptions) {
    this.#options = { perSecond: 20, recheckMs: 300_000, ...options };
    this.#lookBackoff = new Backoff(500, 30_000, options.random);
    this.#unsubscribe = this.#options.store.subscribe(mesh => this.#noteChanges(mesh));
    this.#recheck();
  }

  /** To be called when leading begins or ends: the leader before may have left anything. */
  leadershipChanged(): void {
    this.#seen = null;
    this.#queue.clear();
    this.#unapplied.clear();
    for (const { cancel } of this.#retries.values()) cancel();
    this.#retries.clear();
    this.#wake();
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe();
    this.#cancelTimer?.();
    this.#cancelRecheck();
    for (const { cancel } of this.#retries.values()) cancel();
    await this.#busy;
  }

  #recheck(): void {
    this.#cancelRecheck = this.#options.clock.after(this.#options.recheckMs, () => {
      this.#seen = null;
      this.#wake();
      this.#recheck();
    });
  }

  /** Records are the same object as long as nothing about them changes. */
  #noteChanges(mesh: Mesh): void {
    if (this.#seen !== null) {
      const seen = seenIn(mesh);
      const changed = [
        ...changedBetween(this.#seen.routes, seen.routes),
        ...changedBetween(this.#seen.policies, seen.policies),
        ...changedBetween(this.#seen.affected, seen.affected),
      ];
      this.#seen = seen;
      if (changed.length > 0) void this.#addWhenInForce(changed);
    }
    this.#wake();
  }

  async #addWhenInForce(ids: readonly string[]): Promise<void> {
    const change = ++this.#changes;
    for (const id of ids) this.#unapplied.set(id, change);
    // Not before everyone who follows the store has taken the mesh.
    await Promise.resolve();
    await this.#options.whenInForce();
    for (const id of ids) {
      // A later change is waited for too.
      if (this.#unapplied.get(id) !== change) continue;
      this.#unapplied.delete(id);
      this.#add(id);
    }
    this.#wake();
  }

  #add(id: string): void {
    this.#retries.get(id)?.cancel();
    if (statusKindOf(id) !== undefined) this.#queue.add(id);
  }

  #wake(ms = 0): void {
    const { clock, isLeader, store } = this.#options;
    if (this.#stopped || this.#busy !== null || this.#cancelTimer !== null) return;
    if (!isLeader() || store.current === null) return;
    if (this.#seen !== null && this.#queue.size === 0) return;
    this.#cancelTimer = clock.after(Math.max(ms, this.#pause()), () => {
      this.#cancelTimer = null;
      this.#busy = this.#step();
    });
  }

  /** Milliseconds until the rate allows one more. */
  #pause(): number {
    const { clock } = this.#options;
    // A burst of one second's worth.
    this.#nextAt = Math.max(this.#nextAt, clock.now() - 1000);
    return Math.max(0, this.#nextAt - clock.now());
  }

  /** One look at everything or at one object; never rejects. */
  async #step(): Promise<void> {
    this.#nextAt += 1000 / this.#options.perSecond;
    let delay = 0;
    if (this.#seen === null) delay = await this.#lookAtAll();
    else {
      const [id] = this.#queue;
      if (id !== undefined) {
        this.#queue.delete(id);
        await this.#lookAt(id);
      }
    }
    this.#busy = null;
    this.#wake(delay);
  }

  /** Queues every object whose status is not right. Answers milliseconds to wait before it is tried again. */
  async #lookAtAll(): Promise<number> {
    const { store, log } = this.#options;
    // Before the lists: what changes while they are read is noted.
    this.#seen = store.current === null ? null : seenIn(store.current);
    this.#paths = new Map();
    await this.#options.whenInForce();
    try {
      for (const kind of statusKinds)
        for (const object of await this.#list(kind)) {
          const id = `${kind}/${object.metadata.namespace}/${object.metadata.name}`;
          if (this.#merge(id, object) !== null) this.#add(id);
        }
      this.#lookBackoff.reset();
      return 0;
    } catch (error) {
      this.#seen = null;
      log.warn({ err: error }, 'objects not listed for their status; it is tried again');
      return this.#lookBackoff.next();
    }
  }

  async #list(kind: StatusKind): Promise<StatusObject[]> {
    const { api } = this.#options;
    const path = await collectionPath(api, kindDefinitions[kind]);
    if (path === null) return [];
    this.#paths.set(kind, path);
    const objects: StatusObject[] = [];
    let from = '';
    do {
      const query = `limit=${PAGE}${from === '' ? '' : `&continue=${encodeURIComponent(from)}`}`;
      const page = await api.get<ObjectList>(`${path}?${query}`).catch(orAbsent);
      objects.push(...(page?.items ?? []));
      from = page?.metadata.continue ?? '';
    } while (from !== '');
    return objects;
  }

  /** The part of its status that the object should have; null if nothing is to be written. */
  #merge(id: string, object: StatusObject): Status | null {
    const { store, clock, controllerName } = this.#options;
    const kind = statusKindOf(id);
    if (kind === undefined || store.current === null || this.#unapplied.has(id)) return null;
    return statusToWrite(kind, object, store.current, controllerName, timestamp(clock.unix()));
  }

  async #lookAt(id: string): Promise<void> {
    const { log } = this.#options;
    try {
      // What goes while it is looked at has no status.
      await this.#write(id).catch(orAbsent);
      this.#retries.delete(id);
    } catch (error) {
      // Somebody else has written: what there is to write is found out anew, at once.
      if (error instanceof ApiError && error.status === 409) this.#add(id);
      else {
        log.warn({ subject: id, err: error }, 'status of an object not written; it is tried again');
        this.#retry(id);
      }
    }
  }

  #retry(id: string): void {
    const { clock, random } = this.#options;
    const backoff = this.#retries.get(id)?.backoff ?? new Backoff(500, 30_000, random);
    const cancel = clock.after(backoff.next(), () => {
      this.#add(id);
      this.#wake();
    });
    this.#retries.set(id, { backoff, cancel });
  }

  async #write(id: string): Promise<void> {
    const { api, isLeader, log } = this.#options;
    const [kind, namespace, name] = id.split('/') as [StatusKind, string, string];
    const collection = this.#paths.get(kind) ?? (await collectionPath(api, kindDefinitions[kind]));
    if (collection === null) return;
    this.#paths.set(kind, collection);
    const path = objectPath(collection, namespace, name);
    const object = await api.get<StatusObject>(path);
    const status = this.#merge(id, object);
    if (status === null || !isLeader() || this.#stopped) return;
    // With the resourceVersion that was read: whoever has written in between is not overwritten.
    await api.replace(`${path}/status`, { ...object, status: { ...object.status, ...status } });
    log.debug({ subject: id }, 'status of an object written');
  }
}

function seenIn(mesh: Mesh): Seen {
  return { routes: mesh.routes, policies: mesh.policies, affected: affectedServices(mesh) };
}

function changedBetween<T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>): string[] {
  if (before === after) return [];
  const changed = [...after].flatMap(([id, record]) => (before.get(id) === record ? [] : [id]));
  return [...changed, ...[...before.keys()].filter(id => !after.has(id))];
}
