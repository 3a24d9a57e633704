/**
 * What the control plane and the injector may do. Nothing more than they use: no wildcards, no Secrets but their own by
 * name, nothing that escalates (RELIABILITY §4.10). A cluster test holds the API server's own view against a list.
 */
import {
  authoritySecretName,
  controlPlaneName,
  injectorName,
  systemNamespace,
  trustBundleName,
  webhookConfigurationName,
  webhookSecretName,
} from '../../api/installation.ts';
import { type Component, type KubernetesObject, labelsOf, metadataOf } from './object.ts';

interface Rule {
  apiGroups: readonly string[];
  resources: readonly string[];
  resourceNames?: readonly string[];
  verbs: readonly string[];
}

const read = ['get', 'list', 'watch'] as const;
const routes = ['httproutes', 'grpcroutes', 'tlsroutes', 'tcproutes'] as const;

const controlPlaneCluster: readonly Rule[] = [
  { apiGroups: [''], resources: ['namespaces', 'nodes', 'pods', 'services'], verbs: read },
  // Which policies affect a Service (GEP-713).
  { apiGroups: [''], resources: ['services/status'], verbs: ['update'] },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: read },
  { apiGroups: ['gateway.networking.k8s.io'], resources: routes, verbs: read },
  {
    apiGroups: ['gateway.networking.k8s.io'],
    resources: routes.map(route => `${route}/status`),
    verbs: ['update'],
  },
  // The name of an object that is being created is not known when the right is checked.
  { apiGroups: ['gateway.networking.x-k8s.io'], resources: ['xmeshes'], verbs: ['create', 'get', 'list'] },
  { apiGroups: ['gateway.networking.x-k8s.io'], resources: ['xmeshes/status'], verbs: ['update'] },
  { apiGroups: ['gateway.networking.x-k8s.io'], resources: ['xbackendtrafficpolicies'], verbs: read },
  {
    apiGroups: ['gateway.networking.x-k8s.io'],
    resources: ['xbackendtrafficpolicies/status'],
    verbs: ['update'],
  },
  { apiGroups: ['gateway.networking.k8s.io'], resources: ['backendtlspolicies'], verbs: read },
  { apiGroups: ['gateway.networking.k8s.io'], resources: ['backendtlspolicies/status'], verbs: ['update'] },
  // Of single ConfigMaps by name, that BackendTLSPolicies refer to: their names and namespaces are the users'.
  { apiGroups: [''], resources: ['configmaps'], verbs: ['list', 'watch'] },
  { apiGroups: ['split.smi-spec.io'], resources: ['trafficsplits'], verbs: read },
  { apiGroups: ['specs.smi-spec.io'], resources: ['httproutegroups'], verbs: read },
  { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['create'] },
  { apiGroups: [''], resources: ['configmaps'], resourceNames: [trustBundleName], verbs: ['get', 'update'] },
  { apiGroups: [''], resources: ['events'], verbs: ['create', 'patch'] },
];

const controlPlaneOwn: readonly Rule[] = [
  { apiGroups: [''], resources: ['secrets'], verbs: ['create'] },
  {
    apiGroups: [''],
    resources: ['secrets'],
    resourceNames: [authoritySecretName],
    verbs: ['get', 'list', 'update', 'watch'],
  },
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
  {
    apiGroups: ['coordination.k8s.io'],
    resources: ['leases'],
    resourceNames: [controlPlaneName],
    verbs: ['get', 'update'],
  },
];

const injectorCluster: readonly Rule[] = [
  { apiGroups: [''], resources: ['namespaces'], verbs: [...read, 'patch'] },
  {
    apiGroups: ['admissionregistration.k8s.io'],
    resources: ['mutatingwebhookconfigurations'],
    resourceNames: [webhookConfigurationName],
    verbs: ['get', 'patch'],
  },
];

const injectorOwn: readonly Rule[] = [
  { apiGroups: [''], resources: ['secrets'], resourceNames: [webhookSecretName], verbs: ['get', 'patch'] },
];

const group = 'rbac.authorization.k8s.io';

function rights(component: Component, cluster: readonly Rule[], own: readonly Rule[]): KubernetesObject[] {
  const apiVersion = `${group}/v1`;
  const subjects = [{ kind: 'ServiceAccount', name: component, namespace: systemNamespace }];
  const wide = { name: component, labels: labelsOf(component) };
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: metadataOf(component) },
    { apiVersion, kind: 'ClusterRole', metadata: wide, rules: cluster },
    {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata: wide,
      roleRef: { apiGroup: group, kind: 'ClusterRole', name: component },
      subjects,
    },
    { apiVersion, kind: 'Role', metadata: metadataOf(component), rules: own },
    {
      apiVersion,
      kind: 'RoleBinding',
      metadata: metadataOf(component),
      roleRef: { apiGroup: group, kind: 'Role', name: component },
      subjects,
    },
  ];
}

/** ServiceAccounts with their roles and bindings. */
export function accounts(): KubernetesObject[] {
  return [
    ...rights(controlPlaneName, controlPlaneCluster, controlPlaneOwn),
    ...rights(injectorName, injectorCluster, injectorOwn),
  ];
}
