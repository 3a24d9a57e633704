/**
 * Names of what an installation consists of. Manifests are rendered with them, and the planes find each other's objects
 * by them. They are fixed: a sidecar must know where its control plane is before it has any configuration.
 */

/** The prefix of Tulle's annotations and labels, the API group of its resources, and the audience of its tokens. */
export const domain = 'tulle.dev';

/** Namespace of the control plane and the injector. */
export const systemNamespace = 'tulle-system';

/** Namespaces in which nothing is ever injected. */
export const excludedNamespaces: readonly string[] = [
  'kube-node-lease',
  'kube-public',
  'kube-system',
  systemNamespace,
];

/** Service, Deployment and ServiceAccount of the control plane. */
export const controlPlaneName = 'tulle-control-plane';

/** Service, Deployment and ServiceAccount of the injector. */
export const injectorName = 'tulle-injector';

/** MutatingWebhookConfiguration of the injector. */
export const webhookConfigurationName = 'tulle-injector';

/** Secret with the authorities that sign the injector's serving certificates. */
export const webhookSecretName = 'tulle-injector';

/** Secret of the mesh's certificate authority: `tls.crt`, `tls.key`, `ca.crt`. */
export const authoritySecretName = 'tulle-ca';

/** ConfigMap with the roots of the mesh, one in every namespace that has meshed pods. */
export const trustBundleName = 'tulle-trust-bundle';

/** Key of {@link trustBundleName} and name of the file it becomes. */
export const trustBundleKey = 'ca.crt';

/** Audience of the token with which a sidecar proves its service account; no other token is accepted. */
export const tokenAudience = domain;

/** Names of the containers that injection adds. */
export const sidecarContainer = 'tulle-sidecar';
export const redirectContainer = 'tulle-init';
