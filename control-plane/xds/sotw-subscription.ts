import { resourceTypes } from '../../api/xds/any.ts';
import type { Resource } from '../snapshot/resource.ts';
import type { SotwRequest } from './discovery-request.ts';
import { sotwResponse, versionOf } from './discovery-response.ts';
import type { NameSet } from './name-set.ts';
import type { Answer, Phase, Response, Subscription } from './subscription.ts';

interface InFlight {
  readonly sentAt: number;
  readonly names: readonly string[];
}

const none: Answer = { kind: 'none' };

/** A type on a state-of-the-world stream (XDS.md §4.1). */
export class SotwSubscription implements Subscription<SotwRequest> {
  readonly names: NameSet;
  readonly #typeUrl: string;
  /** Listener and Cluster: a response has everything, and absence means deletion. Of others it has what changed. */
  readonly #isFull: boolean;
  #inFlight: InFlight | null = null;
  #nonces = 0;
  #nonce = '';
  #everNamed = false;
  /** The first request of a stream, and new names, are answered even if nothing is new. */
  #answerDue = true;
  /** What the last response had; for full types. */
  #last: ReadonlyMap<string, Resource> = new Map();
  /** Version of the response that was refused last; it is not sent again unless the client asks. */
  #rejected = '';

  constructor(typeUrl: string, names: NameSet) {
    this.#typeUrl = typeUrl;
    this.names = names;
    this.#isFull = typeUrl === resourceTypes.listener || typeUrl === resourceTypes.cluster;
  }

  get isPending(): boolean {
    return this.#answerDue || this.names.dirty.size > 0 || this.names.gone.size > 0;
  }

  get isSettled(): boolean {
    return this.#inFlight === null && !this.isPending;
  }

  receive(request: SotwRequest): Answer {
    // An empty nonce is a subscription, even while a response is on its way; any other but the last is outdated.
    if (request.nonce !== '' && request.nonce !== this.#nonce) return none;
    const answer = request.nonce === '' ? none : this.#acknowledge(request);
    this.#subscribe(request.names);
    return answer;
  }

  #acknowledge(request: SotwRequest): Answer {
    const inFlight = this.#inFlight;
    if (inFlight === null) return none;
    this.#inFlight = null;
    if (request.error === null) return { kind: 'ack', sentAt: inFlight.sentAt };
    this.#rejected = this.#lastVersion;
    return { kind: 'nack', error: request.error, names: inFlight.names };
  }

  #lastVersion = '';

  /** Names replace those before. Until a type has been named once, no names mean all of a full type. */
  #subscribe(list: readonly string[]): void {
    const wanted = new Set(list);
    const isWildcard = wanted.delete('*') || (this.#isFull && wanted.size === 0 && !this.#everNamed);
    if (list.length > 0) this.#everNamed = true;
    if (isWildcard && !this.names.hasWildcard) this.#answerDue = true;
    this.names.setWildcard(isWildcard);
    for (const [name, held] of this.names.held) {
      if (held.explicit && !wanted.has(name)) this.names.unsubscribe(name);
    }
    // Leaving out a name is the client's own decision: nothing to be told.
    if (list.length > 0 || !isWildcard) this.names.gone.clear();
    for (const name of wanted) {
      if (this.names.held.get(name)?.explicit === true) continue;
      this.names.subscribe(name).forced = true;
      this.#answerDue = true;
    }
  }

  force(name: string): void {
    const held = this.names.held.get(name);
    if (held === undefined) return;
    held.forced = true;
    this.names.dirty.add(name);
  }

  flush(phase: Phase, now: number): Response | null {
    if (this.#inFlight !== null || !this.isPending) return null;
    return this.#isFull ? this.#flushAll(phase, now) : this.#flushChanged(phase, now);
  }

  /** While additions are written, what is removed is still in: something may refer to it. */
  #flushAll(phase: Phase, now: number): Response | null {
    const next = new Map<string, Resource>();
    let forced = this.#answerDue;
    let changed = 0;
    for (const [name, held] of this.names.held) {
      const resource = this.names.visible(held) ?? (phase === 'additions' ? this.#last.get(name) : undefined);
      if (held.forced) forced = true;
      if (resource === undefined) continue;
      if (this.#last.get(name)?.version !== resource.version) changed += 1;
      next.set(name, resource);
    }
    if (phase === 'additions') keepGone(this.names.gone, this.#last, next);
    else this.#settle();
    const removed = [...this.#last.keys()].filter(name => !next.has(name)).length;
    const isSame = changed === 0 && removed === 0;
    if (!forced && (isSame || versionOf([...next.values()]) === this.#rejected)) return null;
    const fresh = [...next].filter(([name, { version }]) => this.#last.get(name)?.version !== version);
    for (const [name, held] of this.names.held) {
      held.forced = false;
      held.sent = next.get(name)?.version ?? '';
    }
    this.#answerDue = false;
    this.#last = next;
    const missing = [...this.names.held.keys()].filter(name => !next.has(name));
    return this.#send(
      [...next.values()],
      missing,
      fresh.map(([name]) => name),
      removed,
      now,
    );
  }

  #settle(): void {
    this.names.dirty.clear();
    this.names.gone.clear();
  }

  #flushChanged(phase: Phase, now: number): Response | null {
    // There are no removals in these types: nothing waits for the second phase.
    if (phase === 'removals') return null;
    const resources: Resource[] = [];
    const missing: string[] = [];
    for (const name of this.names.dirty) {
      const held = this.names.held.get(name);
      if (held === undefined) continue;
      const resource = this.names.visible(held);
      const version = resource?.version ?? '';
      if (version === held.sent && !held.forced) continue;
      held.sent = version;
      held.forced = false;
      if (resource === null) missing.push(name);
      else resources.push(resource);
    }
    this.#settle();
    const isNothing = resources.length === 0 && missing.length === 0;
    if (isNothing && !(this.#answerDue && this.names.held.size > 0)) {
      this.#answerDue = false;
      return null;
    }
    if (!this.#answerDue && missing.length === 0 && versionOf(resources) === this.#rejected) return null;
    this.#answerDue = false;
    return this.#send(
      resources,
      missing,
      resources.map(({ name }) => name),
      0,
      now,
    );
  }

  #send(
    resources: readonly Resource[],
    missing: readonly string[],
    names: readonly string[],
    removed: number,
    now: number,
  ): Response {
    this.#nonces += 1;
    this.#nonce = String(this.#nonces);
    this.#lastVersion = versionOf(resources);
    this.#inFlight = { sentAt: now, names: resources.map(({ name }) => name) };
    for (const name of names) {
      const held = this.names.held.get(name);
      if (held !== undefined) held.fresh = true;
    }
    return { bytes: sotwResponse(this.#typeUrl, this.#nonce, resources, missing), names, removed };
  }
}

function keepGone(
  gone: ReadonlySet<string>,
  last: ReadonlyMap<string, Resource>,
  next: Map<string, Resource>,
): void {
  for (const name of gone) {
    const resource = last.get(name);
    if (resource !== undefined) next.set(name, resource);
  }
}
