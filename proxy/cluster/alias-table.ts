/** Weighted choice in constant time (Walker's alias method as made stable by Vose, 1991). */
export interface AliasTable {
  /** Probability that slot i stands for itself. */
  readonly keep: Float64Array;
  /** Index that slot i stands for otherwise. */
  readonly alias: Uint32Array;
}

/** null if all weights are equal: a uniform choice needs no table. */
export function createAliasTable(items: readonly { readonly weight: number }[]): AliasTable | null {
  if (items.every(item => item.weight === items[0].weight)) return null;
  const total = items.reduce((sum, item) => sum + item.weight, 0);
  const scaled = items.map(item => (item.weight * items.length) / total);
  const keep = new Float64Array(items.length).fill(1);
  const alias = new Uint32Array(items.length);
  const small: number[] = [];
  const large: number[] = [];
  scaled.forEach((weight, i) => (weight < 1 ? small : large).push(i));
  while (small.length > 0 && large.length > 0) {
    const less = small.pop() as number;
    const more = large[large.length - 1];
    keep[less] = scaled[less];
    alias[less] = more;
    scaled[more] -= 1 - scaled[less];
    if (scaled[more] < 1) {
      large.pop();
      small.push(more);
    }
  }
  // What is left in either list is 1 but for rounding, and keeps its slot.
  return { keep, alias };
}

/** Index for a number in [0, 1); its integer part in slots chooses the slot, the rest decides within it. */
export function choose(table: AliasTable | null, count: number, random: number): number {
  const scaled = random * count;
  const slot = Math.floor(scaled);
  if (table === null || scaled - slot < table.keep[slot]) return slot;
  return table.alias[slot];
}
