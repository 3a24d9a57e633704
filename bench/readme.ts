/**
 * Writes the saved results into bench/README.md, between its two marks.
 * Run: npx node bench/readme.ts
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readResults, type SideBySide } from './results.ts';
import { sideBySideReport } from './side-by-side-report.ts';

const FILE = join(import.meta.dirname, 'README.md');
const BEGIN = '<!-- results: written by bench/readme.ts -->';
const END = '<!-- end of results -->';

export function writeReadme(): void {
  const text = readFileSync(FILE, 'utf8');
  const from = text.indexOf(BEGIN);
  const to = text.indexOf(END);
  if (from < 0 || to < from) throw new Error(`${FILE} lacks the lines ${BEGIN} and ${END}`);
  const sideBySide = readResults<SideBySide>('side-by-side');
  const parts = [sideBySide === null ? '' : sideBySideReport(sideBySide)];
  const results = parts.filter(part => part !== '').join('\n\n');
  writeFileSync(FILE, `${text.slice(0, from)}${BEGIN}\n\n${results}\n\n${text.slice(to)}`);
}

if (import.meta.main) writeReadme();
