/**
 * Says in Events, which `kubectl describe` shows,
 *  - what becomes of objects that have no status of their own (SMI's), and what the status of others has no place for, on the
 *    leader only;
 *  - what of an object a client cannot be told, on every replica: only the one that has the client knows.
 *
 * Each thing that is said of an object is one Event, whose name follows from it: whoever says it too, or starts, finds the
 * Event and writes nothing. A state that comes back only moves the time of its Event.
 */
import { createHash } from 'node:crypto';
import { Backoff } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type ApiClient, ApiError, orAbsent } from '../../runtime/kubernetes/api-client.ts';
import type { Logger } from '../../runtime/log.ts';
import { gatewayRouteKinds, type Mesh } from '../model/model.ts';
import type { RecordKind } from '../model/records.ts';
import type { RecordStore } from '../model/store.ts';
import { kindDefinitions } from '../sources/convert/convert.ts';
import { collectionPath, objectPath } from '../sources/kubernetes/collection-path.ts';
import { timestamp } from './condition.ts';
import { unsaidInStatus } from './unsaid.ts';

const withoutStatus = ['TrafficSplit', 'HTTPRouteGroup'] as const;
/** Kinds of which it is said what is wrong. */
const kinds = [...withoutStatus, ...gatewayRouteKinds, 'XBackendTrafficPolicy'] as const;

/** What an Event is about: what is wrong with an object, or what clients of it cannot be told. */
type Topic = 'configuration' | 'clients';

export interface EventWriterOptions {
  readonly api: Pick<ApiClient, 'get' | 'create' | 'patch'>;
  readonly store: Pick<RecordStore, 'current' | 'subscribe' | 'problems' | 'problemsOf' | 'onProblem'>;
  /** Who says it (Event.reportingComponent). */
  readonly controllerName: string;
  /** Resolves when the newest mesh is in force; in the end always. */
  readonly whenInForce: () => Promise<void>;
  /** Asked before each write. */
  readonly isLeader: () => boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** Milliseconds between two objects. Default 50. */
  readonly paceMs?: number;
  /** Milliseconds after which problems are said again, as the API server keeps Events for an hour. Default 600000. */
  readonly repeatMs?: number;
}

interface Subject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly namespace: string; readonly name: string; readonly uid: string };
}

interface Task {
  readonly topic: Topic;
  /** `<kind>/<namespace>/<name>` */
  readonly subject: string;
  /** A change was seen; else it may have been said before. */
  readonly changed: boolean;
}

/** What the API server takes in one Event (maxLength of note, events.k8s.io/v1). */
const MAX_MESSAGE = 1024;

export class EventWriter {
  readonly #options: Required<EventWriterOptions>;
  readonly #queue = new Map<string, Task>();
  /** Version of each split of the mesh that was looked at last; null before leading. */
  #seen: ReadonlyMap<string, string> | null = null;
  #busy: Promise<void> | null = null;
  #stopped = false;
  readonly #backoff: Backoff;
  readonly #unsubscribe: readonly (() => void)[];
  #cancelRepeat = (): void => {};
  #cancelPause = (): void => {};

  constructor(options: EventWriterOptions) {
    this.#options = { paceMs: 50, repeatMs: 600_000, ...options };
    const { store, random } = this.#options;
    this.#backoff = new Backoff(500, 30_000, random);
    this.#unsubscribe = [
      store.subscribe(mesh => this.#noteSplits(mesh)),
      store.onProblem((subject, origin) => {
        if (origin === 'clients') this.#noteClients(subject);
        else void this.#noteChange(subject);
      }),
    ];
    this.#repeat();
  }

  /** To be called when leading begins or ends. */
  leadershipChanged(): void {
    const { isLeader, store } = this.#options;
    for (const [id, { topic }] of this.#queue) if (topic === 'configuration') this.#queue.delete(id);
    this.#seen = isLeader() && store.current !== null ? versions(store.current) : null;
    this.#queueProblems();
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const end of this.#unsubscribe) end();
    this.#cancelRepeat();
    this.#cancelPause();
    this.#queue.clear();
    await this.#busy;
  }

  #repeat(): void {
    this.#cancelRepeat = this.#options.clock.after(this.#options.repeatMs, () => {
      this.#queueProblems();
      this.#repeat();
    });
  }

  #queueProblems(): void {
    const { store } = this.#options;
    for (const { subject } of store.problems()) {
      const isInvalid = store.problemsOf(subject, 'configuration').length > 0;
      if (isInvalid && isJudged(subject)) this.#add('configuration', subject, false);
      if (store.problemsOf(subject, 'clients').length > 0) this.#add('clients', subject, false);
    }
    this.#wake();
  }

  #add(topic: Topic, subject: string, changed: boolean): void {
    const id = `${topic} ${subject}`;
    if (changed || !this.#queue.has(id)) this.#queue.set(id, { topic, subject, changed });
  }

  /** Clients come and go: what was said is not said anew when they come back. */
  #noteClients(subject: string): void {
    if (this.#options.store.problemsOf(subject, 'clients').length === 0) return;
    this.#add('clients', subject, false);
    this.#wake();
  }

  /** A split that comes or changes is told of, be it in order or not. */
  #noteSplits(mesh: Mesh): void {
    const before = this.#seen;
    if (!this.#options.isLeader()) return;
    this.#seen = versions(mesh);
    if (before === null) return;
    for (const [subject, version] of this.#seen)
      if (before.get(subject) !== version) void this.#noteChange(subject);
  }

  async #noteChange(subject: string): Promise<void> {
    if (!this.#options.isLeader() || !isJudged(subject)) return;
    // Not before everyone who follows the store has taken the mesh.
    await Promise.resolve();
    await this.#options.whenInForce();
    this.#add('configuration', subject, true);
    this.#wake();
  }

  #wake(): void {
    if (this.#busy !== null || this.#stopped) return;
    this.#busy = this.#writeAll().finally(() => {
      this.#busy = null;
    });
  }

  async #writeAll(): Promise<void> {
    const { isLeader, paceMs, log } = this.#options;
    for (let [next] = this.#queue; next !== undefined && !this.#stopped; [next] = this.#queue) {
      const [id, task] = next;
      this.#queue.delete(id);
      if (task.topic === 'configuration' && !isLeader()) continue;
      let pause = paceMs;
      try {
        await this.#write(task);
        this.#backoff.reset();
      } catch (error) {
        log.warn({ subject: task.subject, err: error }, 'event not written; it is tried again');
        if (!this.#queue.has(id)) this.#queue.set(id, task);
        pause = this.#backoff.next();
      }
      await this.#pause(pause);
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise(resolve => {
      const cancel = this.#options.clock.after(ms, resolve);
      this.#cancelPause = () => {
        cancel();
        resolve();
      };
    });
  }

  async #write({ topic, subject, changed }: Task): Promise<void> {
    const { api, store, clock, controllerName } = this.#options;
    const [kind, namespace, name] = subject.split('/') as [RecordKind, string, string];
    const found = store.problemsOf(subject, topic);
    const problems = topic === 'clients' ? found : unsaidInStatus(subject, found, store.current);
    // That an object is in order is in its status, if it has one.
    const isSilent = topic === 'configuration' && (withoutStatus as readonly string[]).includes(kind);
    if (problems.length === 0 && !isSilent) return;
    const object = await this.#read(kind, namespace, name);
    if (object === null) return;
    const reason = topic === 'clients' ? 'NotExpressible' : problems.length === 0 ? 'Accepted' : 'Invalid';
    const message = problems.length === 0 ? 'in force' : problems.join('. ');
    const { uid } = object.metadata;
    const now = timestamp(clock.unix());
    const said = createHash('sha256')
      .update(`${uid}\n${controllerName}\n${message}`)
      .digest('hex')
      .slice(0, 16);
    const collection = `/api/v1/namespaces/${namespace}/events`;
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { namespace, name: `${name.slice(0, 230)}.${said}` },
      involvedObject: { apiVersion: object.apiVersion, kind, namespace, name, uid },
      type: problems.length === 0 ? 'Normal' : 'Warning',
      reason,
      message: message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE - 3)}...`,
      source: { component: controllerName },
      reportingComponent: controllerName,
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    };
    try {
      await api.create(collection, event);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 409) throw error;
      if (!changed) return;
      const path = `${collection}/${event.metadata.name}`;
      await api.patch(path, 'application/merge-patch+json', { lastTimestamp: now });
    }
  }

  async #read(kind: RecordKind, namespace: string, name: string): Promise<Subject | null> {
    const { api } = this.#options;
    const collection = await collectionPath(api, kindDefinitions[kind]);
    if (collection === null) return null;
    return api.get<Subject>(objectPath(collection, namespace, name)).catch(orAbsent);
  }
}

function isJudged(subject: string): boolean {
  return kinds.some(kind => subject.startsWith(`${kind}/`));
}

/** Of each split by subject; a split is as many routes as its Service has ports. */
function versions({ routes }: Mesh): Map<string, string> {
  const found = new Map<string, string>();
  for (const { kind, namespace, name, uid, generation } of routes.values())
    if (kind === 'TrafficSplit') found.set(`${kind}/${namespace}/${name}`, `${uid}/${generation}`);
  return found;
}
