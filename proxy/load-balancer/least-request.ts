import type { Endpoint } from '../cluster/endpoint.ts';
import type { EndpointView, PriorityLevel } from '../cluster/endpoint-view.ts';
import { draw } from './candidate.ts';

/** Of two endpoints drawn by weight, the one with fewer attempts in flight relative to its weight. */
export function leastRequest(
  level: PriorityLevel,
  _view: EndpointView,
  tried: readonly Endpoint[],
  random: () => number,
): Endpoint | null {
  const one = draw(level, tried, null, random);
  if (one === null || level.endpoints.length === 1) return one;
  const other = draw(level, tried, one, random);
  if (other === null) return one;
  return other.active / other.share < one.active / one.share ? other : one;
}
