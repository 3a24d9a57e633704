import type { NamedMatch, RouteMatch } from '../../model/model.ts';
import type { RouteGroupRecord } from '../../model/records.ts';
import { type Fields, fields, list, listOfFields, oneOf, Problems, requiredText } from './fields.ts';
import type { Converted, KubernetesObject } from './object.ts';
import { headerName, METHODS, regex } from './route-match.ts';

const ANY_METHOD = '*';

/** The methods of a match, '' for any. */
function readMethods(value: unknown, path: string, problems: Problems): readonly (string | null)[] {
  const given = list(value, path, problems);
  if (given.length === 0) return [''];
  const methods = given.map((method, index) =>
    oneOf(method ?? 'null', `${path}[${index}]`, [...METHODS, ANY_METHOD], ANY_METHOD, problems),
  );
  return methods.includes(ANY_METHOD) ? [''] : methods;
}

/** Header names and regular expressions: a map, or in some versions a list of maps. */
function readHeaders(value: unknown, path: string, problems: Problems): NamedMatch[] {
  const maps = Array.isArray(value)
    ? listOfFields(value, path, problems)
    : [{ item: fields(value, path, problems) ?? {}, path }];
  return maps.flatMap(({ item, path: at }) =>
    Object.entries(item).flatMap(([key, pattern]) => {
      const name = headerName(key, at, problems);
      const source = regex(pattern, `${at}.${key}`, problems);
      return name === null || source === null
        ? []
        : [{ name, match: { kind: 'regex' as const, value: source } }];
    }),
  );
}

/** An HTTPMatch as matches of a route, one for each method; null if it cannot be used. */
function readMatch(item: Fields, path: string, problems: Problems): RouteMatch[] | null {
  const own = new Problems();
  const pattern = (item.pathRegex ?? '') === '' ? '' : regex(item.pathRegex, `${path}.pathRegex`, own);
  const methods = readMethods(item.methods, `${path}.methods`, own);
  const headers = readHeaders(item.headers, `${path}.headers`, own);
  problems.addAll(own);
  // With a condition less the match would take more than it was meant to.
  if (own.list.length > 0) return null;
  const at: RouteMatch['path'] =
    pattern === '' ? { kind: 'prefix', value: '/' } : { kind: 'regex', value: pattern ?? '' };
  return methods.map(method => ({ path: at, method: method ?? '', headers, query: [] }));
}

/**
 * An HTTPRouteGroup (specs.smi-spec.io), to which TrafficSplits refer for the requests that they split. Regular
 * expressions must match the whole path or field value. A match that is wrong is left out.
 */
export function convertHttpRouteGroup({
  metadata,
  fields: object,
}: KubernetesObject): Converted<RouteGroupRecord> {
  const problems = new Problems();
  // Before v1alpha3 the matches were no part of a spec.
  const [value, path] =
    object.spec === undefined
      ? [object.matches, 'matches']
      : [(fields(object.spec, 'spec', problems) ?? {}).matches, 'spec.matches'];
  const given = listOfFields(value, path, problems);
  if (given.length === 0) problems.add(path, value, 'use a list of at least one match');
  const matches = given.flatMap(({ item, path: at }) => {
    requiredText(item.name, `${at}.name`, problems);
    return readMatch(item, at, problems) ?? [];
  });
  const { namespace, name } = metadata;
  return { record: { namespace, name, matches }, problems: problems.list };
}
