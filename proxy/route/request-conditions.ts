/** What a route asks of a request besides the literal part of its path. */
import { RE2JS } from 're2js';
import * as fields from '../exchange/fields.ts';
import type { RequestHead } from '../exchange/stream.ts';
import { queryValue } from './query.ts';
import type { NamedMatch, RouteMatchConfig } from './route-config.ts';
import { compileString, matchesString, type StringMatcher } from './string-matcher.ts';
import { toWire } from './wire-text.ts';

/** Where the value of a header match comes from: `Host` and the pseudo-header fields are not among the field lines. */
type Source = 'field' | 'authority' | 'method' | 'scheme' | 'path';

interface HeaderCondition {
  readonly source: Source;
  readonly name: string;
  readonly matcher: StringMatcher;
  readonly invert: boolean;
}

interface QueryCondition {
  readonly name: string;
  readonly matcher: StringMatcher;
  readonly invert: boolean;
}

export interface RequestConditions {
  /** '' for any. */
  readonly method: string;
  /** The whole path, without the query; null if the literal part decides. */
  readonly path: RE2JS | null;
  readonly headers: readonly HeaderCondition[];
  readonly query: readonly QueryCondition[];
}

const SOURCES: Readonly<Record<string, Source>> = {
  host: 'authority',
  ':authority': 'authority',
  ':method': 'method',
  ':scheme': 'scheme',
  ':path': 'path',
};

export function compileConditions(match: RouteMatchConfig): RequestConditions {
  return {
    method: match.method,
    path: match.path.kind === 'regex' ? RE2JS.compile(match.path.value) : null,
    headers: match.headers.map(compileHeader),
    query: match.query.map(({ name, match: value, invert }) => ({
      name: toWire(name),
      matcher: compileString(value),
      invert,
    })),
  };
}

function compileHeader({ name, match, invert }: NamedMatch): HeaderCondition {
  const source = SOURCES[name] ?? 'field';
  // Hosts are compared without regard to case (RFC 9110 §4.2.3); the head has them in lower case.
  const fold = source === 'authority' && match.kind !== 'regex' && match.kind !== 'present';
  const value = fold ? { kind: match.kind, value: match.value.toLowerCase() } : match;
  return { source, name, matcher: compileString(value), invert };
}

/** `end` is where the path of the request ends and its query begins. */
export function holds(conditions: RequestConditions, head: RequestHead, end: number): boolean {
  if (conditions.method !== '' && conditions.method !== head.method) return false;
  const { headers, query, path } = conditions;
  for (let i = 0; i < headers.length; i++) {
    if (!headerHolds(headers[i], head)) return false;
  }
  for (let i = 0; i < query.length; i++) {
    if (!queryHolds(query[i], head.path, end)) return false;
  }
  return path === null || path.testExact(end === head.path.length ? head.path : head.path.slice(0, end));
}

/** A field that is not there matches nothing, so an inverted match on it holds. */
function headerHolds(condition: HeaderCondition, head: RequestHead): boolean {
  switch (condition.source) {
    case 'field': {
      const value = fields.getAll(head.fields, condition.name);
      if (value === '' && !fields.has(head.fields, condition.name)) return condition.invert;
      return matchesString(condition.matcher, value) !== condition.invert;
    }
    case 'authority':
      return matchesString(condition.matcher, head.authority) !== condition.invert;
    case 'method':
      return matchesString(condition.matcher, head.method) !== condition.invert;
    case 'scheme':
      return matchesString(condition.matcher, head.scheme) !== condition.invert;
    case 'path':
      return matchesString(condition.matcher, head.path) !== condition.invert;
  }
}

function queryHolds(condition: QueryCondition, path: string, end: number): boolean {
  const value = queryValue(path, end, condition.name);
  if (value === null) return condition.invert;
  return matchesString(condition.matcher, value) !== condition.invert;
}
