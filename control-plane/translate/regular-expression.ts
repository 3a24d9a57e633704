import { RE2JS } from 're2js';
import type { RouteMatch } from '../model/model.ts';

/** Regular expressions of a match: path, header and query values. */
export function expressionsOf(match: RouteMatch): string[] {
  const { path, headers, query } = match;
  const values = [...headers, ...query].flatMap(({ match }) => (match.kind === 'regex' ? [match.value] : []));
  return path.kind === 'regex' ? [path.value, ...values] : values;
}

/**
 * Size of the program that an expression compiles to, which is RE2's measure of its cost; null if it is not RE2 syntax.
 */
export function programSize(expression: string): number | null {
  if (expression === '') return null;
  try {
    return RE2JS.compile(expression).programSize();
  } catch {
    return null;
  }
}
