/** Which XBackendTrafficPolicy a Service has, and what one has become at each of its targets (GEP-713, conflict resolution). */
import type { Services } from './attachment.ts';
import { type Key, key, type Policy, type TrafficPolicy } from './model.ts';
import { precedes } from './precedes.ts';
import type { PolicyRecord } from './records.ts';
import { affinityProblem, meetsAffinity } from './session-affinity.ts';

/** The policy that is in force at a Service; undefined if none is. Policies do not merge. */
export function winnerOf(policies: Iterable<PolicyRecord>): PolicyRecord | undefined {
  let winner: PolicyRecord | undefined;
  for (const policy of policies) {
    if (policy.invalid === '' && (winner === undefined || precedes(policy, winner))) winner = policy;
  }
  return winner;
}

export function linkTrafficPolicy(winner: PolicyRecord | undefined): TrafficPolicy | null {
  if (winner === undefined) return null;
  const { namespace, name, uid, budget, session } = winner;
  return { origin: `XBackendTrafficPolicy/${key(namespace, name)}`, uid, budget, session };
}

/** `policiesOf`: all policies that target a Service and can be in force there. */
export function linkPolicy(
  policy: PolicyRecord,
  services: Services,
  policiesOf: (service: Key) => Iterable<PolicyRecord>,
): Policy {
  const { namespace, name, uid, generation } = policy;
  const targets = policy.targets.map((service): Policy['targets'][number] => {
    const id = key(namespace, service);
    const at = { service, sectionName: '' };
    const found = services(id);
    if (found === undefined) return { ...at, reason: 'TargetNotFound', message: missingTarget(id) };
    if (policy.invalid !== '') return { ...at, reason: 'Invalid', message: policy.invalid };
    if (meetsAffinity(policy, found)) return { ...at, reason: 'Invalid', message: affinityProblem(id) };
    const winner = winnerOf(policiesOf(id));
    if (winner === policy || winner === undefined)
      return { ...at, reason: 'Accepted', message: `The policy is in force at Service ${id}` };
    const message = lostTarget(`Service ${id}`, 'XBackendTrafficPolicy', winner);
    return { ...at, reason: 'Conflicted', message };
  });
  return { kind: 'XBackendTrafficPolicy', namespace, name, uid, generation, targets, references: null };
}

export function missingTarget(service: Key): string {
  return `spec.targetRefs names Service ${service}, which does not exist; create it or correct the name`;
}

export function lostTarget(
  target: string,
  kind: Policy['kind'],
  winner: Pick<PolicyRecord, 'namespace' | 'name'>,
): string {
  return `spec.targetRefs names ${target}, at which the older ${kind} ${winner.namespace}/${winner.name} is in force; policies do not merge, so delete one of them`;
}

/** What is wrong at targets, without `invalid`, which the object's own problems say. */
export function policyProblems({ targets }: Policy, invalid: string): string[] {
  return targets.flatMap(({ reason, message }) =>
    reason === 'Accepted' || message === invalid ? [] : [message],
  );
}
