/**
 * Cross-origin resource sharing (Fetch standard, CORS protocol; GEP-1767): what a route answers to preflight requests, and
 * what it adds to other answers. The origin of the request is repeated in place of `*`, as Envoy does.
 */
import * as fields from '../exchange/fields.ts';
import type { FieldLines, RequestHead } from '../exchange/stream.ts';
import type { CorsConfig, FieldEdits } from './route-config.ts';
import { compileString, matchesString, type StringMatcher } from './string-matcher.ts';

/** The compiled form of a {@link CorsConfig}. */
export interface CorsPolicy {
  readonly config: CorsConfig;
  readonly anyOrigin: boolean;
  readonly origins: readonly StringMatcher[];
  /** `authorization` is among the headers that scripts may set, so it is not the browser's own. */
  readonly scriptsAuthorize: boolean;
}

export function compileCors(config: CorsConfig): CorsPolicy {
  return {
    config,
    anyOrigin: config.origins.some(match => match.kind === 'exact' && match.value === '*'),
    origins: config.origins.map(compileString),
    scriptsAuthorize: config.headers.toLowerCase().split(', ').includes('authorization'),
  };
}

/** A browser asks whether a script may send another request. */
export function isPreflight(head: RequestHead): boolean {
  return (
    head.method === 'OPTIONS' &&
    fields.has(head.fields, 'access-control-request-method') &&
    fields.has(head.fields, 'origin')
  );
}

/** Fields of the answer to a preflight request; without any of CORS if its origin is not allowed. */
export function preflightFields(policy: CorsPolicy, head: RequestHead): FieldLines {
  const lines: FieldLines = ['vary', 'origin'];
  const origin = fields.get(head.fields, 'origin');
  if (!isAllowed(policy, origin)) return lines;
  const { methods, headers, exposeHeaders, credentials, maxAge } = policy.config;
  lines.push('access-control-allow-origin', origin);
  if (credentials) lines.push('access-control-allow-credentials', 'true');
  addAllowed(lines, 'access-control-allow-methods', methods, head, 'access-control-request-method');
  addAllowed(lines, 'access-control-allow-headers', headers, head, 'access-control-request-headers');
  if (exposeHeaders !== '') lines.push('access-control-expose-headers', exposeHeaders);
  if (maxAge !== '') lines.push('access-control-max-age', maxAge);
  return lines;
}

/** `*` becomes what was asked for: browsers take it literally in the answer to a request with credentials. */
function addAllowed(
  lines: FieldLines,
  name: string,
  allowed: string,
  head: RequestHead,
  asked: string,
): void {
  const value = allowed === '*' ? fields.getAll(head.fields, asked) : allowed;
  if (value !== '') lines.push(name, value);
}

/** An answer depends on the origin, also where the request had none. */
const VARIES: FieldEdits['add'] = [['vary', 'origin']];
const UNASKED: FieldEdits = { set: [], add: VARIES, remove: [] };
/** What the application says of other origins does not count: the route decides. */
const REFUSED: FieldEdits = {
  set: [],
  add: VARIES,
  remove: ['access-control-allow-origin', 'access-control-allow-credentials'],
};

/** Edits of the answer to any other request. */
export function answerEdits(policy: CorsPolicy, head: RequestHead): FieldEdits {
  const origin = fields.get(head.fields, 'origin');
  if (origin === '') return UNASKED;
  const { credentials, exposeHeaders } = policy.config;
  if (!isAllowed(policy, origin) || (!credentials && isCredentialed(policy, head))) return REFUSED;
  const set: [string, string][] = [['access-control-allow-origin', origin]];
  if (credentials) set.push(['access-control-allow-credentials', 'true']);
  if (exposeHeaders !== '') set.push(['access-control-expose-headers', exposeHeaders]);
  return { set, add: VARIES, remove: [] };
}

function isAllowed({ anyOrigin, origins }: CorsPolicy, origin: string): boolean {
  if (anyOrigin) return true;
  for (let i = 0; i < origins.length; i++) {
    if (matchesString(origins[i], origin)) return true;
  }
  return false;
}

/**
 * The browser sent what it keeps for the server. Without `allowCredentials` the answer to such a request must not be given
 * to scripts (GEP-1767, "Wildcard Resolution and Credentials").
 */
function isCredentialed(policy: CorsPolicy, head: RequestHead): boolean {
  return (
    fields.has(head.fields, 'cookie') ||
    (!policy.scriptsAuthorize && fields.has(head.fields, 'authorization'))
  );
}
