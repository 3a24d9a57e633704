import { choose } from '../cluster/alias-table.ts';
import type { Endpoint } from '../cluster/endpoint.ts';
import type { PriorityLevel } from '../cluster/endpoint-view.ts';

/** Draws before the search becomes exhaustive; with few endpoints excluded, one or two are enough. */
const DRAWS = 4;

/** May take this attempt: not tried before, and not a probe that is busy. */
export function isCandidate(endpoint: Endpoint, tried: readonly Endpoint[]): boolean {
  if (endpoint.probing && endpoint.active > 0) return false;
  for (let i = 0; i < tried.length; i++) {
    if (tried[i] === endpoint) return false;
  }
  return true;
}

/** A candidate by weight, other than `other`; null if there is none. */
export function draw(
  level: PriorityLevel,
  tried: readonly Endpoint[],
  other: Endpoint | null,
  random: () => number,
): Endpoint | null {
  const { endpoints, weights } = level;
  for (let i = 0; i < DRAWS; i++) {
    const endpoint = endpoints[choose(weights, endpoints.length, random())];
    if (endpoint !== other && isCandidate(endpoint, tried)) return endpoint;
  }
  const start = choose(weights, endpoints.length, random());
  for (let i = 0; i < endpoints.length; i++) {
    const endpoint = endpoints[(start + i) % endpoints.length];
    if (endpoint !== other && isCandidate(endpoint, tried)) return endpoint;
  }
  return null;
}
