import type { Mesh } from '../model/model.ts';

/**
 * Those of the problems of an object, `<kind>/<namespace>/<name>`, that its status has no place for: all, if it has no status
 * of its own; of a route that a parent does not exist or is no Service, as such a parent has no entry; of a policy what is
 * wrong besides its targets. Pure.
 */
export function unsaidInStatus(subject: string, problems: readonly string[], mesh: Mesh | null): string[] {
  const faults = mesh?.routes.get(subject)?.faults ?? [];
  const targets = mesh?.policies.get(subject)?.targets ?? [];
  const said = [...faults.filter(({ reason }) => reason !== 'ParentNotFound'), ...targets];
  return problems.filter(problem => !said.some(({ message }) => message === problem));
}
