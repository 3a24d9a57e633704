import { connectionFields } from '../../../api/connection-fields.ts';
import type { Backend, Cors, FieldEdits, PathRewrite, RouteAction, RouteMatch } from '../../model/model.ts';
import { brokenBackend, readBackendService } from './backend-service.ts';
import { readCors } from './cors-filter.ts';
import {
  type Fields,
  fields,
  integer,
  list,
  listOfFields,
  oneOf,
  Problems,
  portLimits,
  requiredText,
} from './fields.ts';
import { absolutePath, headerName } from './route-match.ts';

type Redirect = Extract<RouteAction, { kind: 'redirect' }>;

/** The filters of a rule or of one backend, read. */
export interface Filters {
  requestFields: FieldEdits | null;
  responseFields: FieldEdits | null;
  redirect: Redirect | null;
  pathRewrite: PathRewrite | null;
  hostRewrite: string;
  mirrors: { backend: Backend; fraction: number }[];
  cors: Cors | null;
  /** A filter that cannot be applied: the requests it is for are answered with 500, it is never skipped. */
  problem: string;
}

const FILTERS_OF_KIND = {
  HTTPRoute: [
    'RequestHeaderModifier',
    'ResponseHeaderModifier',
    'RequestRedirect',
    'URLRewrite',
    'RequestMirror',
    'CORS',
  ],
  GRPCRoute: ['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestMirror'],
  backend: ['RequestHeaderModifier', 'ResponseHeaderModifier'],
} as const;

type FilterPlace = keyof typeof FILTERS_OF_KIND;
type FilterType = (typeof FILTERS_OF_KIND)['HTTPRoute'][number];

/** Where the field is not the type with a small letter in front. */
const FIELD_OF_TYPE: Readonly<Partial<Record<FilterType, string>>> = {
  URLRewrite: 'urlRewrite',
  CORS: 'cors',
};

const HOST = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
// RFC 9110 §5.5: no control characters; a line break would end the field.
// oxlint-disable-next-line no-control-regex
const FIELD_VALUE = /^[^\u0000-\u0008\u000a-\u001f\u007f]*$/;

/** Reads `filters`. `matches` are those of the rule: a prefix can be replaced only where one was matched. */
export function readFilters(
  value: unknown,
  path: string,
  place: FilterPlace,
  namespace: string,
  matches: readonly RouteMatch[],
  reported: Problems,
): Filters {
  const problems = new Problems();
  const filters: Filters = {
    requestFields: null,
    responseFields: null,
    redirect: null,
    pathRewrite: null,
    hostRewrite: '',
    mirrors: [],
    cors: null,
    problem: '',
  };
  const seen = new Set<FilterType>();
  for (const { item, path: at } of listOfFields(value, path, problems)) {
    const type = oneOf<FilterType | ''>(item.type, `${at}.type`, FILTERS_OF_KIND[place], '', problems);
    if (type === '') problems.add(`${at}.type`, undefined, `use one of ${FILTERS_OF_KIND[place].join(', ')}`);
    if (type === null || type === '') continue;
    if (type !== 'RequestMirror' && seen.has(type))
      problems.add(`${at}.type`, type, 'use each filter once: merge it with the one before');
    else if (type === 'RequestMirror') readMirror(filters, item, at, namespace, problems, reported);
    else readFilter(filters, type, item, at, matches, problems, reported);
    seen.add(type);
  }
  if (filters.redirect !== null && seen.has('URLRewrite'))
    problems.add(path, [...seen], 'use RequestRedirect or URLRewrite, not both');
  filters.problem = problems.list[0] ?? '';
  // Half of a policy may allow what the whole does not.
  if (filters.problem !== '') filters.cors = null;
  reported.addAll(problems);
  return filters;
}

/** The field of a filter that says what it does. */
function readBody(
  item: Fields,
  at: string,
  type: FilterType,
  problems: Problems,
): { body: Fields; path: string } | null {
  const name = FIELD_OF_TYPE[type] ?? `${type[0].toLowerCase()}${type.slice(1)}`;
  const path = `${at}.${name}`;
  if (item[name] === undefined || item[name] === null)
    problems.add(path, undefined, `say what ${type} is to do`);
  const body = fields(item[name], path, problems);
  return body === null ? null : { body, path };
}

function readFilter(
  filters: Filters,
  type: Exclude<FilterType, 'RequestMirror'>,
  item: Fields,
  at: string,
  matches: readonly RouteMatch[],
  problems: Problems,
  reported: Problems,
): void {
  const read = readBody(item, at, type, problems);
  if (read === null) return;
  const { body, path } = read;
  switch (type) {
    case 'RequestHeaderModifier':
      filters.requestFields = readEdits(body, path, 'request', problems);
      return;
    case 'ResponseHeaderModifier':
      filters.responseFields = readEdits(body, path, 'response', problems);
      return;
    case 'RequestRedirect':
      filters.redirect = readRedirect(body, path, matches, problems);
      return;
    case 'URLRewrite':
      filters.hostRewrite = readHost(body.hostname, `${path}.hostname`, problems);
      filters.pathRewrite = readPathRewrite(body.path, `${path}.path`, matches, problems);
      return;
    case 'CORS':
      filters.cors = readCors(body, path, problems, reported);
  }
}

function readEdits(body: Fields, path: string, side: 'request' | 'response', problems: Problems): FieldEdits {
  const nameOf = (value: unknown, at: string): string | null => {
    const name = headerName(value, at, problems);
    if (name === null || !connectionFields.has(name)) return name;
    problems.add(at, value, 'leave it to the connection, which it belongs to');
    return null;
  };
  const pairs = (name: 'set' | 'add'): FieldEdits['set'] =>
    listOfFields(body[name], `${path}.${name}`, problems).flatMap(({ item, path: at }) => {
      const header = nameOf(item.name, `${at}.name`);
      const value = requiredText(item.value, `${at}.value`, problems);
      if (header === null || value === null) return [];
      if (FIELD_VALUE.test(value)) return [{ name: header, value }];
      problems.add(`${at}.value`, value, 'use a value without control characters');
      return [];
    });
  const remove = list(body.remove, `${path}.remove`, problems).flatMap((item, index) => {
    const at = `${path}.remove[${index}]`;
    const header = nameOf(item, at);
    if (side === 'request' && header === 'host') {
      problems.add(at, item, 'set it, or use URLRewrite: a request has a Host');
      return [];
    }
    return header === null ? [] : [header];
  });
  return { set: pairs('set'), add: pairs('add'), remove };
}

function readHost(value: unknown, path: string, problems: Problems): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string' && value.length <= 253 && HOST.test(value)) return value;
  problems.add(path, value, 'use a host name in lower case, without a port');
  return '';
}

function readPathRewrite(
  value: unknown,
  path: string,
  matches: readonly RouteMatch[],
  problems: Problems,
): PathRewrite | null {
  const body = fields(value, path, problems);
  if (body === null) return null;
  const type = oneOf<'ReplaceFullPath' | 'ReplacePrefixMatch' | ''>(
    body.type,
    `${path}.type`,
    ['ReplaceFullPath', 'ReplacePrefixMatch'],
    '',
    problems,
  );
  if (type === '') problems.add(`${path}.type`, undefined, 'use ReplaceFullPath or ReplacePrefixMatch');
  if (type === null || type === '') return null;
  const name = type === 'ReplaceFullPath' ? 'replaceFullPath' : 'replacePrefixMatch';
  // An empty replacement of a prefix is the same as `/`.
  const replacement = absolutePath(body[name] === '' ? '/' : body[name], `${path}.${name}`, problems);
  if (type === 'ReplacePrefixMatch' && matches.some(match => match.path.kind !== 'prefix')) {
    problems.add(`${path}.type`, type, 'use ReplaceFullPath, or PathPrefix in every match of the rule');
    return null;
  }
  if (replacement === null) return null;
  return { kind: type === 'ReplaceFullPath' ? 'full' : 'prefix', value: replacement };
}

function readRedirect(
  body: Fields,
  path: string,
  matches: readonly RouteMatch[],
  problems: Problems,
): Redirect {
  const codes = [301, 302, 303, 307, 308];
  const status = body.statusCode ?? 302;
  if (!(codes as unknown[]).includes(status))
    problems.add(`${path}.statusCode`, status, `use one of ${codes.join(', ')}`);
  return {
    kind: 'redirect',
    status: typeof status === 'number' ? status : 302,
    scheme:
      oneOf<'http' | 'https' | ''>(body.scheme, `${path}.scheme`, ['http', 'https'], '', problems) ?? '',
    host: readHost(body.hostname, `${path}.hostname`, problems),
    port: integer(body.port, `${path}.port`, portLimits, 0, problems) ?? 0,
    path: readPathRewrite(body.path, `${path}.path`, matches, problems),
  };
}

/** An invalid reference of a mirror does not fail the requests: they are not mirrored (GEP-3171). */
function readMirror(
  filters: Filters,
  item: Fields,
  at: string,
  namespace: string,
  problems: Problems,
  reported: Problems,
): void {
  const read = readBody(item, at, 'RequestMirror', problems);
  if (read === null) return;
  const { body, path } = read;
  const fraction = readFraction(body, path, problems);
  const reference = fields(body.backendRef ?? {}, `${path}.backendRef`, problems);
  if (fraction === null || reference === null) return;
  const { service, problem, reason } = readBackendService(reference, `${path}.backendRef`, namespace);
  // Nothing of the rule is dropped for it: it is the reference that does not resolve.
  if (problem !== '') reported.addFault(reason === 'InvalidKind' ? reason : 'BackendNotFound', problem);
  const backend = { ...brokenBackend(problem), service };
  filters.mirrors.push({ backend, fraction });
}

function readFraction(body: Fields, path: string, problems: Problems): number | null {
  const fraction = fields(body.fraction, `${path}.fraction`, problems);
  if (fraction !== null && body.percent !== undefined) {
    problems.add(`${path}.percent`, body.percent, 'use percent or fraction, not both');
    return null;
  }
  if (fraction === null) {
    const percent = integer(body.percent, `${path}.percent`, { min: 0, max: 100 }, 100, problems);
    return percent === null ? null : percent / 100;
  }
  const most = { min: 1, max: 2_147_483_647 };
  const denominator = integer(fraction.denominator, `${path}.fraction.denominator`, most, 100, problems);
  const limits = { min: 0, max: denominator ?? 100 };
  const numerator = integer(fraction.numerator, `${path}.fraction.numerator`, limits, 0, problems);
  return numerator === null || denominator === null ? null : numerator / denominator;
}
