import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { referencePages } from './pages.ts';

const folder = resolve(import.meta.dirname, '../../docs/reference');

test.each(Object.entries(referencePages()))(
  'docs/reference/%s is what the tables say (npm run reference)',
  (name, text) => {
    expect(readFileSync(join(folder, name), 'utf8')).toBe(text);
  },
);
