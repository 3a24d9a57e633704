import { expect, test } from 'vitest';
import { parsePrometheusText, sum } from './prometheus-text.ts';

test('samples with labels, escapes, timestamps and special values', () => {
  const text = '# HELP a help\n# TYPE a counter\na{x="1",y="q\\"\\n"} 3\na{x="2"} 4 1700000000\nb +Inf\n';
  const samples = parsePrometheusText(text);
  expect(samples).toEqual([
    { name: 'a', labels: { x: '1', y: 'q"\n' }, value: 3 },
    { name: 'a', labels: { x: '2' }, value: 4 },
    { name: 'b', labels: {}, value: Number.POSITIVE_INFINITY },
  ]);
  expect(sum(samples, 'a')).toBe(7);
  expect(sum(samples, 'a', { x: '2' })).toBe(4);
});

test('a line that is not of the format is quoted', () => {
  expect(() => parsePrometheusText('a{x=1} 3\n')).toThrow('not a list of labels: a{x=1} 3');
  expect(() => parsePrometheusText('a b c d\n')).toThrow('not a sample: a b c d');
});
