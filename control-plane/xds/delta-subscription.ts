import type { Resource } from '../snapshot/resource.ts';
import type { DeltaRequest } from './discovery-request.ts';
import { deltaResponse, maxResponseBytes } from './discovery-response.ts';
import type { NameSet } from './name-set.ts';
import type { Answer, Phase, Response, Subscription } from './subscription.ts';

interface InFlight {
  readonly nonce: string;
  readonly sentAt: number;
  /** What each name was at before, to go back to if the client refuses. */
  readonly before: ReadonlyMap<string, string | null>;
}

const none: Answer = { kind: 'none' };

/** A type on a delta stream (XDS.md §4.2). */
export class DeltaSubscription implements Subscription<DeltaRequest> {
  readonly names: NameSet;
  readonly #typeUrl: string;
  readonly #wasSent: (name: string) => boolean;
  #inFlight: InFlight | null = null;
  #nonces = 0;
  #isFirst = true;
  /** A wildcard without anything is answered once, as clients wait for it. */
  #answerDue = false;
  /** Parts of a response that was refused; each is sent alone to find what is wrong. */
  readonly #suspects: string[][] = [];

  /** `wasSent`: whether another resource was sent on this stream that makes the client ask anew for this name. */
  constructor(typeUrl: string, names: NameSet, wasSent: (name: string) => boolean) {
    this.#typeUrl = typeUrl;
    this.names = names;
    this.#wasSent = wasSent;
  }

  get isPending(): boolean {
    return this.names.dirty.size > 0 || this.names.gone.size > 0 || this.#suspects.length > 0;
  }

  get isSettled(): boolean {
    return this.#inFlight === null && !this.isPending;
  }

  receive(request: DeltaRequest): Answer {
    const answer = this.#acknowledge(request);
    const isLegacyWildcard = this.#isFirst && request.subscribe.length === 0;
    if (isLegacyWildcard || request.subscribe.includes('*')) {
      this.names.setWildcard(true);
      this.#answerDue = true;
    }
    if (request.unsubscribe.includes('*')) this.names.setWildcard(false);
    for (const name of request.subscribe) {
      // A name that is subscribed to again is one whose resource the client has dropped.
      if (name !== '*') this.names.subscribe(name).forced = true;
    }
    for (const name of request.unsubscribe) {
      if (name !== '*') this.names.unsubscribe(name);
    }
    if (this.#isFirst) this.#restore(request.initial);
    this.#isFirst = false;
    return answer;
  }

  /** What the client holds from an earlier stream need not be sent, and what is gone meanwhile must be named. */
  #restore(initial: ReadonlyMap<string, string>): void {
    for (const [name, version] of initial) {
      const held = this.names.held.get(name);
      if (held === undefined) {
        this.names.gone.add(name);
      } else {
        held.sent = version;
        held.forced = this.#wasSent(name);
      }
    }
  }

  #acknowledge(request: DeltaRequest): Answer {
    const inFlight = this.#inFlight;
    if (inFlight === null || request.nonce !== inFlight.nonce) return none;
    this.#inFlight = null;
    if (request.error === null) return { kind: 'ack', sentAt: inFlight.sentAt };
    this.#rollBack(inFlight);
    return { kind: 'nack', error: request.error, names: [...inFlight.before.keys()] };
  }

  /**
   * Envoy refuses a whole response for one bad resource, so none of it counts as applied. The halves are sent again until
   * the bad one stands alone; that version is not sent any more.
   */
  #rollBack({ before }: InFlight): void {
    const names = [...before.keys()];
    for (const name of names) {
      const held = this.names.held.get(name);
      if (held === undefined) continue;
      if (names.length === 1) held.rejected = held.sent ?? '';
      held.sent = before.get(name) as string | null;
    }
    if (names.length < 2) return;
    const middle = names.length >> 1;
    this.#suspects.push(names.slice(0, middle), names.slice(middle));
  }

  force(name: string): void {
    const held = this.names.held.get(name);
    if (held === undefined) return;
    held.forced = true;
    this.names.dirty.add(name);
  }

  flush(phase: Phase, now: number): Response | null {
    if (this.#inFlight !== null) return null;
    const draft = new Draft();
    const suspects = this.#suspects.shift();
    if (suspects !== undefined) {
      for (const name of suspects) this.#collect(name, 'removals', draft);
    } else {
      for (const name of this.names.dirty) {
        if (draft.bytes >= maxResponseBytes) break;
        if (this.#collect(name, phase, draft)) this.names.dirty.delete(name);
      }
      if (phase === 'removals') draft.takeGone(this.names.gone);
    }
    if (draft.isEmpty && suspects !== undefined) return this.flush(phase, now);
    if (draft.isEmpty && !(this.#answerDue && phase === 'removals')) return null;
    this.#answerDue = false;
    const nonce = String(++this.#nonces);
    this.#inFlight = { nonce, sentAt: now, before: draft.before };
    return {
      bytes: deltaResponse(this.#typeUrl, nonce, draft.resources, draft.removed),
      names: draft.resources.map(resource => resource.name),
      removed: draft.removed.length,
    };
  }

  /** Adds what is to be said about a name; false if that has to wait for the other phase. */
  #collect(name: string, phase: Phase, draft: Draft): boolean {
    const held = this.names.held.get(name);
    if (held === undefined) return true;
    const resource = this.names.visible(held);
    const version = resource === null ? '' : resource.version;
    const isKnown = version === held.sent || (version !== '' && version === held.rejected);
    if (isKnown && !held.forced) return true;
    if (resource === null) {
      // The first answer to a subscription refers to nothing that is held: it need not wait.
      if (phase === 'additions' && held.sent !== null && held.sent !== '') return false;
      draft.remove(name, held.sent);
    } else {
      draft.add(resource, held.sent);
      held.fresh = true;
    }
    held.sent = version;
    held.forced = false;
    return true;
  }
}

/** A response that is being put together. */
class Draft {
  readonly resources: Resource[] = [];
  readonly removed: string[] = [];
  readonly before = new Map<string, string | null>();
  bytes = 0;

  get isEmpty(): boolean {
    return this.resources.length === 0 && this.removed.length === 0;
  }

  add(resource: Resource, before: string | null): void {
    this.resources.push(resource);
    this.before.set(resource.name, before);
    this.bytes += resource.versionedFrame.length;
  }

  remove(name: string, before: string | null): void {
    this.removed.push(name);
    this.before.set(name, before);
  }

  takeGone(gone: Set<string>): void {
    this.removed.push(...gone);
    gone.clear();
  }
}
