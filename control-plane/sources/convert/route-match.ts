import { RE2JS } from 're2js';
import type { NamedMatch, RouteMatch, StringMatch } from '../../model/model.ts';
import { type Fields, fields, listOfFields, oneOf, type Problems, requiredText } from './fields.ts';

/** Field names, RFC 9110 §5.1. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
export const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
] as const;
/** What Gateway API does not allow in a path, as proxies disagree on its meaning, and what ends one. */
const UNSAFE_PATH = /\/\/|\/\.{1,2}(\/|$)|%2f|[#?]/i;

/** Reads a regular expression in RE2 syntax; null if it is none. */
export function regex(value: unknown, path: string, problems: Problems): string | null {
  const source = requiredText(value, path, problems);
  if (source === null) return null;
  try {
    RE2JS.compile(source);
    return source;
  } catch (error) {
    problems.add(path, source, `use a regular expression in RE2 syntax (${(error as Error).message})`);
    return null;
  }
}

/** Reads the name of a header; lower-case. */
export function headerName(value: unknown, path: string, problems: Problems): string | null {
  if (typeof value === 'string' && value.length <= 256 && TOKEN.test(value)) return value.toLowerCase();
  problems.add(path, value, 'use the name of a header');
  return null;
}

/** An absolute path; a problem if it is not. */
export function absolutePath(value: unknown, path: string, problems: Problems): string | null {
  if (typeof value === 'string' && value.startsWith('/') && value.length <= 1024 && !UNSAFE_PATH.test(value))
    return value;
  problems.add(path, value, 'use a path that starts with / and has no //, /./, /../, %2f, # or ?');
  return null;
}

function valueMatch(item: Fields, path: string, problems: Problems): StringMatch | null {
  const type = oneOf(item.type, `${path}.type`, ['Exact', 'RegularExpression'], 'Exact', problems);
  if (type === null) return null;
  const value =
    type === 'Exact'
      ? requiredText(item.value, `${path}.value`, problems)
      : regex(item.value, `${path}.value`, problems);
  return value === null ? null : { kind: type === 'Exact' ? 'exact' : 'regex', value };
}

/** Of entries with the same name only the first counts (HTTPHeaderMatch, HTTPQueryParamMatch). */
function firstOfEach(matches: readonly NamedMatch[]): NamedMatch[] {
  return matches.filter((match, index) => matches.findIndex(other => other.name === match.name) === index);
}

/** Null if one of them is wrong: with a condition less the match would take more than it was meant to. */
function namedMatches(
  value: unknown,
  path: string,
  readName: (value: unknown, path: string, problems: Problems) => string | null,
  problems: Problems,
): NamedMatch[] | null {
  const before = problems.list.length;
  const matches: NamedMatch[] = [];
  for (const { item, path: at } of listOfFields(value, path, problems)) {
    const name = readName(item.name, `${at}.name`, problems);
    const match = valueMatch(item, at, problems);
    if (name !== null && match !== null) matches.push({ name, match });
  }
  return problems.list.length === before ? firstOfEach(matches) : null;
}

export function headerMatches(value: unknown, path: string, problems: Problems): NamedMatch[] | null {
  return namedMatches(value, path, headerName, problems);
}

function httpPath(value: unknown, path: string, problems: Problems): RouteMatch['path'] | null {
  const item = fields(value ?? {}, path, problems);
  if (item === null) return null;
  const type = oneOf(
    item.type,
    `${path}.type`,
    ['Exact', 'PathPrefix', 'RegularExpression'],
    'PathPrefix',
    problems,
  );
  if (type === null) return null;
  if (type === 'RegularExpression') {
    const source = regex(item.value, `${path}.value`, problems);
    return source === null ? null : { kind: 'regex', value: source };
  }
  const absolute = absolutePath(item.value ?? '/', `${path}.value`, problems);
  if (absolute === null) return null;
  if (type === 'Exact') return { kind: 'exact', value: absolute };
  // PathPrefix: a trailing slash means nothing.
  return { kind: 'prefix', value: absolute.length > 1 ? absolute.replace(/\/$/, '') : '/' };
}

/** An HTTPRouteMatch; null if it cannot be used. */
export function httpMatch(item: Fields, path: string, problems: Problems): RouteMatch | null {
  const at = httpPath(item.path, `${path}.path`, problems);
  const method = oneOf<(typeof METHODS)[number] | ''>(item.method, `${path}.method`, METHODS, '', problems);
  const headers = headerMatches(item.headers, `${path}.headers`, problems);
  const query = namedMatches(item.queryParams, `${path}.queryParams`, requiredText, problems);
  return at === null || method === null || headers === null || query === null
    ? null
    : { path: at, method, headers, query };
}

const escapeRegex = (literal: string): string => literal.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');

/** Service and method of gRPC as the path that they become (gRPC over HTTP/2: `/` Service `/` Method). */
function grpcPath(value: unknown, path: string, problems: Problems): RouteMatch['path'] | null {
  const item = fields(value ?? {}, path, problems);
  if (item === null) return null;
  const type = oneOf(item.type, `${path}.type`, ['Exact', 'RegularExpression'], 'Exact', problems);
  const part = (name: 'service' | 'method'): string | null => {
    if (item[name] === undefined || item[name] === null || item[name] === '') return '';
    if (type === 'RegularExpression') return regex(item[name], `${path}.${name}`, problems);
    if (typeof item[name] === 'string' && /^[A-Za-z_][A-Za-z0-9_.]*$/.test(item[name])) return item[name];
    problems.add(`${path}.${name}`, item[name], `use the name of a gRPC ${name}`);
    return null;
  };
  const service = part('service');
  const method = part('method');
  if (type === null || service === null || method === null) return null;
  if (service === '' && method === '') return { kind: 'prefix', value: '/' };
  if (type === 'Exact' && method === '') return { kind: 'prefix', value: `/${service}` };
  if (type === 'Exact' && service !== '') return { kind: 'exact', value: `/${service}/${method}` };
  const pattern = (name: string): string => {
    if (name === '') return '[^/]+';
    return type === 'Exact' ? escapeRegex(name) : `(?:${name})`;
  };
  return { kind: 'regex', value: `/${pattern(service)}/${pattern(method)}` };
}

/** A GRPCRouteMatch; null if it cannot be used. */
export function grpcMatch(item: Fields, path: string, problems: Problems): RouteMatch | null {
  const at = grpcPath(item.method, `${path}.method`, problems);
  const headers = headerMatches(item.headers, `${path}.headers`, problems);
  return at === null || headers === null ? null : { path: at, method: '', headers, query: [] };
}
