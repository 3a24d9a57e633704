import type { DeltaDiscoveryRequest } from '../../api/xds/gen/envoy/service/discovery/v3/discovery.ts';
import type { DeepPartial } from '../../api/xds/gen/google/protobuf/any.ts';

/**
 * What is asked for and held of one resource type. It outlives the streams: names and versions are told again on each
 * new one, so that nothing that we still have is sent, and nothing is lost while there is no stream.
 */
export class TypeSubscription {
  readonly typeUrl: string;
  /** Names that are wanted. */
  readonly #wanted = new Set<string>();
  /** Versions that we hold, accepted ones only: a rejected resource must be sent again. */
  readonly #held = new Map<string, string>();
  /** Names that the server of the present stream knows of. */
  readonly #told = new Set<string>();
  readonly #changed: () => void;
  #isFirst = true;

  /** `changed` is called when there is something to tell the server. */
  constructor(typeUrl: string, changed: () => void) {
    this.typeUrl = typeUrl;
    this.#changed = changed;
  }

  wants(name: string): boolean {
    return this.#wanted.has(name);
  }

  get names(): ReadonlySet<string> {
    return this.#wanted;
  }

  subscribe(name: string): void {
    if (this.#wanted.has(name)) return;
    this.#wanted.add(name);
    // Dropped and wanted again before the server heard of either: asked for anew, it is sent again.
    this.#told.delete(name);
    this.#changed();
  }

  unsubscribe(name: string): void {
    if (!this.#wanted.delete(name)) return;
    this.#held.delete(name);
    this.#changed();
  }

  hold(name: string, version: string): void {
    this.#held.set(name, version);
  }

  drop(name: string): void {
    this.#held.delete(name);
  }

  /** A new stream: its server knows nothing yet. */
  restart(): void {
    this.#told.clear();
    this.#isFirst = true;
  }

  /**
   * What the server has yet to hear; null if nothing. The first request of a stream without a name would ask for
   * everything (the wildcard of XDS.md §4.2), so there is none without names.
   */
  nextRequest(): DeepPartial<DeltaDiscoveryRequest> | null {
    const subscribe = [...this.#wanted].filter(name => !this.#told.has(name));
    const unsubscribe = [...this.#told].filter(name => !this.#wanted.has(name));
    if (subscribe.length === 0 && unsubscribe.length === 0) return null;
    const initial = this.#isFirst ? Object.fromEntries(this.#held) : {};
    this.#isFirst = false;
    for (const name of subscribe) this.#told.add(name);
    for (const name of unsubscribe) this.#told.delete(name);
    return {
      typeUrl: this.typeUrl,
      resourceNamesSubscribe: subscribe,
      resourceNamesUnsubscribe: unsubscribe,
      initialResourceVersions: initial,
    };
  }
}
