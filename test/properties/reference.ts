/**
 * What Gateway API v1.6.1 says becomes of a request, as plainly as it can be written: one loop after the other over the
 * objects as users wrote them, with nothing of the product in it. Where the specification leaves it to implementations
 * (regular expressions: between exact paths and prefixes, the longer one first) it is what docs/xds.md says.
 */
import type {
  BackendRef,
  Filter,
  GrpcMatch,
  HeaderMatch,
  HeaderModifier,
  HttpMatch,
  PathModifier,
  Request,
  RouteObject,
  Rule,
} from './route-objects.ts';
import { services, webPorts } from './route-objects.ts';

/** Outcomes in words, with their shares of the traffic, which add up to 1. */
export type Decision = Readonly<Record<string, number>>;

type Match = HttpMatch & GrpcMatch;

interface Candidate {
  readonly route: RouteObject;
  readonly rule: Rule;
  readonly ruleIndex: number;
  readonly match: Match;
}

/** Kinds, of which the first that is attached to a port takes it (GEP-1294, "Route types"). */
const kinds = ['GRPCRoute', 'HTTPRoute', 'TLSRoute', 'TCPRoute'] as const;

/** The routes that a connection from `client` to the port meets: of one namespace, and of one kind; none: the implicit one. */
function routesAt(routes: readonly RouteObject[], client: string, port: number): RouteObject[] {
  const consumer =
    client !== 'shop' && routes.some(route => route.metadata.namespace === client && isAttached(route, port));
  const set = routes.filter(
    route => route.metadata.namespace === (consumer ? client : 'shop') && isAttached(route, port),
  );
  const kind = kinds.find(kind => set.some(route => route.kind === kind));
  return set.filter(route => route.kind === kind);
}

/**
 * A connection to port `port` of Service shop/web from a pod of namespace `client`, whose ClientHello has a server name ('':
 * none; null: it is not TLS): shares of backends and of `refused`. null if its requests are looked at.
 */
export function decideConnection(
  routes: readonly RouteObject[],
  client: string,
  port: number,
  serverName: string | null,
): Decision | null {
  const set = routesAt(routes, client, port);
  const kind = set[0]?.kind;
  if (kind !== 'TLSRoute' && kind !== 'TCPRoute') return null;
  const taking = set.filter(
    ({ spec }) => kind === 'TCPRoute' || spec.hostnames?.some(hostname => takesName(hostname, serverName)),
  );
  // "*.example.com" is shorter than what it stands for, and an exact name is longer than any of them.
  const length = ({ spec }: RouteObject): number =>
    Math.max(
      0,
      ...(spec.hostnames ?? [])
        .filter(hostname => takesName(hostname, serverName))
        .map(hostname => (hostname.startsWith('*') ? hostname.length : 1000)),
    );
  const [best] = taking.sort((a, b) => compare([-length(a), ...ageRank(a)], [-length(b), ...ageRank(b)]));
  if (best === undefined) return { refused: 1 };
  const refs = best.spec.rules[0].backendRefs ?? [];
  const total = refs.reduce((sum, ref) => sum + (ref.weight ?? 1), 0);
  if (total === 0) return { refused: 1 };
  const shares: Record<string, number> = {};
  for (const ref of refs) {
    if (ref.weight === 0) continue;
    const outcome = isValid(ref) ? `${ref.name}:${ref.port}` : 'refused';
    shares[outcome] = (shares[outcome] ?? 0) + (ref.weight ?? 1) / total;
  }
  return shares;
}

function takesName(hostname: string, serverName: string | null): boolean {
  if (serverName === null) return false;
  if (!hostname.startsWith('*.')) return hostname === serverName;
  return serverName.endsWith(hostname.slice(1)) && serverName.length >= hostname.length;
}

/**
 * A request to port `port` of Service shop/web from a pod of namespace `client`. null for what the specification says
 * nothing about: a GRPCRoute and a request that is no call of gRPC, whose path is `/<service>/<method>`.
 */
export function decideByReference(
  routes: readonly RouteObject[],
  client: string,
  port: number,
  request: Request,
): Decision | null {
  const set = routesAt(routes, client, port);
  if (set.length === 0)
    return { [forwarded(request, `web:${port}`, 'web', request.path, request.headers)]: 1 };
  const [{ kind }] = set;
  if (kind === 'GRPCRoute' && !/^\/[^/]+\/[^/]+$/.test(request.path.split('?')[0])) return null;
  const candidates = set
    .flatMap(route =>
      route.spec.rules.flatMap((rule, ruleIndex) =>
        ((rule.matches ?? []).length === 0 ? [{}] : (rule.matches as Match[])).map(match => ({
          route,
          rule,
          ruleIndex,
          match,
        })),
      ),
    )
    .filter(({ match }) =>
      kind === 'HTTPRoute' ? httpMatches(match, request) : grpcMatches(match, request),
    );
  const rank = kind === 'HTTPRoute' ? httpRank : grpcRank;
  const [best] = candidates.sort((a, b) =>
    compare([...rank(a), ...ownerRank(a)], [...rank(b), ...ownerRank(b)]),
  );
  return best === undefined ? { 404: 1 } : outcomes(best, port, request);
}

function isAttached(route: RouteObject, port: number): boolean {
  return route.spec.parentRefs.some(
    parent =>
      parent.name === 'web' &&
      (parent.port === undefined || parent.port === port) &&
      (parent.sectionName === undefined || parent.sectionName === webPorts[port]),
  );
}

// ---- Matching

const whole = (pattern: string): RegExp => new RegExp(`^(?:${pattern})$`);

function holds(match: HeaderMatch, value: string | null): boolean {
  if (value === null) return false;
  return match.type === 'RegularExpression' ? whole(match.value).test(value) : value === match.value;
}

/** "Subsequent entries with an equivalent name MUST be ignored." */
function distinct(matches: readonly HeaderMatch[], name: (match: HeaderMatch) => string): HeaderMatch[] {
  return matches.filter((match, index) => matches.findIndex(other => name(other) === name(match)) === index);
}

const fieldName = ({ name }: HeaderMatch): string => name.toLowerCase();

function headersMatch(match: Match, { headers }: Request): boolean {
  return distinct(match.headers ?? [], fieldName).every(condition =>
    holds(condition, headers.find(([name]) => name === fieldName(condition))?.[1] ?? null),
  );
}

function httpMatches(match: Match, request: Request): boolean {
  const [path, query = ''] = request.path.split('?');
  const { type = 'PathPrefix', value = '/' } = match.path ?? {};
  if (type === 'Exact' && path !== value) return false;
  if (type === 'RegularExpression' && !whole(value).test(path)) return false;
  if (type === 'PathPrefix') {
    const prefix = value.replace(/\/$/, '');
    if (path !== prefix && !path.startsWith(`${prefix}/`)) return false;
  }
  if (match.method !== undefined && match.method !== request.method) return false;
  const parameters = new URLSearchParams(query);
  return (
    headersMatch(match, request) &&
    distinct(match.queryParams ?? [], ({ name }) => name).every(condition =>
      holds(condition, parameters.get(condition.name)),
    )
  );
}

function grpcMatches(match: Match, request: Request): boolean {
  const { type = 'Exact', service = '', method = '' } = (match as GrpcMatch).method ?? {};
  const [, ofService, ofMethod] = request.path.split('?')[0].split('/');
  const equal = (wanted: string, is: string): boolean =>
    wanted === '' || (type === 'Exact' ? wanted === is : whole(wanted).test(is));
  return equal(service, ofService) && equal(method, ofMethod) && headersMatch(match, request);
}

// ---- Precedence: the smallest comes first

type Rank = readonly (number | string)[];

function compare(a: Rank, b: Rank): number {
  for (let i = 0; i < a.length; i++) {
    if (a[i] < b[i]) return -1;
    if (a[i] > b[i]) return 1;
  }
  return 0;
}

function httpRank({ match }: Candidate): Rank {
  const { type = 'PathPrefix', value = '/' } = match.path ?? {};
  return [
    ['Exact', 'RegularExpression', 'PathPrefix'].indexOf(type),
    type === 'Exact'
      ? 0
      : -(type === 'PathPrefix' && value !== '/' ? value.replace(/\/$/, '') : value).length,
    match.method === undefined ? 1 : 0,
    -distinct(match.headers ?? [], fieldName).length,
    -distinct(match.queryParams ?? [], ({ name }) => name).length,
  ];
}

function grpcRank({ match }: Candidate): Rank {
  const { service = '', method = '' } = (match as GrpcMatch).method ?? {};
  return [-service.length, -method.length, -distinct(match.headers ?? [], fieldName).length];
}

function ownerRank({ route, ruleIndex }: Candidate): Rank {
  return [...ageRank(route), ruleIndex];
}

function ageRank({ metadata: { creationTimestamp, namespace, name } }: RouteObject): Rank {
  return [creationTimestamp, `${namespace}/${name}`];
}

// ---- What the rule does

function filterOf<T extends Filter['type']>(
  filters: readonly Filter[] | undefined,
  type: T,
): Extract<Filter, { type: T }> | undefined {
  return filters?.find(filter => filter.type === type) as Extract<Filter, { type: T }> | undefined;
}

function outcomes({ rule, match }: Candidate, port: number, request: Request): Decision {
  const redirect = filterOf(rule.filters, 'RequestRedirect')?.requestRedirect;
  const prefix = match.path?.value ?? '/';
  if (redirect !== undefined) {
    const scheme = redirect.scheme ?? 'http';
    const known = scheme === 'https' ? 443 : 80;
    const at = redirect.port ?? (redirect.scheme === undefined ? port : known);
    const host = `${redirect.hostname ?? 'web'}${at === known ? '' : `:${at}`}`;
    const path = redirect.path === undefined ? request.path : modified(request.path, redirect.path, prefix);
    return { [`${redirect.statusCode ?? 302} ${scheme}://${host}${path}`]: 1 };
  }
  const rewrite = filterOf(rule.filters, 'URLRewrite')?.urlRewrite;
  const path = rewrite?.path === undefined ? request.path : modified(request.path, rewrite.path, prefix);
  const host = rewrite?.hostname ?? 'web';
  const edited = edit(
    request.headers,
    filterOf(rule.filters, 'RequestHeaderModifier')?.requestHeaderModifier,
  );
  const refs = rule.backendRefs ?? [];
  const total = refs.reduce((sum, ref) => sum + (ref.weight ?? 1), 0);
  if (total === 0) return { 500: 1 };
  const shares: Record<string, number> = {};
  for (const ref of refs) {
    const weight = ref.weight ?? 1;
    if (weight === 0) continue;
    const fields = edit(edited, filterOf(ref.filters, 'RequestHeaderModifier')?.requestHeaderModifier);
    const outcome = isValid(ref) ? forwarded(request, `${ref.name}:${ref.port}`, host, path, fields) : '500';
    shares[outcome] = (shares[outcome] ?? 0) + weight / total;
  }
  return shares;
}

function isValid(ref: BackendRef): boolean {
  if ((ref.kind ?? 'Service') !== 'Service') return false;
  return services.some(
    ({ metadata, spec }) => metadata.name === ref.name && spec.ports.some(({ port }) => port === ref.port),
  );
}

/** HTTPPathModifier; the query is kept. */
function modified(pathAndQuery: string, modifier: PathModifier, prefix: string): string {
  const [path, query] = pathAndQuery.split('?');
  const kept = query === undefined ? '' : `?${query}`;
  if (modifier.type === 'ReplaceFullPath') return modifier.replaceFullPath + kept;
  const rest = path.slice(prefix.replace(/\/$/, '').length);
  const replaced = modifier.replacePrefixMatch.replace(/\/$/, '') + rest;
  return (replaced.startsWith('/') ? replaced : `/${replaced}`) + kept;
}

type Fields = Request['headers'];

function edit(fields: Fields, modifier: HeaderModifier | undefined): Fields {
  const { set = [], add = [], remove = [] } = modifier ?? {};
  const gone = [...remove, ...set.map(({ name }) => name)].map(name => name.toLowerCase());
  return [
    ...fields.filter(([name]) => !gone.includes(name)),
    ...[...set, ...add].map(({ name, value }) => [name.toLowerCase(), value] as const),
  ];
}

/** The request as the backend sees it, in words. */
export function forwarded(
  { method }: Request,
  backend: string,
  host: string,
  path: string,
  fields: Fields,
): string {
  const names = [...new Set(fields.map(([name]) => name))].sort();
  const values = names.map(name => {
    const lines = fields.flatMap(([other, value]) => (other === name ? value.split(',') : []));
    return `${name}: ${lines.join(',')}`;
  });
  return `${backend} ${method} http://${host}${path} ${values.join('; ')}`;
}
