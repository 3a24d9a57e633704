/** Rules for a Service's requests. */
import type { KubernetesObject } from '../harness/kubectl.ts';

/** Service and its weight. */
export type Weights = Readonly<Record<string, number>>;

/** All requests to a Service's port 80 to others by weight. `rule`: further members of the rule. */
export function httpRoute(
  namespace: string,
  service: string,
  weights: Weights,
  rule: object = {},
): KubernetesObject {
  const backendRefs = Object.entries(weights).map(([name, weight]) => ({ name, port: 80, weight }));
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: service, namespace },
    spec: {
      parentRefs: [{ group: '', kind: 'Service', name: service, port: 80 }],
      rules: [{ backendRefs, ...rule }],
    },
  };
}

export function trafficSplit(
  version: 'v1alpha2' | 'v1alpha4',
  namespace: string,
  service: string,
  weights: Weights,
): KubernetesObject {
  return {
    apiVersion: `split.smi-spec.io/${version}`,
    kind: 'TrafficSplit',
    metadata: { name: service, namespace },
    spec: {
      service,
      backends: Object.entries(weights).map(([name, weight]) => ({ service: name, weight })),
    },
  };
}
