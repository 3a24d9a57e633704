import type { Cors } from '../../model/model.ts';
import { type Fields, integer, list, type Problems } from './fields.ts';
import { headerName, METHODS } from './route-match.ts';

/** As Gateway API writes an origin (CORSOrigin): a `*` may stand for the host, or for all before its first period. */
const ORIGIN = /^(https?):\/\/(\*|(?:\*\.)?(?:[a-z0-9-]+\.)*[a-z0-9-]+)(?::([0-9]{1,5}))?$/;
const WELL_KNOWN: Readonly<Record<string, number>> = { http: 80, https: 443 };
/** HTTPCORSFilter.maxAge. */
const DEFAULT_MAX_AGE_S = 5;

/** Reads a CORS filter (GEP-1767). What does not keep it from working goes to `notices`. */
export function readCors(body: Fields, path: string, problems: Problems, notices: Problems): Cors {
  const allowCredentials = body.allowCredentials ?? false;
  if (typeof allowCredentials !== 'boolean')
    problems.add(`${path}.allowCredentials`, allowCredentials, 'use true or false');
  const most = { min: 1, max: 2_147_483_647 };
  return {
    allowOrigins: wordsOrAll(body.allowOrigins, `${path}.allowOrigins`, origin, problems),
    allowMethods: wordsOrAll(body.allowMethods, `${path}.allowMethods`, method, problems),
    allowHeaders: wordsOrAll(body.allowHeaders, `${path}.allowHeaders`, headerName, problems),
    exposeHeaders: exposed(body, path, problems, notices),
    allowCredentials: allowCredentials === true,
    maxAgeS: integer(body.maxAge, `${path}.maxAge`, most, DEFAULT_MAX_AGE_S, problems) ?? DEFAULT_MAX_AGE_S,
  };
}

type ReadWord = (value: unknown, path: string, problems: Problems) => string | null;

/** `*` stands alone. */
function wordsOrAll(value: unknown, path: string, read: ReadWord, problems: Problems): string[] {
  const given = list(value, path, problems);
  if (given.length > 1 && given.includes('*')) problems.add(path, given, 'use "*" alone');
  return words(given, path, read, problems);
}

function words(given: readonly unknown[], path: string, read: ReadWord, problems: Problems): string[] {
  const found = given.flatMap((word, index) => {
    if (word === '*') return ['*'];
    const known = read(word, `${path}[${index}]`, problems);
    return known === null ? [] : [known];
  });
  return [...new Set(found)];
}

/** With credentials a browser takes `*` for the name of a header: it exposes nothing (Fetch, CORS protocol). */
function exposed(body: Fields, path: string, problems: Problems, notices: Problems): string[] {
  const at = `${path}.exposeHeaders`;
  const names = words(list(body.exposeHeaders, at, problems), at, headerName, problems);
  if (body.allowCredentials !== true || !names.includes('*')) return names;
  notices.add(at, '*', 'name the headers: with allowCredentials it exposes none', 'NotApplied');
  return names.filter(name => name !== '*');
}

/** An origin as browsers write it: in lower case, without a port that its scheme implies. */
function origin(value: unknown, path: string, problems: Problems): string | null {
  const [, scheme, host, port = ''] =
    (typeof value === 'string' ? ORIGIN.exec(value.toLowerCase()) : null) ?? [];
  if (scheme === undefined || Number(port) > 65_535) {
    problems.add(path, value, 'use an origin such as https://example.org, https://*.example.org or "*"');
    return null;
  }
  return `${scheme}://${host}${port === '' || Number(port) === WELL_KNOWN[scheme] ? '' : `:${Number(port)}`}`;
}

function method(value: unknown, path: string, problems: Problems): string | null {
  if ((METHODS as readonly unknown[]).includes(value)) return value as string;
  problems.add(path, value, `use "*", or some of ${METHODS.join(', ')}`);
  return null;
}
