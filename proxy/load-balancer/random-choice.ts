import type { Endpoint } from '../cluster/endpoint.ts';
import type { EndpointView, PriorityLevel } from '../cluster/endpoint-view.ts';
import { draw } from './candidate.ts';

/** Any endpoint, by weight. */
export function randomChoice(
  level: PriorityLevel,
  _view: EndpointView,
  tried: readonly Endpoint[],
  random: () => number,
): Endpoint | null {
  return draw(level, tried, null, random);
}
