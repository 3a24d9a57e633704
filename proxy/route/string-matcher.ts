import { RE2JS } from 're2js';
import type { StringMatch } from './route-config.ts';
import { toWire } from './wire-text.ts';

/** A compiled {@link StringMatch}; one shape for all kinds. */
export interface StringMatcher {
  readonly kind: StringMatch['kind'];
  readonly value: string;
  /** RE2: time grows with the input's length only, whatever the pattern. It sees one character per byte. */
  readonly regex: RE2JS | null;
}

/** Throws if the regular expression is not RE2 syntax; `routeProblems` finds that beforehand. */
export function compileString(match: StringMatch): StringMatcher {
  if (match.kind === 'present') return { kind: 'present', value: '', regex: null };
  if (match.kind === 'regex') {
    return { kind: 'regex', value: match.value, regex: RE2JS.compile(match.value) };
  }
  return { kind: match.kind, value: toWire(match.value), regex: null };
}

/** Whether a value that is there matches. */
export function matchesString(matcher: StringMatcher, value: string): boolean {
  switch (matcher.kind) {
    case 'exact':
      return value === matcher.value;
    case 'prefix':
      return value.startsWith(matcher.value);
    case 'suffix':
      return value.endsWith(matcher.value);
    case 'contains':
      return value.includes(matcher.value);
    case 'regex':
      return (matcher.regex as RE2JS).testExact(value);
    case 'present':
      return true;
  }
}
