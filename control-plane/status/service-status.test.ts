import { expect, test } from 'vitest';
import { meshOfManifests } from '../sources/mesh-of-manifests.ts';
import type { Condition } from './condition.ts';
import { affectedServices, serviceConditions } from './service-status.ts';

const CONTROLLER = 'mesh.example/control-plane';
const NOW = '2026-11-21T00:00:00Z';

const service = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, uid: web-1}
spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}
---`;

const policy = (name: string, spec = '', created = '2026-01-01'): string => `
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackendTrafficPolicy
metadata: {name: ${name}, namespace: shop, creationTimestamp: "${created}T00:00:00Z"}
spec: {targetRefs: [{group: "", kind: Service, name: web}]${spec}}
---`;

function conditions(held: readonly Condition[], ...policies: string[]): Condition[] | null {
  const { mesh } = meshOfManifests({ 'all.yaml': `${service}${policies.join('')}` });
  return serviceConditions({ namespace: 'shop', name: 'web' }, held, mesh.policies, CONTROLLER, NOW);
}

const affected: Condition = {
  type: 'mesh.example/XBackendTrafficPolicyAffected',
  status: 'True',
  reason: 'PolicyAffected',
  message: 'Affected by XBackendTrafficPolicy shop/p',
  lastTransitionTime: NOW,
};
const foreign: Condition = { ...affected, type: 'other.example/XBackendTrafficPolicyAffected' };

test('a Service says which policy is in force at it, and nothing is written where it says so already', () => {
  expect(conditions([], policy('p'))).toEqual([affected]);
  expect(conditions([{ ...affected, lastTransitionTime: '2026-01-01T00:00:00Z' }], policy('p'))).toBe(null);
});

test('a policy that is not in force is not named', () => {
  expect(conditions([], policy('p'), policy('newer', '', '2026-02-01'))).toEqual([affected]);
  expect(conditions([], policy('p', ', retryConstraint: {budget: {percent: 200}}'))).toBe(null);
});

test('what ours says goes with the policy, and what others say stays', () => {
  expect(conditions([foreign, affected])).toEqual([foreign]);
  expect(conditions([foreign])).toBe(null);
});

test('a Service that is made anew is another one', () => {
  const of = (uid: string): Map<string, string> =>
    affectedServices(meshOfManifests({ 'all.yaml': service.replace('web-1', uid) + policy('p') }).mesh);
  expect([...of('a').keys()]).toEqual(['Service/shop/web']);
  expect(of('a')).not.toEqual(of('b'));
});
