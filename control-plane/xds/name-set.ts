import type { Resource } from '../snapshot/resource.ts';
import type { Snapshot, WatchedNames, WatchedResource, Watcher } from '../snapshot/snapshot.ts';
import type { Client } from '../translate/client.ts';
import type { ResourceKind } from '../translate/dialect.ts';

/** What one client was told about one name. */
export interface Held {
  readonly watched: WatchedResource;
  /** Subscribed to by name. */
  explicit: boolean;
  /** Covered by the wildcard. */
  wild: boolean;
  /** Last resource that was sent and not refused; '': told that there is none; null: nothing told yet. */
  sent: string | null;
  /** Version that the client refused; it is not sent again. '' for none. */
  rejected: string;
  /** To be sent even if the client has it. */
  forced: boolean;
  /** Sent on this stream. */
  fresh: boolean;
}

/** Decides whether the client may see a resource; what it may not see does not exist for it. */
export type Admission = (kind: ResourceKind, name: string) => boolean;

/** The names that a client subscribes to for one type, with the wildcard, and which of them have something new. */
export class NameSet implements Watcher {
  readonly kind: ResourceKind;
  readonly held = new Map<string, Held>();
  /** Names to look at in the next response. */
  readonly dirty = new Set<string>();
  /** Names whose last subscription ended because they are gone from the wildcard: to be told once. */
  readonly gone = new Set<string>();
  readonly #snapshot: Snapshot;
  readonly #client: Client;
  readonly #admits: Admission;
  readonly #wake: () => void;
  #wildcard: WatchedNames | null = null;

  constructor(snapshot: Snapshot, client: Client, kind: ResourceKind, admits: Admission, wake: () => void) {
    this.#snapshot = snapshot;
    this.#client = client;
    this.kind = kind;
    this.#admits = admits;
    this.#wake = wake;
  }

  get hasWildcard(): boolean {
    return this.#wildcard !== null;
  }

  /** The resource as the client may see it. */
  visible(held: Held): Resource | null {
    const { current, name } = held.watched;
    return current !== null && this.#admits(this.kind, name) ? current : null;
  }

  subscribe(name: string): Held {
    const held = this.#hold(name);
    held.explicit = true;
    held.rejected = '';
    this.dirty.add(name);
    return held;
  }

  unsubscribe(name: string): void {
    const held = this.held.get(name);
    if (held === undefined) return;
    held.explicit = false;
    if (held.wild) {
      // The client drops what it unsubscribes from, although the wildcard still covers it (XDS.md §4.2).
      held.forced = true;
      this.dirty.add(name);
      return;
    }
    if (this.hasWildcard) this.gone.add(name);
    this.#drop(name, held);
  }

  setWildcard(on: boolean): void {
    if (on === this.hasWildcard) return;
    if (on) {
      this.#wildcard = this.#snapshot.watchNames(this.#client, this.kind, this);
      this.#followWildcard(this.#wildcard.current);
      return;
    }
    this.#snapshot.unwatch(this.#wildcard as WatchedNames, this);
    this.#wildcard = null;
    for (const [name, held] of this.held) {
      held.wild = false;
      if (!held.explicit) this.#drop(name, held);
    }
  }

  /** Ends every watch. */
  release(): void {
    if (this.#wildcard !== null) this.#snapshot.unwatch(this.#wildcard, this);
    for (const held of this.held.values()) this.#snapshot.unwatch(held.watched, this);
    this.held.clear();
    this.dirty.clear();
  }

  resourceChanged(watched: WatchedResource): void {
    this.dirty.add(watched.name);
    this.#wake();
  }

  namesChanged(watched: WatchedNames): void {
    this.#followWildcard(watched.current);
    this.#wake();
  }

  #followWildcard(names: readonly string[]): void {
    const now = new Set(names);
    for (const [name, held] of this.held) {
      if (!held.wild || now.has(name)) continue;
      held.wild = false;
      if (held.explicit) continue;
      if (held.sent !== null && held.sent !== '') this.gone.add(name);
      this.#drop(name, held);
    }
    for (const name of now) {
      const held = this.#hold(name);
      if (!held.wild) this.dirty.add(name);
      held.wild = true;
    }
  }

  #hold(name: string): Held {
    let held = this.held.get(name);
    if (held === undefined) {
      const watched = this.#snapshot.watchResource(this.#client, this.kind, name, this);
      held = { watched, explicit: false, wild: false, sent: null, rejected: '', forced: false, fresh: false };
      this.held.set(name, held);
      this.gone.delete(name);
    }
    return held;
  }

  #drop(name: string, held: Held): void {
    this.held.delete(name);
    this.dirty.delete(name);
    this.#snapshot.unwatch(held.watched, this);
  }
}
