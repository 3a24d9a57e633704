/** The MutatingWebhookConfiguration: which writes the API server sends to the injector. */
import { annotations } from '../../api/annotations.ts';
import {
  domain,
  excludedNamespaces,
  injectorName,
  systemNamespace,
  webhookConfigurationName,
} from '../../api/installation.ts';
import { type KubernetesObject, labelsOf } from './object.ts';

const inject = annotations.inject.name;

/** Label that the API server itself puts on every namespace. */
const notExcluded = {
  key: 'kubernetes.io/metadata.name',
  operator: 'NotIn',
  values: excludedNamespaces,
};

/** caBundle is left out: the injector fills it in, and applying the manifest again does not take it away. */
const common = (path: string, failurePolicy: 'Fail' | 'Ignore') => ({
  admissionReviewVersions: ['v1'],
  clientConfig: { service: { name: injectorName, namespace: systemNamespace, path, port: 443 } },
  failurePolicy,
  matchPolicy: 'Equivalent',
  reinvocationPolicy: 'IfNeeded',
  sideEffects: 'None',
  timeoutSeconds: 5,
});

const podRules = [
  { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], scope: 'Namespaced' },
  {
    apiGroups: [''],
    apiVersions: ['v1'],
    operations: ['UPDATE'],
    resources: ['pods/ephemeralcontainers'],
    scope: 'Namespaced',
  },
];

/** A pod with the label `disabled` is created without the injector, also when there is none that works. */
const notDisabled = { matchExpressions: [{ key: inject, operator: 'NotIn', values: ['disabled'] }] };

const podsOfEnabledNamespaces = {
  name: `pods.${domain}`,
  ...common('/mutate/pods', 'Fail'),
  rules: podRules,
  namespaceSelector: {
    matchExpressions: [notExcluded, { key: inject, operator: 'In', values: ['enabled'] }],
  },
  objectSelector: notDisabled,
};

const labels = 'object.metadata.?labels.orValue({})';
const given = 'object.metadata.?annotations.orValue({})';
const labelsBefore = '(oldObject == null ? {} : oldObject.metadata.?labels.orValue({}))';
const givenBefore = '(oldObject == null ? {} : oldObject.metadata.?annotations.orValue({}))';

/** Pods of other namespaces that ask for themselves; all others never reach the injector. */
const podsThatAsk = {
  name: `asking-pods.${domain}`,
  ...common('/mutate/pods', 'Ignore'),
  rules: podRules,
  namespaceSelector: {
    matchExpressions: [notExcluded, { key: inject, operator: 'NotIn', values: ['enabled'] }],
  },
  objectSelector: notDisabled,
  matchConditions: [{ name: 'asks', expression: `'${inject}' in ${labels} || '${inject}' in ${given}` }],
};

/**
 * Only writes that concern Tulle: one of its annotations is new or different, the one to inject is gone or the label does
 * not agree with it, or the label alone has changed. A namespace that agrees is written without the injector: so its own
 * repair of a label, made before it is ready, does not wait for itself.
 */
const concernsTulle = [
  `${given}.exists(k, k.startsWith('${domain}/') && (!(k in ${givenBefore}) || ${given}[k] != ${givenBefore}[k]))`,
  `('${inject}' in ${givenBefore} && !('${inject}' in ${given}))`,
  `('${inject}' in ${given} && (!('${inject}' in ${labels}) || ${labels}['${inject}'] != ${given}['${inject}']))`,
  `(!('${inject}' in ${given}) && ${labels}[?'${inject}'].orValue('') != ${labelsBefore}[?'${inject}'].orValue(''))`,
];

const namespaces = {
  name: `namespaces.${domain}`,
  ...common('/mutate/namespaces', 'Fail'),
  rules: [
    {
      apiGroups: [''],
      apiVersions: ['v1'],
      operations: ['CREATE', 'UPDATE'],
      resources: ['namespaces'],
      scope: 'Cluster',
    },
  ],
  namespaceSelector: { matchExpressions: [notExcluded] },
  matchConditions: [{ name: 'concerns-tulle', expression: concernsTulle.join(' ||\n') }],
};

export function webhookConfiguration(): KubernetesObject {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: webhookConfigurationName, labels: labelsOf(injectorName) },
    webhooks: [podsOfEnabledNamespaces, podsThatAsk, namespaces],
  };
}
