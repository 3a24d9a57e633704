import * as fields from '../exchange/fields.ts';
import type { RequestHead } from '../exchange/stream.ts';
import { matchRoute } from './match-route.ts';
import type { Route, RouteTable } from './route-table.ts';

/**
 * The route that decides on a preflight request: the one that the request it asks for will match, if that has a CORS
 * policy (a rule for PUT would otherwise never be asked about), else the one that matches the preflight request itself.
 */
export function matchPreflight(table: RouteTable, head: RequestHead): Route | null {
  const { method } = head;
  head.method = fields.get(head.fields, 'access-control-request-method');
  const route = matchRoute(table, head);
  head.method = method;
  return route !== null && route.cors !== null ? route : matchRoute(table, head);
}
