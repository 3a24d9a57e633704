import { controlPlaneName, injectorName, systemNamespace } from '../../api/installation.ts';

/** A Kubernetes object as it is printed; the order of its members is the order in the manifest. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Readonly<Record<string, string>>;
    annotations?: Readonly<Record<string, string>>;
  };
  [member: string]: unknown;
}

export type Component = typeof controlPlaneName | typeof injectorName;

export const selectorOf = (component: Component) => ({ 'app.kubernetes.io/name': component });

export const labelsOf = (component: Component) => ({
  ...selectorOf(component),
  'app.kubernetes.io/part-of': 'tulle',
});

/** Metadata of an object of a component in Tulle's own namespace. */
export const metadataOf = (component: Component, name: string = component) => ({
  name,
  namespace: systemNamespace,
  labels: labelsOf(component),
});
