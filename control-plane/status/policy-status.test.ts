import { expect, test } from 'vitest';
import { meshOfManifests } from '../sources/mesh-of-manifests.ts';
import { type AncestorStatus, mergeAncestors, wantedAncestors } from './policy-status.ts';

const services = ['one', 'two']
  .map(
    name => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop}
spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}
---`,
  )
  .join('');

function policy(name: string, targets: readonly string[], spec = '', created = '2026-01-02'): string {
  const refs = targets.map(target => `{group: "", kind: Service, name: ${target}}`).join(', ');
  return `
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackendTrafficPolicy
metadata: {name: ${name}, namespace: shop, generation: 5, creationTimestamp: "${created}T00:00:00Z"}
spec: {targetRefs: [${refs}]${spec}}
---`;
}

/** Conditions of a policy by target, and what is wrong with all. */
function outcome(name: string, ...policies: string[]): { status: string[]; problems: string[] } {
  const { mesh, problems } = meshOfManifests({ 'all.yaml': `${services}${policies.join('')}` });
  const found = mesh.policies.get(`XBackendTrafficPolicy/shop/${name}`);
  const wanted = found === undefined ? [] : wantedAncestors(found);
  return {
    status: wanted.flatMap(({ parentRef, conditions }) =>
      conditions.map(({ type, status, reason, message, observedGeneration }) => {
        expect([parentRef.group, parentRef.kind, observedGeneration]).toEqual(['', 'Service', 5]);
        return `${parentRef.name} ${type}=${status}/${reason}: ${message}`;
      }),
    ),
    problems: problems.flatMap(({ problems }) => problems),
  };
}

test('a policy has an entry for each Service that it targets', () => {
  const missing =
    'spec.targetRefs names Service shop/gone, which does not exist; create it or correct the name';
  expect(outcome('p', policy('p', ['one', 'gone', 'two']))).toEqual({
    status: [
      'one Accepted=True/Accepted: The policy is in force at Service shop/one',
      `gone Accepted=False/TargetNotFound: ${missing}`,
      'two Accepted=True/Accepted: The policy is in force at Service shop/two',
    ],
    problems: [missing],
  });
});

test('of several policies the oldest wins, then the first by name, whole', () => {
  const all = [
    policy('b', ['one', 'two']),
    policy('a', ['one']),
    policy('old', ['two'], '', '2026-01-01'),
    policy('broken', ['one'], ', retryConstraint: {budget: {percent: 101}}', '2025-01-01'),
  ];
  const lost = (service: string, winner: string) =>
    `spec.targetRefs names Service shop/${service}, at which the older XBackendTrafficPolicy shop/${winner} is in force; policies do not merge, so delete one of them`;
  expect(outcome('b', ...all).status).toEqual([
    `one Accepted=False/Conflicted: ${lost('one', 'a')}`,
    `two Accepted=False/Conflicted: ${lost('two', 'old')}`,
  ]);
  expect(outcome('a', ...all).status).toEqual([
    'one Accepted=True/Accepted: The policy is in force at Service shop/one',
  ]);
  expect(outcome('broken', ...all).status).toEqual([
    'one Accepted=False/Invalid: spec.retryConstraint.budget.percent is 101; use an integer from 0 to 100',
  ]);
});

test('sessions are refused at a Service with an affinity of its own, and the next policy is in force there', () => {
  const sticky = `
apiVersion: v1
kind: Service
metadata: {name: sticky, namespace: shop}
spec: {clusterIP: 10.0.0.9, sessionAffinity: ClientIP, ports: [{port: 80}]}
---`;
  const all = [
    sticky,
    policy('sessions', ['sticky', 'one'], ', sessionPersistence: {}', '2026-01-01'),
    policy('budget', ['sticky'], ', retryConstraint: {}'),
  ];
  expect(outcome('sessions', ...all).status).toEqual([
    'sticky Accepted=False/Invalid: spec.sessionPersistence meets Service shop/sticky, whose sessionAffinity is "ClientIP"; set sessionAffinity of the Service to None, or leave sessionPersistence out',
    'one Accepted=True/Accepted: The policy is in force at Service shop/one',
  ]);
  expect(outcome('budget', ...all)).toMatchObject({
    status: ['sticky Accepted=True/Accepted: The policy is in force at Service shop/sticky'],
    problems: [expect.stringContaining('spec.sessionAffinity is "ClientIP"'), expect.anything()],
  });
});

test('what targets no Service is said, and has no entry', () => {
  const other = policy('p', ['one']).replace('kind: Service, name: one', 'kind: ServiceImport, name: one');
  expect(outcome('p', other)).toEqual({
    status: [],
    problems: ['spec.targetRefs[0] is {"group":"","kind":"ServiceImport"}; use group "" and kind Service'],
  });
});

test('entries of others stay, our own that are over go, and nothing is written that is right', () => {
  const { mesh } = meshOfManifests({ 'all.yaml': `${services}${policy('p', ['one'])}` });
  const policies = [...mesh.policies.values()];
  const wanted = wantedAncestors(policies[0]);
  const entry = (name: string, controllerName: string): AncestorStatus => ({
    ancestorRef: { group: '', kind: 'Service', name },
    controllerName,
    conditions: [],
  });
  const foreign = entry('one', 'example.com/other');
  const merged = mergeAncestors([foreign, entry('two', 'us')], wanted, 'shop', 'us', 'now');
  expect(merged?.map(({ ancestorRef, controllerName }) => [ancestorRef.name, controllerName])).toEqual([
    ['one', 'example.com/other'],
    ['one', 'us'],
  ]);
  expect(mergeAncestors(merged ?? [], wanted, 'shop', 'us', 'later')).toBe(null);
  const full = Array.from({ length: 16 }, (_, i) => entry(`s${i}`, 'example.com/other'));
  expect(mergeAncestors(full, wanted, 'shop', 'us', 'now')).toBe(null);
});
