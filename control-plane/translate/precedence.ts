import type { Route, RouteMatch, RouteRule } from '../model/model.ts';

/** One match of one rule; precedence ranks matches, not rules (HTTPRouteRule, "Proxy or Load Balancer routing"). */
export interface RankedMatch {
  readonly route: Route;
  readonly rule: RouteRule;
  /** Position of the rule in the route. */
  readonly ruleIndex: number;
  readonly match: RouteMatch;
}

/** Sorts the matches of HTTPRoutes: what is tried first comes first. The sort is stable. */
export function compareHttp(a: RankedMatch, b: RankedMatch): number {
  return (
    pathRank(a.match) - pathRank(b.match) ||
    pathLength(b.match) - pathLength(a.match) ||
    Number(b.match.method !== '') - Number(a.match.method !== '') ||
    b.match.headers.length - a.match.headers.length ||
    b.match.query.length - a.match.query.length ||
    compareOwners(a, b)
  );
}

/** Sorts the matches of GRPCRoutes: characters in the service, then in the method, then the number of headers. */
export function compareGrpc(a: RankedMatch, b: RankedMatch): number {
  const left = grpcLengths(a.match);
  const right = grpcLengths(b.match);
  return (
    right.service - left.service ||
    right.method - left.method ||
    b.match.headers.length - a.match.headers.length ||
    compareOwners(a, b)
  );
}

/** Ties go to the older route, then to the first by name, then to the first rule. */
function compareOwners(a: RankedMatch, b: RankedMatch): number {
  return compareRoutes(a.route, b.route) || a.ruleIndex - b.ruleIndex;
}

/** The older route first, then the first by name. */
export function compareRoutes(a: Route, b: Route): number {
  if (a.created !== b.created) return a.created - b.created;
  const left = `${a.namespace}/${a.name}`;
  const right = `${b.namespace}/${b.name}`;
  return left === right ? 0 : left < right ? -1 : 1;
}

/**
 * Gateway API leaves regular expressions to the implementation: here they stand between exact paths and prefixes, as a
 * rule for `/` would hide them otherwise.
 */
function pathRank({ path }: RouteMatch): number {
  return path.kind === 'exact' ? 0 : path.kind === 'regex' ? 1 : 2;
}

function pathLength({ path }: RouteMatch): number {
  return path.kind === 'exact' ? 0 : path.value.length;
}

/**
 * A gRPC path is `/<service>/<method>`. A prefix has a service only. In a regular expression the source writes a part that
 * is any as `[^/]+`, and one that is an expression itself in `(?:...)`.
 */
function grpcLengths({ path }: RouteMatch): { service: number; method: number } {
  if (path.kind === 'prefix') return { service: path.value.length - 1, method: 0 };
  const [, service, method] = /^\/(\[\^\/\]\+|.*?)\/(\[\^\/\]\+|[^/]*)$/.exec(path.value) ?? [
    '',
    path.value,
    '',
  ];
  return { service: lengthOf(service), method: lengthOf(method) };
}

function lengthOf(part: string): number {
  if (part === '[^/]+') return 0;
  const expression = /^\(\?:(.*)\)$/.exec(part);
  return expression === null ? part.replace(/\\(.)/g, '$1').length : expression[1].length;
}
