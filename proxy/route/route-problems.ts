/** Why a RouteConfiguration cannot be used: each problem names the field, the value and the remedy. */
import { RE2JS } from 're2js';
import { connectionFields } from '../../api/connection-fields.ts';
import type {
  CorsConfig,
  FieldEdits,
  NamedMatch,
  PathMatch,
  RouteConfig,
  RoutesConfig,
} from './route-config.ts';

const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that split or end a field line
const BAD_VALUE = /[\0\r\n]/;

/** Empty if the routes can be compiled. */
export function routeProblems(config: RoutesConfig): string[] {
  const problems: string[] = [];
  config.routes.forEach((route, i) => {
    const at = `routes[${i}]${route.origin === '' ? '' : ` (${route.origin})`}`;
    for (const problem of problemsOf(route)) problems.push(`${at}: ${problem}`);
  });
  return problems;
}

function problemsOf(route: RouteConfig): string[] {
  const { match, action } = route;
  const problems = [
    ...pathProblems(match.path),
    ...match.headers.flatMap(header => namedProblems('header', header)),
    ...match.query.flatMap(parameter => namedProblems('query parameter', parameter)),
    ...editProblems('request', route.requestFields),
    ...editProblems('response', route.responseFields),
    ...corsProblems(route.cors),
  ];
  switch (action.kind) {
    case 'forward':
      for (const backend of action.backends) {
        if (!(Number.isFinite(backend.weight) && backend.weight >= 0)) {
          problems.push(`weight ${backend.weight} of backend "${backend.cluster}"; use a number from 0`);
        }
        problems.push(...editProblems('request', backend.requestFields));
        problems.push(...editProblems('response', backend.responseFields));
      }
      if (BAD_VALUE.test(action.hostRewrite))
        problems.push('host rewrite has a control character; remove it');
      break;
    case 'redirect':
      if (![301, 302, 303, 307, 308].includes(action.status)) {
        problems.push(`redirect status ${action.status}; use 301, 302, 303, 307 or 308`);
      }
      break;
    case 'direct':
      if (!(Number.isInteger(action.status) && action.status >= 200 && action.status <= 599)) {
        problems.push(`status ${action.status}; use an integer from 200 to 599`);
      }
      break;
  }
  return problems;
}

function corsProblems(cors: CorsConfig | null): string[] {
  if (cors === null) return [];
  const problems = cors.origins.flatMap(match =>
    match.kind === 'regex' ? regexProblems('allowed origin', match.value) : [],
  );
  for (const value of [cors.methods, cors.headers, cors.exposeHeaders, cors.maxAge]) {
    if (BAD_VALUE.test(value)) {
      problems.push(`CORS policy has the value ${JSON.stringify(value)}; remove CR, LF and NUL`);
    }
  }
  return problems;
}

function pathProblems(path: PathMatch): string[] {
  if (path.kind === 'any') return [];
  if (path.kind === 'regex') return regexProblems('path', path.value);
  const problems: string[] = [];
  if (!path.value.startsWith('/')) {
    problems.push(`path ${JSON.stringify(path.value)} does not begin with "/"; add it`);
  }
  if (/[?#]/.test(path.value)) {
    problems.push(`path ${JSON.stringify(path.value)} has a "?" or "#"; match the query by its parameters`);
  }
  return problems;
}

function namedProblems(what: string, { name, match }: NamedMatch): string[] {
  const problems: string[] = [];
  if (what === 'header' && name !== name.toLowerCase()) {
    problems.push(`header "${name}" is not in lower case; field names are compared in lower case`);
  }
  if (match.kind === 'regex') problems.push(...regexProblems(`${what} "${name}"`, match.value));
  return problems;
}

function regexProblems(what: string, pattern: string): string[] {
  try {
    RE2JS.compile(pattern);
    return [];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [`${what} has the regular expression ${JSON.stringify(pattern)}: ${reason}; use RE2 syntax`];
  }
}

function editProblems(what: string, edits: FieldEdits | null): string[] {
  if (edits === null) return [];
  const problems: string[] = [];
  for (const name of [
    ...edits.remove,
    ...edits.set.map(pair => pair[0]),
    ...edits.add.map(pair => pair[0]),
  ]) {
    if (!TOKEN.test(name)) problems.push(`${what} field "${name}" is not a lower-case field name`);
    else if (connectionFields.has(name)) {
      problems.push(
        `${what} field "${name}" belongs to the connection and cannot be edited; remove the edit`,
      );
    }
  }
  if (what === 'request' && edits.remove.includes('host')) {
    problems.push('request field "host" cannot be removed; set it, or use a host rewrite');
  }
  for (const [name, value] of [...edits.set, ...edits.add]) {
    if (BAD_VALUE.test(value)) {
      problems.push(`${what} field "${name}" has the value ${JSON.stringify(value)}; remove CR, LF and NUL`);
    }
  }
  return problems;
}
