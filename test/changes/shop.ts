/**
 * A small shop whose rules change: what there is at one moment, as an immutable value, and its manifests. Services in
 * front (`front-*`) are called; routes on them choose among Services behind (`back-*`). A rule says in the answer's
 * `x-rule` which one it is, and a backend in `x-back`, so that an answer tells by which state it was made.
 */
import type { KubernetesObject } from '../cluster/harness/kubectl.ts';

export const NS = 'tulle-changes';

/** Versions of the application; each backend has the pods of one. */
export type Version = 'v1' | 'v2';

export const backs = { 'back-a': 'v1', 'back-b': 'v2', 'back-c': 'v2' } as const satisfies Record<
  string,
  Version
>;
export type Back = keyof typeof backs;

export interface PodPlace {
  readonly name: string;
  readonly address: string;
  readonly version: Version;
}

/** A Service in front. One that is deleted and created again is another object with another address. */
export interface Front {
  readonly uid: string;
  readonly address: string;
}

export interface Rule {
  /** Its route: a name that stays, and an object that may be another one of that name. */
  readonly route: string;
  readonly uid: string;
  /** Counts the versions of the object, from 1. */
  readonly generation: number;
  /** Of all rules of the run, no two the same. */
  readonly id: number;
  readonly weights: Readonly<Partial<Record<Back, number>>>;
}

export interface Shop {
  readonly fronts: Readonly<Record<string, Front>>;
  /** By the Service in front that it is attached to, also while that does not exist. */
  readonly rules: Readonly<Record<string, Rule>>;
  /** Backends that exist, with their object's uid. */
  readonly backs: Readonly<Partial<Record<Back, string>>>;
  /** Endpoints of every Service, ready. */
  readonly pods: readonly PodPlace[];
}

/** The object of a Service in front; the API server gives it an address where none is named. */
export function frontObject(name: string, { uid, address }: Front): KubernetesObject {
  return service(name, uid, address, { tier: 'answering' });
}

/** Selectors are for the cluster; a folder has EndpointSlices of its own (`sliceObjects`). */
export function backObject(name: Back, uid: string): KubernetesObject {
  return service(name, uid, '', { tier: 'answering', version: backs[name] });
}

function service(
  name: string,
  uid: string,
  clusterIP: string,
  selector: Readonly<Record<string, string>>,
): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: NS, uid },
    spec: {
      selector,
      ...(clusterIP === '' ? {} : { clusterIP, clusterIPs: [clusterIP] }),
      ports: [{ name: 'http', port: 80, targetPort: 8080, appProtocol: 'http' }],
    },
  };
}

const says = (name: string, value: string): object => ({
  type: 'ResponseHeaderModifier',
  responseHeaderModifier: { set: [{ name, value }] },
});

export function routeObject(front: string, { route, uid, generation, id, weights }: Rule): KubernetesObject {
  const backendRefs = Object.entries(weights).map(([name, weight]) => ({
    name,
    port: 80,
    weight,
    filters: [says('x-back', name)],
  }));
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: route, namespace: NS, uid, generation },
    spec: {
      parentRefs: [{ group: '', kind: 'Service', name: front, port: 80 }],
      rules: [{ filters: [says('x-rule', String(id))], backendRefs }],
    },
  };
}

/** EndpointSlices of all Services, for a folder: where nobody makes them of the selectors. */
export function sliceObjects({ fronts, backs: existing, pods }: Shop): KubernetesObject[] {
  const slice = (name: string, members: readonly PodPlace[]): KubernetesObject => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace: NS, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: members.map(({ name: pod, address }) => ({
      addresses: [address],
      conditions: { ready: true },
      targetRef: { kind: 'Pod', namespace: NS, name: pod },
    })),
  });
  return [
    ...Object.keys(fronts).map(name => slice(name, pods)),
    ...Object.keys(existing).map(name =>
      slice(
        name,
        pods.filter(({ version }) => version === backs[name as Back]),
      ),
    ),
  ];
}

/** Everything but the pods. */
export function objectsOf(shop: Shop): KubernetesObject[] {
  return [
    ...Object.entries(shop.fronts).map(([name, front]) => frontObject(name, front)),
    ...Object.entries(shop.backs).map(([name, uid]) => backObject(name as Back, uid)),
    ...Object.entries(shop.rules).map(([front, rule]) => routeObject(front, rule)),
  ];
}
