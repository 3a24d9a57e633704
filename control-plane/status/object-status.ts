/** Objects whose status is written, and what has to be in it. Pure. */
import { gatewayRouteKinds, key, type Mesh, type Policy, type Route } from '../model/model.ts';
import type { Condition } from './condition.ts';
import { type AncestorStatus, mergeAncestors, wantedAncestors } from './policy-status.ts';
import { mergeParents, type ParentStatus, wantedParents } from './route-status.ts';
import { serviceConditions } from './service-status.ts';

export const statusKinds = [
  ...gatewayRouteKinds,
  'XBackendTrafficPolicy',
  'BackendTLSPolicy',
  'Service',
] as const;
export type StatusKind = (typeof statusKinds)[number];

/** The kind in `<kind>/<namespace>/<name>`; undefined if its status is not ours to write. */
export function statusKindOf(id: string): StatusKind | undefined {
  return statusKinds.find(kind => id.startsWith(`${kind}/`));
}

/** Of a route `parents`, of a policy `ancestors`, of a Service `conditions`. */
export interface Status {
  readonly parents?: readonly ParentStatus[];
  readonly ancestors?: readonly AncestorStatus[];
  readonly conditions?: readonly Condition[];
}

export interface StatusObject {
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    /** Services have none. */
    readonly generation?: number;
  };
  readonly status?: Status;
}

/** The part of its status that the object should have; null if nothing is to be written. */
export function statusToWrite(
  kind: StatusKind,
  { metadata, status }: StatusObject,
  mesh: Mesh,
  controller: string,
  now: string,
): Status | null {
  const { namespace, name, uid, generation } = metadata;
  const id = key(namespace, name);
  // The mesh may not know this version yet, or has rejected it and holds the one before.
  const isKnown = (held: Route | Policy | undefined): boolean =>
    held === undefined || (held.uid === uid && held.generation === generation);
  switch (kind) {
    case 'Service': {
      if ((mesh.services.get(id)?.uid ?? uid) !== uid) return null;
      const held = status?.conditions ?? [];
      const conditions = serviceConditions(metadata, held, mesh.policies, controller, now);
      return conditions === null ? null : { conditions };
    }
    case 'XBackendTrafficPolicy':
    case 'BackendTLSPolicy': {
      const policy = mesh.policies.get(`${kind}/${id}`);
      if (!isKnown(policy)) return null;
      const wanted = policy === undefined ? [] : wantedAncestors(policy);
      const ancestors = mergeAncestors(status?.ancestors ?? [], wanted, namespace, controller, now);
      return ancestors === null ? null : { ancestors };
    }
    case 'HTTPRoute':
    case 'GRPCRoute':
    case 'TLSRoute':
    case 'TCPRoute': {
      const route = mesh.routes.get(`${kind}/${id}`);
      if (!isKnown(route)) return null;
      const wanted = route === undefined ? [] : wantedParents(route);
      const parents = mergeParents(status?.parents ?? [], wanted, namespace, controller, now);
      return parents === null ? null : { parents };
    }
  }
}
