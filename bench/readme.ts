/**
 * Writes the saved results into bench/README.md, between its two marks.
 * Run: npx node bench/readme.ts
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { curvesReport } from './curves/report.ts';
import { type Curves, readResults, type SideBySide, type Soak } from './results.ts';
import { sideBySideReport } from './side-by-side-report.ts';
import { soakReport } from './soak-report.ts';

const FILE = join(import.meta.dirname, 'README.md');
const BEGIN = '<!-- results: written by bench/readme.ts -->';
const END = '<!-- end of results -->';

/** The report of a saved file; nothing if there is none. */
function report<T>(name: string, write: (results: T) => string): string[] {
  const results = readResults<T>(name);
  return results === null ? [] : [write(results)];
}

export function writeReadme(): void {
  const text = readFileSync(FILE, 'utf8');
  const from = text.indexOf(BEGIN);
  const to = text.indexOf(END);
  if (from < 0 || to < from) throw new Error(`${FILE} lacks the lines ${BEGIN} and ${END}`);
  const results = [
    report<SideBySide>('side-by-side', sideBySideReport),
    report<Soak>('soak', soakReport),
    report<Curves>('curves', curvesReport),
  ]
    .flat()
    .join('\n\n');
  writeFileSync(FILE, `${text.slice(0, from)}${BEGIN}\n\n${results}\n\n${text.slice(to)}`);
}

if (import.meta.main) writeReadme();
