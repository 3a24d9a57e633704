import { choose } from '../cluster/alias-table.ts';
import type { Endpoint } from '../cluster/endpoint.ts';
import type { EndpointView, PriorityLevel } from '../cluster/endpoint-view.ts';
import { isCandidate } from './candidate.ts';

/** 1/φ: its multiples modulo 1 fill [0, 1) more evenly than those of any other number. */
const GOLDEN = 0.6180339887498949;

/**
 * Equal weights: in turn. Other weights: the golden-ratio sequence through the alias table, which spreads picks over
 * endpoints by weight nearly as evenly as smooth weighted round robin, but in constant time.
 */
export function roundRobin(
  level: PriorityLevel,
  _view: EndpointView,
  tried: readonly Endpoint[],
): Endpoint | null {
  const { endpoints, weights } = level;
  const count = endpoints.length;
  for (let i = 0; i < count; i++) {
    const turn = level.cursor;
    level.cursor = turn >= 0x3fff_ffff ? 0 : turn + 1;
    const index = weights === null ? turn % count : choose(weights, count, (turn * GOLDEN) % 1);
    if (isCandidate(endpoints[index], tried)) return endpoints[index];
  }
  for (let i = 0; i < count; i++) {
    if (isCandidate(endpoints[i], tried)) return endpoints[i];
  }
  return null;
}
