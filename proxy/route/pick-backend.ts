import type { Backend, ForwardRoute } from './route-table.ts';

/**
 * Backend for a random number in [0, 1), by weight. null if it is invalid, or if no backend has a weight: answer
 * INVALID_BACKEND. Invalid backends take their share of the requests (Gateway API, HTTPBackendRef).
 */
export function pickBackend(route: ForwardRoute, random: number): Backend | null {
  const { backends, bounds } = route;
  for (let i = 0; i < bounds.length; i++) {
    if (random < bounds[i]) return backends[i].cluster === null ? null : backends[i];
  }
  return null;
}
