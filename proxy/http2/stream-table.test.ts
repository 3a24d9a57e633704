import { expect, it } from 'vitest';
import type { Http2Stream } from './stream.ts';
import { StreamTable } from './stream-table.ts';

it('holds what a Map would hold, whatever is added and removed', () => {
  const table = new StreamTable();
  const map = new Map<number, Http2Stream>();
  let id = 1;
  for (let step = 0; step < 20_000; step++) {
    const growing = step % 4000 < 2000;
    if (map.size === 0 || (step * 7919) % 10 < (growing ? 6 : 4)) {
      const stream = { id } as Http2Stream;
      id += 2 + ((step * 31) % 3) * 2 * 16;
      table.add(stream);
      map.set(stream.id, stream);
    } else {
      const removed = [...map.values()][(step * 104_729) % map.size];
      table.remove(removed);
      table.remove(removed);
      map.delete(removed.id);
    }
    expect(table.size).toBe(map.size);
    const some = (step * 2 + 1) % (id + 2);
    expect(table.get(some)).toBe(map.get(some) ?? null);
  }
  expect(new Set(table.all())).toEqual(new Set(map.values()));
  for (const stream of map.values()) expect(table.get(stream.id)).toBe(stream);
});
