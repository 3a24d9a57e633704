import type { FieldEdits } from '../../model/model.ts';
import { headersToAdd, headersToRemove } from '../wire.ts';

/** The edits of a rule and then those of a backend, as one: Envoy removes first, then sets, then adds. */
export function joinEdits(rule: FieldEdits | null, backend: FieldEdits | null): FieldEdits | null {
  if (rule === null || backend === null) return rule ?? backend;
  const decided = new Set([...backend.set.map(({ name }) => name), ...backend.remove]);
  const undecided = ({ name }: { readonly name: string }): boolean => !decided.has(name);
  return {
    set: [...rule.set.filter(undecided), ...backend.set],
    add: [...rule.add.filter(undecided), ...backend.add],
    remove: [...new Set([...rule.remove, ...backend.remove])],
  };
}

export function requestEdits(edits: FieldEdits | null) {
  const allowed = edits === null ? null : withoutHost(edits);
  return {
    requestHeadersToAdd: headersToAdd(allowed, escapeFormat),
    requestHeadersToRemove: headersToRemove(allowed),
  };
}

export function responseEdits(edits: FieldEdits | null) {
  return {
    responseHeadersToAdd: headersToAdd(edits, escapeFormat),
    responseHeadersToRemove: headersToRemove(edits),
  };
}

/** A value is a format string for Envoy, in which `%` begins a variable. */
function escapeFormat(value: string): string {
  return value.replaceAll('%', '%%');
}

/** Envoy refuses edits of Host; setting it is what `host_rewrite_literal` is for. */
function withoutHost(edits: FieldEdits): FieldEdits {
  return {
    set: edits.set.filter(({ name }) => !isHost(name)),
    add: edits.add.filter(({ name }) => !isHost(name)),
    remove: edits.remove.filter(name => !isHost(name)),
  };
}

/** There is one Host: to add it is to set it. */
export function hostSet(edits: FieldEdits | null): string {
  if (edits === null) return '';
  return [...edits.set, ...edits.add].findLast(({ name }) => isHost(name))?.value.toLowerCase() ?? '';
}

function isHost(name: string): boolean {
  return name.toLowerCase() === 'host';
}
