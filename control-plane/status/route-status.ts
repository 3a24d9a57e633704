/**
 * What Tulle says of a route in `status.parents` (Gateway API, RouteParentStatus): one entry for each Service that the
 * route names and that exists. Pure: the linker has found everything that is wrong.
 */
import { isDeepStrictEqual } from 'node:util';
import { domain } from '../../api/installation.ts';
import type { FaultReason, Route, RouteFault } from '../model/model.ts';
import { type Condition, condition, mergeConditions, type WantedCondition } from './condition.ts';

/** Whose entries are ours (RouteParentStatus.controllerName). */
export const controllerName = `${domain}/control-plane`;

export interface ParentReference {
  readonly group?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name: string;
  readonly sectionName?: string;
  readonly port?: number;
}

export interface ParentStatus {
  readonly parentRef: ParentReference;
  readonly controllerName: string;
  readonly conditions?: readonly Condition[];
}

export interface WantedParent {
  readonly parentRef: ParentReference;
  readonly conditions: readonly WantedCondition[];
}

const ownedTypes = ['Accepted', 'ResolvedRefs', 'PartiallyInvalid'] as const;

/** What is to be said of a route, by parent. A parent that cannot be resolved has no entry. */
export function wantedParents(route: Route): WantedParent[] {
  return route.parents.flatMap((parent, index) => {
    const faults = route.faults.filter(fault => fault.parent === null || fault.parent === index);
    if (faults.some(fault => fault.reason === 'ParentNotFound')) return [];
    const parentRef = {
      group: '',
      kind: 'Service',
      ...(parent.namespace === route.namespace ? {} : { namespace: parent.namespace }),
      name: parent.name,
      ...(parent.sectionName === '' ? {} : { sectionName: parent.sectionName }),
      ...(parent.port === 0 ? {} : { port: parent.port }),
    };
    const { generation } = route;
    return [
      {
        parentRef,
        conditions: [
          accepted(faults, generation),
          resolvedRefs(faults, generation),
          ...partiallyInvalid(faults, generation),
        ],
      },
    ];
  });
}

/** The route as a whole, at this parent; the first of these that holds is the reason. */
const refusals = ['NoMatchingParent', 'Conflicted', 'UnsupportedValue'] as const satisfies FaultReason[];

function refusal(faults: readonly RouteFault[]): (typeof refusals)[number] | undefined {
  return refusals.find(reason => faults.some(fault => fault.reason === reason && fault.rule === null));
}

function accepted(faults: readonly RouteFault[], generation: number): WantedCondition {
  const reason = refusal(faults);
  if (reason === undefined) {
    const notes = sentences(faults.filter(fault => fault.reason === 'NotApplied'));
    const message = notes === '' ? 'The route is in force' : `The route is in force, except: ${notes}`;
    return condition('Accepted', true, 'Accepted', message, generation);
  }
  const found = faults.filter(fault => fault.reason === reason && fault.rule === null);
  return condition('Accepted', false, reason, sentences(found), generation);
}

const resolutions: readonly FaultReason[] = ['InvalidKind', 'BackendNotFound', 'UnsupportedProtocol'];

function resolvedRefs(faults: readonly RouteFault[], generation: number): WantedCondition {
  const found = faults.filter(({ reason }) => resolutions.includes(reason));
  if (found.length === 0)
    return condition('ResolvedRefs', true, 'ResolvedRefs', 'All references are resolved', generation);
  return condition('ResolvedRefs', false, found[0].reason, sentences(found), generation);
}

/** Only beside Accepted=True, and with this prefix (RouteConditionPartiallyInvalid). */
function partiallyInvalid(faults: readonly RouteFault[], generation: number): WantedCondition[] {
  const found = faults.filter(({ reason, rule }) => reason === 'UnsupportedValue' && rule !== null);
  if (found.length === 0 || refusal(faults) !== undefined) return [];
  const rules = [...new Set(found.map(fault => fault.rule))].join(', ');
  const message = `Dropped Rule ${rules}: ${sentences(found)}`;
  return [condition('PartiallyInvalid', true, 'UnsupportedValue', message, generation)];
}

function sentences(faults: readonly RouteFault[]): string {
  return [...new Set(faults.map(fault => fault.message))].join('. ');
}

/**
 * `status.parents` of an object of `namespace` as it should be; null if it is that already. Entries of other controllers
 * than `controller` stay, its own for parents that are gone go.
 */
export function mergeParents(
  held: readonly ParentStatus[],
  wanted: readonly WantedParent[],
  namespace: string,
  controller: string,
  now: string,
): ParentStatus[] | null {
  const identity = (reference: ParentReference): string => identityOf(reference, namespace);
  const open = new Map(wanted.map(parent => [identity(parent.parentRef), parent]));
  const merged: ParentStatus[] = [];
  for (const entry of held) {
    if (entry.controllerName !== controller) {
      merged.push(entry);
      continue;
    }
    const parent = open.get(identity(entry.parentRef));
    if (parent === undefined) continue;
    open.delete(identity(entry.parentRef));
    merged.push({
      ...entry,
      conditions: mergeConditions(entry.conditions ?? [], parent.conditions, ownedTypes, now),
    });
  }
  for (const { parentRef, conditions } of open.values())
    merged.push({
      parentRef,
      controllerName: controller,
      conditions: mergeConditions([], conditions, ownedTypes, now),
    });
  return isDeepStrictEqual(held, merged) ? null : merged;
}

/** Equal for references to the same: the group of Services has two names, and the namespace may be left out. */
function identityOf(reference: ParentReference, namespace: string): string {
  const {
    group = 'gateway.networking.k8s.io',
    kind = 'Gateway',
    name,
    sectionName = '',
    port = 0,
  } = reference;
  return [
    group === 'core' ? '' : group,
    kind,
    reference.namespace ?? namespace,
    name,
    sectionName,
    port,
  ].join('/');
}
