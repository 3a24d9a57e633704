import { expect, test } from 'vitest';
import { truncate } from './truncate.ts';

test('cuts off what is beyond the length, and adds nothing to what is shorter', () => {
  const lines = ['a', '1', 'b', '2'];
  truncate(lines, 2);
  expect(lines).toEqual(['a', '1']);
  truncate(lines, 4);
  expect(lines).toEqual(['a', '1']);
  truncate(lines, 0);
  expect(lines).toEqual([]);
});
