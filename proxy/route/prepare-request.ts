import type { RequestHead } from '../exchange/stream.ts';
import { editRequest } from './edit-request.ts';
import { rewritePath } from './path-rewrite.ts';
import type { Backend, ForwardRoute } from './route-table.ts';

/**
 * Makes of a request what the backend is to see: filters and rewrites of the rule, then the filters of the backend, which
 * are for what it gets alone (HTTPBackendRef.filters).
 * @returns what mirrors of the rule get; null if it is the same
 */
export function prepareRequest(head: RequestHead, route: ForwardRoute, backend: Backend): RequestHead | null {
  if (route.requestFields !== null) editRequest(head, route.requestFields);
  if (route.pathRewrite !== null) head.path = rewritePath(route.pathRewrite, head.path);
  if (route.hostRewrite !== '') head.authority = route.hostRewrite;
  if (backend.requestFields === null) return null;
  const mirrored = route.mirrors.length === 0 ? null : { ...head, fields: head.fields.slice() };
  editRequest(head, backend.requestFields);
  return mirrored;
}
