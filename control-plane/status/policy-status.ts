/**
 * What Tulle says of a policy in `status.ancestors` (Gateway API, PolicyAncestorStatus): one entry for each Service that it
 * targets. The Service itself is the ancestor, as a mesh has no Gateway above it. Pure.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Policy } from '../model/model.ts';
import { type Condition, condition } from './condition.ts';
import { mergeParents, type ParentReference, type WantedParent } from './route-status.ts';

export interface AncestorStatus {
  readonly ancestorRef: ParentReference;
  readonly controllerName: string;
  readonly conditions?: readonly Condition[];
}

/** Most entries that an object may have (PolicyStatus.ancestors). */
const MOST = 16;

/** What is to be said of a policy, by target. */
export function wantedAncestors({ targets, references, generation }: Policy): WantedParent[] {
  const resolved = references?.reason === 'ResolvedRefs';
  const said =
    references === null
      ? []
      : [condition('ResolvedRefs', resolved, references.reason, references.message, generation)];
  return targets.map(({ service, sectionName, reason, message }) => ({
    parentRef: {
      group: '',
      kind: 'Service',
      name: service,
      ...(sectionName === '' ? {} : { sectionName }),
    },
    conditions: [condition('Accepted', reason === 'Accepted', reason, message, generation), ...said],
  }));
}

/** As {@link mergeParents}, for ancestors. Where others leave no room, what does not fit is left out. */
export function mergeAncestors(
  held: readonly AncestorStatus[],
  wanted: readonly WantedParent[],
  namespace: string,
  controller: string,
  now: string,
): AncestorStatus[] | null {
  const asParents = held.map(({ ancestorRef, ...entry }) => ({ parentRef: ancestorRef, ...entry }));
  const merged = mergeParents(asParents, wanted, namespace, controller, now);
  if (merged === null) return null;
  const fitting = merged
    .slice(0, MOST)
    .map(({ parentRef, ...entry }) => ({ ancestorRef: parentRef, ...entry }));
  return isDeepStrictEqual(fitting, held) ? null : fitting;
}
