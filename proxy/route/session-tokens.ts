import { createHmac } from 'node:crypto';
import type { Cluster } from '../cluster/cluster.ts';
import type { SessionConfig } from '../cluster/cluster-config.ts';
import type { Endpoint } from '../cluster/endpoint.ts';

/** Characters of an endpoint's name and of a proof: 96 bits. */
export const NAME_LENGTH = 16;

/**
 * Names of the endpoints of a cluster in the sessions of one rule. A name says nothing of the address, and none but these
 * leads anywhere. It is good for its rule alone: rules do not share sessions (GEP-1619). Made anew when the endpoints
 * change, and only for those that are new.
 */
export class SessionTokens {
  readonly #cluster: Cluster;
  readonly #origin: string;
  #key: string | null = null;
  #endpoints: readonly Endpoint[] | null = null;
  #names = new Map<Endpoint, string>();
  #byName = new Map<string, Endpoint>();

  constructor(cluster: Cluster, origin: string) {
    this.#cluster = cluster;
    this.#origin = origin;
  }

  nameOf(endpoint: Endpoint, key: string): string {
    this.#refresh(key);
    return this.#names.get(endpoint) ?? '';
  }

  /** null if the name is of no endpoint that is there. */
  endpointOf(name: string, key: string): Endpoint | null {
    this.#refresh(key);
    return this.#byName.get(name) ?? null;
  }

  #refresh(key: string): void {
    const { endpoints } = this.#cluster;
    if (endpoints === this.#endpoints && key === this.#key) return;
    const known = key === this.#key ? this.#names : new Map<Endpoint, string>();
    this.#key = key;
    this.#endpoints = endpoints;
    this.#names = new Map();
    this.#byName = new Map();
    for (const endpoint of endpoints) {
      const name = known.get(endpoint) ?? prove(key, `${this.#origin} ${this.#cluster.name} ${endpoint.key}`);
      this.#names.set(endpoint, name);
      this.#byName.set(name, endpoint);
    }
  }
}

function prove(key: string, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url').slice(0, NAME_LENGTH);
}

const HEX = 16;

/** What the client keeps: the name, and with a timeout when it ends (seconds, in hexadecimal) and the proof of that. */
export function formatToken(session: SessionConfig, name: string, unix: number): string {
  if (session.timeoutMs === 0) return name;
  const ends = Math.ceil((unix + session.timeoutMs) / 1000).toString(HEX);
  return `${name}.${ends}.${prove(session.key, `${name}.${ends}`)}`;
}

/** Name of the endpoint in a token; '' if it is none, or over. `unix` is the time of day in ms. */
export function readToken(session: SessionConfig, token: string, unix: number): string {
  const name = token.slice(0, NAME_LENGTH);
  if (session.timeoutMs === 0) return token.length === NAME_LENGTH ? name : '';
  const dot = token.indexOf('.', NAME_LENGTH + 1);
  if (token[NAME_LENGTH] !== '.' || dot < 0) return '';
  const ends = token.slice(NAME_LENGTH + 1, dot);
  if (Number.parseInt(ends, HEX) * 1000 <= unix) return '';
  return token.slice(dot + 1) === prove(session.key, token.slice(0, dot)) ? name : '';
}
