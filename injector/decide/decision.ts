import type { AnnotationValues } from '../../api/annotations.ts';

/** Why a pod is left as it is. The keys appear in metrics, logs and audit annotations. */
export const skipReasons = {
  system_namespace: 'nothing is injected in namespaces of the system',
  mirror_pod: 'the pod is the mirror of a static pod of the kubelet',
  windows: 'the sidecar does not run on Windows',
  disabled_by_pod: 'the pod says tulle.dev/inject: disabled',
  disabled_by_namespace: 'the namespace says tulle.dev/inject: disabled',
  not_enabled: 'neither the pod nor its namespace says tulle.dev/inject: enabled',
  host_network: 'the pod uses the network of its node, where redirection would affect other pods',
  already_injected: 'the pod has its sidecar already',
} as const;

export type SkipReason = keyof typeof skipReasons;

/** Why a pod that asks for injection is not admitted. */
export type RefusalReason = 'invalid_annotation' | 'proxy_uid_used' | 'reserved_name';

export interface Refusal {
  reason: RefusalReason;
  /** Field or annotation, value, and remedy. */
  sentence: string;
}

export type Decision =
  | { kind: 'inject'; settings: AnnotationValues; warnings: string[] }
  | { kind: 'skip'; reason: SkipReason; sentence: string; warnings: string[] }
  | { kind: 'refuse'; refusals: [Refusal, ...Refusal[]]; warnings: string[] };

export interface NamespaceFacts {
  name: string;
  annotations: Readonly<Record<string, string>>;
  labels: Readonly<Record<string, string>>;
}
