import * as fields from '../exchange/fields.ts';
import type { RequestHead } from '../exchange/stream.ts';
import type { FieldEdits } from './route-config.ts';

/** Applies a header filter to a request. `Host` is the authority of the head, not a field; it cannot be removed. */
export function editRequest(head: RequestHead, edits: FieldEdits): void {
  for (let i = 0; i < edits.remove.length; i++) fields.remove(head.fields, edits.remove[i]);
  for (let i = 0; i < edits.set.length; i++) setRequestField(head, edits.set[i][0], edits.set[i][1]);
  for (let i = 0; i < edits.add.length; i++) {
    const [name, value] = edits.add[i];
    if (name === 'host') setRequestField(head, name, value);
    else fields.add(head.fields, name, value);
  }
}

function setRequestField(head: RequestHead, name: string, value: string): void {
  if (name === 'host') head.authority = value.toLowerCase();
  else fields.set(head.fields, name, value);
}
