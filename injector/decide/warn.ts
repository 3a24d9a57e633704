import { type AnnotationValues, annotations } from '../../api/annotations.ts';
import { redirectContainer } from '../../api/installation.ts';
import type { Container, Pod } from '../pod.ts';
import type { NamespaceFacts } from './decision.ts';

/** Kubernetes' own default of terminationGracePeriodSeconds. */
const DEFAULT_GRACE_SECONDS = 30;

/** Capabilities with which a container can remove the redirection (RELIABILITY §4.6). */
const NETWORK_CAPABILITIES: readonly string[] = ['NET_ADMIN', 'NET_RAW', 'SYS_ADMIN', 'ALL'];

function escapes({ name, securityContext }: Container): string[] {
  if (name === redirectContainer) return [];
  const added = securityContext?.capabilities?.add?.filter(name => NETWORK_CAPABILITIES.includes(name)) ?? [];
  const how = securityContext?.privileged === true ? ['privileged'] : added;
  return how.length === 0
    ? []
    : [`container ${name} is ${how.join(', ')}: it can remove the redirection and go past the sidecar`];
}

function podSecurity(namespace: NamespaceFacts): string[] {
  const level = namespace.labels['pod-security.kubernetes.io/enforce'];
  return level === 'baseline' || level === 'restricted'
    ? [
        `namespace ${namespace.name} enforces Pod Security ${level}, which forbids the NET_ADMIN of container ${redirectContainer}`,
      ]
    : [];
}

function grace(pod: Pod, drainSeconds: number | undefined): string[] {
  const seconds = pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
  return drainSeconds !== undefined && drainSeconds > seconds
    ? [
        `${annotations.drainSeconds.name} is ${drainSeconds}, but terminationGracePeriodSeconds ends the pod after ${seconds}`,
      ]
    : [];
}

/**
 * What does not keep a pod from being injected, but may not be what its author means. `given`: what pod and namespace
 * say; defaults are nobody's mistake.
 */
export function warnings(pod: Pod, namespace: NamespaceFacts, given: Partial<AnnotationValues>): string[] {
  const containers = [...(pod.spec.initContainers ?? []), ...(pod.spec.containers ?? [])];
  return [...podSecurity(namespace), ...grace(pod, given.drainSeconds), ...containers.flatMap(escapes)];
}
