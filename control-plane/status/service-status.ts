/**
 * What Tulle says of a Service in `status.conditions`: which policies affect it, by which its owner finds what somebody
 * else has written about it (GEP-713, target object status). Pure.
 */
import { isDeepStrictEqual } from 'node:util';
import { key, type Mesh, type Policy } from '../model/model.ts';
import { type Condition, mergeConditions, type WantedCondition } from './condition.ts';

const inForceAt = ({ targets }: Policy, service: string): boolean =>
  targets.some(target => target.service === service && target.reason === 'Accepted');

/** Of each Service that a policy affects, `Service/<namespace>/<name>`: what its status follows from. */
export function affectedServices({
  services,
  policies,
}: Pick<Mesh, 'services' | 'policies'>): Map<string, string> {
  const found = new Map<string, string>();
  for (const [id, policy] of policies)
    for (const { service, reason } of policy.targets) {
      if (reason !== 'Accepted') continue;
      const at = key(policy.namespace, service);
      found.set(`Service/${at}`, `${found.get(`Service/${at}`) ?? services.get(at)?.uid} ${id}`);
    }
  return found;
}

/**
 * `status.conditions` of a Service as they should be; null if they are that already. Types are
 * `<domain of the controller>/<kind of policy>Affected`, one for each kind; those of others stay. A Service has no
 * generation in most releases of Kubernetes; where it has one it is what the condition is about.
 */
export function serviceConditions(
  { namespace, name, generation }: { namespace: string; name: string; generation?: number },
  held: readonly Condition[],
  policies: Mesh['policies'],
  controller: string,
  now: string,
): Condition[] | null {
  const domain = controller.split('/')[0];
  const affecting = [...policies.values()].filter(
    policy => policy.namespace === namespace && inForceAt(policy, name),
  );
  const wanted = [...Map.groupBy(affecting, policy => policy.kind)].map(([kind, by]): WantedCondition => {
    const names = by.map(policy => `${kind} ${key(namespace, policy.name)}`).sort();
    return {
      type: `${domain}/${kind}Affected`,
      status: 'True',
      reason: 'PolicyAffected',
      message: `Affected by ${names.join(', ')}`,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    };
  });
  const before = held.filter(({ type }) => type.startsWith(`${domain}/`) && type.endsWith('Affected'));
  const owned = [...before, ...wanted].map(({ type }) => type);
  const merged = mergeConditions(held, wanted, owned, now);
  return isDeepStrictEqual(merged, held) ? null : merged;
}
