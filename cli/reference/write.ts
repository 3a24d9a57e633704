import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { referencePages } from './pages.ts';

const folder = resolve(import.meta.dirname, '../../docs/reference');
for (const [name, text] of Object.entries(referencePages())) writeFileSync(join(folder, name), text);
