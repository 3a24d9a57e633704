import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as fields from './fields.ts';

const lines = () => ['accept', 'a', 'x-one', '1', 'accept', 'b', 'x-two', '2'];

describe('field lines', () => {
  it('gives the first value, or all joined with a comma', () => {
    expect(fields.get(lines(), 'accept')).toBe('a');
    expect(fields.getAll(lines(), 'accept')).toBe('a,b');
    expect(fields.get(lines(), 'absent')).toBe('');
    expect(fields.getAll(lines(), 'absent')).toBe('');
  });

  it('keeps empty values apart from absent fields', () => {
    const list = ['x', '', 'x', '1'];
    expect(fields.has(list, 'x')).toBe(true);
    expect(fields.has(list, 'y')).toBe(false);
    expect(fields.getAll(list, 'x')).toBe(',1');
  });

  it('never takes a value for a name', () => {
    expect(fields.get(['x', 'accept', 'y', '2'], 'accept')).toBe('');
    expect(fields.has(['x', 'accept'], 'accept')).toBe(false);
  });

  it('sets in place of the first line and drops the others', () => {
    const list = lines();
    fields.set(list, 'accept', 'c');
    expect(list).toEqual(['accept', 'c', 'x-one', '1', 'x-two', '2']);
    fields.set(list, 'new', 'n');
    expect(list.slice(-2)).toEqual(['new', 'n']);
  });

  it('removes every line of a name, and by prefix', () => {
    const list = lines();
    fields.remove(list, 'accept');
    expect(list).toEqual(['x-one', '1', 'x-two', '2']);
    fields.removePrefixed(list, 'x-');
    expect(list).toEqual([]);
  });

  it('applies edits in the order remove, set, add; add makes a line of its own', () => {
    const list = lines();
    fields.applyEdits(list, { remove: ['x-two'], set: [['x-one', '9']], add: [['accept', 'c']] });
    expect(list).toEqual(['accept', 'a', 'x-one', '9', 'accept', 'b', 'accept', 'c']);
  });

  it('agrees with a list of pairs on any edits', () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const pair = fc.tuple(name, fc.constantFrom('', 'a', '1'));
    const edits = fc.record({ remove: fc.array(name), set: fc.array(pair), add: fc.array(pair) });
    fc.assert(
      fc.property(fc.array(pair), edits, (start, { remove, set, add }) => {
        const list = start.flat();
        fields.applyEdits(list, { remove, set, add });
        let model: [string, string][] = start.filter(([key]) => !remove.includes(key));
        for (const [key, value] of set) {
          const at = model.findIndex(line => line[0] === key);
          if (at < 0) model.push([key, value]);
          else
            model = model
              .map((line, i): [string, string] => (i === at ? [key, value] : line))
              .filter((line, i) => i === at || line[0] !== key);
        }
        model.push(...add);
        expect(list).toEqual(model.flat());
      }),
    );
  });
});
