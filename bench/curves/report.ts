/** Curves as tables: a line each, a column for each size. */
import { digits, markdownTable } from '../markdown.ts';
import type { Curves } from '../results.ts';

const SIZE = new Intl.NumberFormat('en');

/** With the unit that keeps it readable. */
function time(ns: number): string {
  if (ns < 1000) return `${digits(ns)} ns`;
  return ns < 1_000_000 ? `${digits(ns / 1000)} µs` : `${digits(ns / 1_000_000)} ms`;
}

export function curvesReport({ date, machine, functions, proxies }: Curves): string {
  const header = (sizes: readonly number[], ...first: string[]) => [
    ...first,
    ...sizes.map(size => SIZE.format(size)),
  ];
  const parts = [`### Curves`, `${date}, ${machine}.`];
  if (functions.length > 0) {
    const rows = functions.map(curve => [curve.function, curve.of, ...curve.ns.map(time)]);
    parts.push('One call of a function:', markdownTable(header(functions[0].sizes, 'function', 'of'), rows));
  }
  if (proxies.length > 0) {
    const rows = proxies.flatMap(({ proxy, of, cpu, memory }) => [
      [proxy, of, 'CPU µs/request', ...cpu.map(digits)],
      [proxy, of, 'private MiB', ...memory.map(digits)],
    ]);
    parts.push(
      'A request through one proxy, HTTP/1.1, 32 connections:',
      markdownTable(header(proxies[0].sizes, 'proxy', 'of', ''), rows),
    );
  }
  return parts.join('\n\n');
}
