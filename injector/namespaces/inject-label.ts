/**
 * The label `tulle.dev/inject` of a namespace follows the annotation of the same name, as the API server can select
 * namespaces by label only. A label alone, without the annotation, is the user's own and stays.
 */
import { annotations, readAnnotations } from '../../api/annotations.ts';
import type { Strings } from '../pod.ts';

export interface NamespaceMeta {
  annotations?: Strings;
  labels?: Strings;
}

const { name } = annotations.inject;

export type LabelChange =
  | { kind: 'none' }
  | { kind: 'set'; value: string }
  | { kind: 'remove' }
  | { kind: 'invalid'; problems: string[] };

/** What has to happen to the label. `before` is the namespace as it was, null if it is new. */
export function labelChange(now: NamespaceMeta, before: NamespaceMeta | null): LabelChange {
  const { problems } = readAnnotations('namespace', now.annotations);
  const wanted = now.annotations?.[name];
  const label = now.labels?.[name];
  if (wanted === undefined && label !== undefined) {
    const labelProblems = readAnnotations('namespace', { [name]: label }).problems;
    problems.push(...labelProblems.map(problem => problem.replace('annotation', 'label')));
  }
  if (problems.length > 0) return { kind: 'invalid', problems };
  if (wanted !== undefined) return wanted === label ? { kind: 'none' } : { kind: 'set', value: wanted };
  const wasCopied = before?.annotations?.[name] !== undefined && before.annotations[name] === label;
  return wasCopied ? { kind: 'remove' } : { kind: 'none' };
}
