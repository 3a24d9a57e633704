import { UNKNOWN_SERVICE } from '../exchange/edges.ts';
import { fixedCluster } from '../exchange/fixed-cluster.ts';
import type { Application } from './inbound-connection.ts';

/** Applications behind ports, made when a port is first called; the one not called longest is forgotten first. */
export class Applications {
  readonly #known = new Map<string, Application>();
  readonly #connectTimeoutMs: number;
  readonly #max: number;

  /** `max`: a client may try every port of the pod, and most lead nowhere. */
  constructor(connectTimeoutMs: number, max = 256) {
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#max = max;
  }

  /** `knownAs`: the port by which the configuration knows the application. */
  at(address: string, port: number, knownAs: number): Application {
    const key = `${address}|${port}|${knownAs}`;
    let application = this.#known.get(key);
    if (application === undefined) {
      const name = `application/${knownAs}`;
      const cluster = fixedCluster(name, address, port, UNKNOWN_SERVICE, this.#connectTimeoutMs);
      application = { port: knownAs, cluster };
    } else {
      this.#known.delete(key);
    }
    this.#known.set(key, application);
    if (this.#known.size > this.#max) this.#forgetOldest();
    return application;
  }

  /** Connections that have it go on using it: a scan of the ports must not end them. */
  #forgetOldest(): void {
    for (const key of this.#known.keys()) {
      this.#known.delete(key);
      return;
    }
  }
}
