/** Figures and tables as Markdown. */
import { spread } from './statistics.ts';

export const digits = (value: number): string =>
  value.toFixed(Math.abs(value) < 10 ? 2 : Math.abs(value) < 1000 ? 1 : 0);

/** Median, and in brackets the smallest and the largest value; nothing for no values. */
export function figure(values: readonly number[]): string {
  const { min, median, max } = spread(values);
  if (Number.isNaN(median)) return '';
  return values.length === 1 ? digits(median) : `${digits(median)} (${digits(min)}–${digits(max)})`;
}

export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}
