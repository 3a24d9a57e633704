import type { RequestHead } from '../exchange/stream.ts';
import { editRequest } from './edit-request.ts';
import { rewritePath } from './path-rewrite.ts';
import type { Backend, ForwardRoute } from './route-table.ts';

/** Makes of a request what the backend is to see: filters of the rule, those of the backend, rewrites. */
export function prepareRequest(head: RequestHead, route: ForwardRoute, backend: Backend): void {
  if (route.requestFields !== null) editRequest(head, route.requestFields);
  if (backend.requestFields !== null) editRequest(head, backend.requestFields);
  if (route.pathRewrite !== null) head.path = rewritePath(route.pathRewrite, head.path);
  if (route.hostRewrite !== '') head.authority = route.hostRewrite;
}
