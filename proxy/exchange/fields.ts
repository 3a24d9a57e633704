/**
 * Operations on flat {@link FieldLines}. They work in place; nothing is allocated when nothing changes. Imported as a
 * namespace: `fields.get(head.fields, 'accept')`. Names are given in lower case, as the lines hold them.
 */
import { truncate } from '../../runtime/truncate.ts';
import type { FieldEdits } from '../route/route-config.ts';
import type { FieldLines } from './stream.ts';

/** Value of the first line with that name, '' without one. */
export function get(fields: FieldLines, name: string): string {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === name) return fields[i + 1];
  }
  return '';
}

/** Values of all lines with that name in their order, joined with ',' (RFC 9110 §5.3); '' without one. */
export function getAll(fields: FieldLines, name: string): string {
  let joined = '';
  let found = false;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] !== name) continue;
    joined = found ? `${joined},${fields[i + 1]}` : fields[i + 1];
    found = true;
  }
  return joined;
}

export function has(fields: FieldLines, name: string): boolean {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === name) return true;
  }
  return false;
}

/** Makes `value` the only value of the field; the first line keeps its place. */
export function set(fields: FieldLines, name: string, value: string): void {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] !== name) continue;
    fields[i + 1] = value;
    removeFrom(fields, name, i + 2);
    return;
  }
  fields.push(name, value);
}

/** Adds a line of its own; values present stay as they are. */
export function add(fields: FieldLines, name: string, value: string): void {
  fields.push(name, value);
}

/** Removes all lines with that name. */
export function remove(fields: FieldLines, name: string): void {
  removeFrom(fields, name, 0);
}

/** Removes all lines whose name begins with `prefix`. */
export function removePrefixed(fields: FieldLines, prefix: string): void {
  let kept = 0;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i].startsWith(prefix)) continue;
    if (kept !== i) {
      fields[kept] = fields[i];
      fields[kept + 1] = fields[i + 1];
    }
    kept += 2;
  }
  truncate(fields, kept);
}

/** Applies a header filter of Gateway API: remove, then set, then add. */
export function applyEdits(fields: FieldLines, edits: FieldEdits): void {
  for (let i = 0; i < edits.remove.length; i++) remove(fields, edits.remove[i]);
  for (let i = 0; i < edits.set.length; i++) set(fields, edits.set[i][0], edits.set[i][1]);
  for (let i = 0; i < edits.add.length; i++) fields.push(edits.add[i][0], edits.add[i][1]);
}

function removeFrom(fields: FieldLines, name: string, start: number): void {
  let kept = start;
  for (let i = start; i < fields.length; i += 2) {
    if (fields[i] === name) continue;
    if (kept !== i) {
      fields[kept] = fields[i];
      fields[kept + 1] = fields[i + 1];
    }
    kept += 2;
  }
  truncate(fields, kept);
}
