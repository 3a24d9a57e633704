import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { choose, createAliasTable } from './alias-table.ts';

describe('alias table', () => {
  it('is not needed for equal weights', () => {
    expect(createAliasTable([{ weight: 3 }, { weight: 3 }])).toBeNull();
    expect(createAliasTable([])).toBeNull();
  });

  it('gives every item its exact share of [0, 1)', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(weights, list => {
        const items = list.map(weight => ({ weight }));
        const table = createAliasTable(items);
        const total = list.reduce((sum, weight) => sum + weight, 0);
        const got = list.map(() => 0);
        if (table === null) return;
        // Each slot is worth 1/n, divided between itself and its alias.
        list.forEach((_, i) => {
          got[i] += table.keep[i] / list.length;
          got[table.alias[i]] += (1 - table.keep[i]) / list.length;
        });
        list.forEach((weight, i) => expect(got[i]).toBeCloseTo(weight / total, 9));
      }),
    );
  });

  it('chooses by the slot and the rest within it', () => {
    const table = createAliasTable([{ weight: 1 }, { weight: 3 }]);
    const counts = [0, 0];
    for (let i = 0; i < 1000; i++) counts[choose(table, 2, (i + 0.5) / 1000)]++;
    expect(counts).toEqual([250, 750]);
  });
});
