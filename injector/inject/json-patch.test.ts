import fc from 'fast-check';
import { expect, test } from 'vitest';
import { diff, type Json, type PatchOperation } from './json-patch.ts';

/** RFC 6902 §4, for the three operations that are written. */
function apply(document: Json, operations: readonly PatchOperation[]): Json {
  const root = { root: structuredClone(document) } as Record<string, unknown>;
  for (const operation of operations) {
    const steps = `/root${operation.path}`
      .split('/')
      .slice(1)
      .map(name => name.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = steps.pop() ?? '';
    const parent = steps.reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], root);
    if (Array.isArray(parent)) {
      const index = Number(last);
      expect(index).toBeLessThanOrEqual(operation.op === 'add' ? parent.length : parent.length - 1);
      if (operation.op === 'add') parent.splice(index, 0, operation.value);
      else if (operation.op === 'remove') parent.splice(index, 1);
      else parent[index] = operation.value;
    } else {
      const target = parent as Record<string, unknown>;
      if (operation.op !== 'add') expect(Object.hasOwn(target, last)).toBe(true);
      if (operation.op === 'remove') delete target[last];
      else target[last] = operation.value;
    }
  }
  return root.root as Json;
}

const json = fc.letrec<{ value: Json }>(tie => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, 0, 1, 'a', 'b'),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'a/b', 'm~n', 'constructor', '0'), tie('value'), {
      noNullPrototype: true,
    }),
  ),
})).value;

test('the patch of any two values turns one into the other', () => {
  fc.assert(
    fc.property(json, json, (from, to) => {
      expect(apply(from, diff(from, to))).toEqual(to);
      expect(diff(to, structuredClone(to))).toEqual([]);
    }),
    { numRuns: 2000 },
  );
});

test('what is put before a list is added, and the list is left alone', () => {
  expect(diff({ c: [{ n: 'a' }, { n: 'b' }] }, { c: [{ n: 'x' }, { n: 'a' }, { n: 'b' }] })).toEqual([
    { op: 'add', path: '/c/0', value: { n: 'x' } },
  ]);
});

test('undefined members count as absent', () => {
  const to = { a: 1, b: undefined } as unknown as Json;
  expect(diff({ a: 1 }, to)).toEqual([]);
  expect(diff({ a: 1, b: 2 }, to)).toEqual([{ op: 'remove', path: '/b' }]);
});
