/**
 * Keeps up with one collection of the API server: list, then watch from the list's version on.
 *
 *  - listing: pages are taken as they arrive; what was known and is in none of them has gone. → watching
 *  - watching: events, each with the version from which the next watch goes on. The server ends a watch after its time,
 *    and the next begins where it ended. A version that is too old (410, as a status or as an event in the stream) →
 *    listing, which finds out what was missed; nothing that is known goes before that list is complete.
 *  - absent: the collection does not exist, as its CRD is not installed. Looked for again after a while → listing
 *
 * Errors in each lead to a wait with jitter and to another try in the same state.
 */
import type { Backoff } from '../../../runtime/backoff.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { type ApiClient, ApiError } from '../../../runtime/kubernetes/api-client.ts';
import type { Logger } from '../../../runtime/log.ts';
import { isEarlier } from './resource-version.ts';

interface ListPage {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly unknown[] | null;
}

export interface ReflectorOptions {
  readonly api: Pick<ApiClient, 'get' | 'watch'>;
  /** Path of the collection; null while it does not exist. */
  readonly path: () => Promise<string | null>;
  /** Added to every request, `fieldSelector` for instance. */
  readonly query?: Readonly<Record<string, string>>;
  readonly key: (object: unknown) => string;
  readonly onObject: (object: unknown) => void;
  readonly onDelete: (key: string) => void;
  /** Each time a list is complete, or found to be absent. */
  readonly onSynced: () => void;
  /** Each time that a list fails; it is tried again. */
  readonly onListFailed?: (error: unknown) => void;
  readonly backoff: Backoff;
  readonly random: () => number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Milliseconds until an absent collection is looked for again. Default 5000. */
  readonly absentMs?: number;
  /** Milliseconds without a byte after which a watch is given up; bookmarks come about every minute. Default 180000. */
  readonly silenceMs?: number;
  /** Objects in a page. Default 500. */
  readonly pageSize?: number;
}

/** Seconds after which the server ends a watch: spread, so that not all of them begin anew at once. */
const WATCH_SECONDS = { least: 240, spread: 240 };
/** A watch that lived this long has worked; one that ends sooner waits before the next. */
const HEALTHY_MS = 1000;

export class Reflector {
  readonly #options: Required<ReflectorOptions>;
  #known = new Set<string>();
  #upTo = '';
  #changedAt = '';
  readonly #stop = new AbortController();

  constructor(options: ReflectorOptions) {
    const defaults = { query: {}, onListFailed() {}, absentMs: 5000, silenceMs: 180_000, pageSize: 500 };
    this.#options = { ...defaults, ...options };
  }

  /** Ends after {@link stop}; never rejects. */
  async run(): Promise<void> {
    const { backoff, absentMs, random, log } = this.#options;
    while (!this.#stop.signal.aborted) {
      try {
        const path = await this.#options.path();
        if (path === null) {
          this.#replaceKnown(new Set());
          backoff.reset();
          await this.#wait(absentMs * (0.5 + random()));
          continue;
        }
        const version = await this.#list(path);
        await this.#watch(path, version);
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        log.warn({ err: error }, 'list failed; it is tried again');
        this.#options.onListFailed(error);
        await this.#wait(backoff.next());
      }
    }
  }

  stop(): void {
    this.#stop.abort();
  }

  /** The version up to which the collection is known; '' before the first list. */
  get upTo(): string {
    return this.#upTo;
  }

  /** The version of its newest change: unlike those of lists and bookmarks, every other reader comes to it as well. */
  get changedAt(): string {
    return this.#changedAt;
  }

  async #list(path: string): Promise<string> {
    const seen = new Set<string>();
    let limit = String(this.#options.pageSize);
    let position = '';
    for (;;) {
      const query: Record<string, string> = position === '' ? { limit } : { limit, continue: position };
      try {
        const page = await this.#options.api.get<ListPage>(this.#url(path, query), this.#stop.signal);
        for (const item of page.items ?? []) this.#take(item, seen);
        position = page.metadata?.continue ?? '';
        if (position !== '') continue;
        this.#replaceKnown(seen);
        this.#upTo = later(this.#upTo, page.metadata?.resourceVersion);
        return page.metadata?.resourceVersion ?? '';
      } catch (error) {
        if (position === '' || !isGone(error)) throw error;
        // The list has become too old between two pages: all in one then.
        position = '';
        limit = '0';
      }
    }
  }

  #take(object: unknown, keys: Set<string>): void {
    keys.add(this.#options.key(object));
    this.#options.onObject(object);
    this.#changedAt = later(this.#changedAt, resourceVersion(object));
  }

  #replaceKnown(seen: Set<string>): void {
    for (const key of this.#known) if (!seen.has(key)) this.#options.onDelete(key);
    this.#known = seen;
    this.#options.onSynced();
  }

  /** Ends when the collection has to be listed again. */
  async #watch(path: string, from: string): Promise<void> {
    const { backoff, clock, log } = this.#options;
    let version = from;
    while (!this.#stop.signal.aborted) {
      const began = clock.now();
      try {
        for await (const event of this.#events(path, version)) {
          if (event.type === 'ERROR')
            throw new ApiError('WATCH', path, event.object.code ?? 500, event.object.message ?? '');
          version = resourceVersion(event.object) ?? version;
          if (event.type === 'DELETED') this.#drop(event.object);
          else if (event.type !== 'BOOKMARK') this.#take(event.object, this.#known);
          this.#upTo = later(this.#upTo, version);
        }
        if (clock.now() - began >= HEALTHY_MS) backoff.reset();
        else await this.#wait(backoff.next());
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        const lost = isGone(error) || isAbsent(error);
        log[lost ? 'info' : 'warn']({ err: error, relist: lost }, 'watch ended');
        if (clock.now() - began >= HEALTHY_MS) backoff.reset();
        await this.#wait(backoff.next());
        if (lost) return;
      }
    }
  }

  #drop(object: unknown): void {
    const key = this.#options.key(object);
    this.#known.delete(key);
    this.#options.onDelete(key);
    this.#changedAt = later(this.#changedAt, resourceVersion(object));
  }

  async *#events(path: string, version: string): ReturnType<ApiClient['watch']> {
    const { api, clock, random, silenceMs } = this.#options;
    const seconds = Math.round(WATCH_SECONDS.least + WATCH_SECONDS.spread * random());
    const silence = new AbortController();
    const arm = (): (() => void) =>
      clock.after(silenceMs, () => silence.abort(new Error(`nothing was heard for ${silenceMs} ms`)));
    const query = {
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: version,
      timeoutSeconds: String(seconds),
    };
    let disarm = arm();
    try {
      const signal = AbortSignal.any([this.#stop.signal, silence.signal]);
      for await (const event of api.watch(this.#url(path, query), signal)) {
        disarm();
        yield event;
        disarm = arm();
      }
    } finally {
      disarm();
    }
  }

  #url(path: string, query: Readonly<Record<string, string>>): string {
    return `${path}?${new URLSearchParams({ ...this.#options.query, ...query }).toString()}`;
  }

  #wait(ms: number): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted) return Promise.resolve();
    return new Promise(resolve => {
      const finish = (): void => {
        cancel();
        signal.removeEventListener('abort', finish);
        resolve();
      };
      const cancel = this.#options.clock.after(ms, finish);
      signal.addEventListener('abort', finish);
    });
  }
}

function isGone(error: unknown): boolean {
  return error instanceof ApiError && error.status === 410;
}

function isAbsent(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

function later(a: string, b = ''): string {
  return isEarlier(a, b) ? b : a;
}

function resourceVersion(object: unknown): string | undefined {
  return (object as { metadata?: { resourceVersion?: string } }).metadata?.resourceVersion;
}
