import type { RequestHead } from '../exchange/stream.ts';
import { holds } from './request-conditions.ts';
import type { Route, RouteTable } from './route-table.ts';

/**
 * The first route in order of precedence that matches; null for none (NO_ROUTE). Allocates nothing, but for a regular
 * expression on the path of a request with a query.
 */
export function matchRoute(table: RouteTable, head: RequestHead): Route | null {
  const { path } = head;
  const query = path.indexOf('?');
  const end = query < 0 ? path.length : query;
  const { routes } = table;
  let best = routes.length;
  let node = table.paths;
  let position = 0;
  for (;;) {
    best = firstThatHolds(node.prefix, best, routes, head, end);
    if (position === end) {
      best = firstThatHolds(node.exact, best, routes, head, end);
      best = firstThatHolds(node.elements, best, routes, head, end);
      break;
    }
    const code = path.charCodeAt(position);
    if (code === SLASH) best = firstThatHolds(node.elements, best, routes, head, end);
    const child = node.child(code);
    if (child === null || child.least >= best) break;
    if (!path.startsWith(child.label, position)) break;
    position += child.label.length;
    // A label holds no '?', so it ends before the query.
    node = child;
  }
  return best === routes.length ? null : routes[best];
}

const SLASH = 47;

/** The least of `candidates` below `best` whose other conditions hold, else `best`. */
function firstThatHolds(
  candidates: readonly number[],
  best: number,
  routes: readonly Route[],
  head: RequestHead,
  end: number,
): number {
  for (let i = 0; i < candidates.length; i++) {
    const index = candidates[i];
    if (index >= best) return best;
    if (holds(routes[index].conditions, head, end)) return index;
  }
  return best;
}
