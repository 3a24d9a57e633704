/** JSON Patch (RFC 6902): the operations that turn one JSON value into another. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

export type PatchOperation =
  | { op: 'add' | 'replace'; path: string; value: Json }
  | { op: 'remove'; path: string };

/** A step of a JSON Pointer (RFC 6901 §3). */
const step = (path: string, name: string | number): string =>
  `${path}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`;

const isObject = (value: Json): value is { readonly [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A member of the object itself: labels may be named `constructor` too. */
const member = (object: { readonly [name: string]: Json }, name: string): Json | undefined =>
  Object.hasOwn(object, name) ? object[name] : undefined;

function equal(a: Json, b: Json): boolean {
  return a === b || (typeof a === 'object' && typeof b === 'object' && diff(a, b).length === 0);
}

function diffObjects(
  from: { readonly [name: string]: Json },
  to: { readonly [name: string]: Json },
  path: string,
): PatchOperation[] {
  const operations: PatchOperation[] = [];
  for (const name of Object.keys(from)) {
    const value = member(to, name);
    if (value === undefined) operations.push({ op: 'remove', path: step(path, name) });
    else operations.push(...diff(from[name], value, step(path, name)));
  }
  for (const [name, value] of Object.entries(to)) {
    if (member(from, name) === undefined && value !== undefined) {
      operations.push({ op: 'add', path: step(path, name), value });
    }
  }
  return operations;
}

/** Keeps the items that both have at the front and at the end, and compares those between by position. */
function diffArrays(from: readonly Json[], to: readonly Json[], path: string): PatchOperation[] {
  let front = 0;
  while (front < from.length && front < to.length && equal(from[front], to[front])) front++;
  let fromEnd = from.length;
  let toEnd = to.length;
  while (fromEnd > front && toEnd > front && equal(from[fromEnd - 1], to[toEnd - 1])) {
    fromEnd--;
    toEnd--;
  }
  const operations: PatchOperation[] = [];
  const both = Math.min(fromEnd, toEnd);
  for (let i = front; i < both; i++) operations.push(...diff(from[i], to[i], step(path, i)));
  for (let i = fromEnd - 1; i >= both; i--) operations.push({ op: 'remove', path: step(path, i) });
  for (let i = both; i < toEnd; i++) operations.push({ op: 'add', path: step(path, i), value: to[i] });
  return operations;
}

/** The patch that makes `to` out of `from`; empty if they are equal. Members that are undefined count as absent. */
export function diff(from: Json, to: Json, path = ''): PatchOperation[] {
  if (from === to) return [];
  if (isObject(from) && isObject(to)) return diffObjects(from, to, path);
  if (Array.isArray(from) && Array.isArray(to)) return diffArrays(from, to, path);
  return [{ op: 'replace', path, value: to }];
}
