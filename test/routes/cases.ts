import { backendTls } from './cases/backend-tls.ts';
import { backends } from './cases/backends.ts';
import { calls } from './cases/calls.ts';
import { connections } from './cases/connections.ts';
import { edited } from './cases/edits.ts';
import { limits } from './cases/limits.ts';
import { matching } from './cases/matching.ts';
import { redirects } from './cases/redirects.ts';
import { scope } from './cases/scope.ts';
import { services } from './cases/services.ts';
import type { RouteCase } from './route-case.ts';

/** Every case, for whoever can carry one out: a folder with sidecars of its own, a cluster. */
export const cases: readonly RouteCase[] = [
  ...matching,
  ...redirects,
  ...edited,
  ...backends,
  ...backendTls,
  ...connections,
  ...scope,
  ...services,
  ...limits,
  ...calls,
];
