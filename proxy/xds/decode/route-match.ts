import type {
  HeaderMatcher,
  QueryParameterMatcher,
  RouteMatch,
} from '../../../api/xds/gen/envoy/config/route/v3/route_components.ts';
import type { StringMatcher } from '../../../api/xds/gen/envoy/type/matcher/v3/string.ts';
import type { NamedMatch, PathMatch, RouteMatchConfig, StringMatch } from '../../route/route-config.ts';
import type { Problems } from './decoded.ts';

export function readMatch(match: RouteMatch | undefined, at: string, problems: Problems): RouteMatchConfig {
  for (const [field, isSet] of [
    ['cookies', (match?.cookies.length ?? 0) > 0],
    ['runtime_fraction', match?.runtimeFraction !== undefined],
    ['case_sensitive', match?.caseSensitive === false],
  ] as const) {
    if (isSet) problems.add(`${at}.${field}`, 'set', 'this sidecar does not support it; leave it out');
  }
  const headers = match?.headers ?? [];
  return {
    path: readPath(match, at, problems),
    method: readMethod(headers, at, problems),
    headers: headers
      .filter(({ name }) => name !== ':method')
      .map((header, index) => readHeader(header, `${at}.headers[${index}]`, problems)),
    query: (match?.queryParameters ?? []).map((parameter, index) =>
      readParameter(parameter, `${at}.query_parameters[${index}]`, problems),
    ),
  };
}

function readPath(match: RouteMatch | undefined, at: string, problems: Problems): PathMatch {
  const path = match?.pathSpecifier;
  switch (path?.$case) {
    case 'path':
      return { kind: 'exact', value: path.value };
    case 'pathSeparatedPrefix':
      return { kind: 'path-prefix', value: path.value };
    case 'prefix':
      return path.value === '/' ? { kind: 'any' } : { kind: 'prefix', value: path.value };
    case 'safeRegex':
      return { kind: 'regex', value: path.value.regex };
    case undefined:
      problems.add(
        `${at}.path_specifier`,
        undefined,
        'use path, path_separated_prefix, prefix or safe_regex',
      );
      return { kind: 'any' };
  }
}

/** The method travels as a header match, as in Envoy; '' for any. */
function readMethod(headers: readonly HeaderMatcher[], at: string, problems: Problems): string {
  const [matcher, second] = headers.filter(({ name }) => name === ':method');
  if (matcher === undefined) return '';
  const specifier = matcher.headerMatchSpecifier;
  const pattern = specifier?.$case === 'stringMatch' ? specifier.value.matchPattern : undefined;
  if (second === undefined && pattern?.$case === 'exact' && !matcher.invertMatch) return pattern.value;
  problems.add(`${at}.headers[":method"]`, specifier, 'use one exact method');
  return '';
}

function readHeader(header: HeaderMatcher, at: string, problems: Problems): NamedMatch {
  const name = header.name.toLowerCase();
  if (name.startsWith(':') && name !== ':authority' && name !== ':scheme' && name !== ':path') {
    problems.add(`${at}.name`, header.name, 'it is no header field');
  }
  if (header.treatMissingHeaderAsEmpty) {
    problems.add(
      `${at}.treat_missing_header_as_empty`,
      true,
      'this sidecar does not support it; leave it out',
    );
  }
  const specifier = header.headerMatchSpecifier;
  if (specifier?.$case === 'presentMatch') {
    return { name, match: { kind: 'present' }, invert: specifier.value === header.invertMatch };
  }
  if (specifier?.$case === 'stringMatch') {
    const match = readString(specifier.value, `${at}.string_match`, problems);
    return { name, match, invert: header.invertMatch };
  }
  problems.add(`${at}.header_match_specifier`, specifier?.$case, 'use string_match or present_match');
  return { name, match: { kind: 'present' }, invert: false };
}

function readParameter(parameter: QueryParameterMatcher, at: string, problems: Problems): NamedMatch {
  const { name, queryParameterMatchSpecifier: specifier } = parameter;
  if (specifier?.$case === 'stringMatch') {
    return { name, match: readString(specifier.value, `${at}.string_match`, problems), invert: false };
  }
  if (specifier?.$case === 'presentMatch') {
    return { name, match: { kind: 'present' }, invert: !specifier.value };
  }
  problems.add(`${at}.query_parameter_match_specifier`, undefined, 'use string_match or present_match');
  return { name, match: { kind: 'present' }, invert: false };
}

export function readString(matcher: StringMatcher, at: string, problems: Problems): StringMatch {
  if (matcher.ignoreCase) {
    problems.add(`${at}.ignore_case`, true, 'this sidecar does not support it; use safe_regex with (?i)');
  }
  const pattern = matcher.matchPattern;
  switch (pattern?.$case) {
    case 'exact':
    case 'prefix':
    case 'suffix':
    case 'contains':
      return { kind: pattern.$case, value: pattern.value };
    case 'safeRegex':
      return { kind: 'regex', value: pattern.value.regex };
    case undefined:
      problems.add(`${at}.match_pattern`, undefined, 'use exact, prefix, suffix, contains or safe_regex');
      return { kind: 'present' };
  }
}
