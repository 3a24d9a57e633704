import type { LimitName } from '../../api/limits.ts';
import type { Counter, Metrics } from './metrics.ts';

/** Who was at fault: who connected to the proxy, or whom it connected to. */
export type FaultyPeer = 'client' | 'server';

/**
 * Counts what peers do that they should not: limits passed and protocols broken. Both come from closed sets, so a peer
 * cannot make series; and a flood of faults costs one look-up each.
 */
export class PeerFaults {
  readonly #metrics: Metrics;
  readonly #limits = new Map<string, Counter>();
  readonly #errors = new Map<string, Counter>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  /** A limit of api/limits.ts was passed. */
  readonly limit = (limit: LimitName): void => {
    let counter = this.#limits.get(limit);
    if (counter === undefined) {
      counter = this.#metrics.counter('limits', { limit });
      this.#limits.set(limit, counter);
    }
    counter.value++;
  };

  /**
   * `error`: name of a refusal of HTTP/1.1, of a code of RFC 9113 §7; for TLS `handshake`, `identity` (the peer has not
   * proved who it should be), `rejected` (it does not accept our certificate), `backend` (the application's TLS is not
   * what its policy asks for) or `plaintext` (it should have used TLS).
   */
  protocol(protocol: 'http1' | 'http2' | 'tls', peer: FaultyPeer, error: string): void {
    const key = `${protocol} ${peer} ${error}`;
    let counter = this.#errors.get(key);
    if (counter === undefined) {
      counter = this.#metrics.counter('protocolErrors', { protocol, peer, error });
      this.#errors.set(key, counter);
    }
    counter.value++;
  }
}
