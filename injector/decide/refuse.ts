import { quantity } from '../../api/annotation-values.ts';
import { type AnnotationValues, annotations } from '../../api/annotations.ts';
import { redirectContainer, sidecarContainer } from '../../api/installation.ts';
import { proxyUid } from '../../api/ports.ts';
import type { Container, Pod } from '../pod.ts';
import type { Refusal } from './decision.ts';

const reserved: readonly string[] = [redirectContainer, sidecarContainer];

/** The pod has been through the injector: then the reserved names are its own, and are written anew. */
export function injectedBefore(pod: Pod): boolean {
  return pod.metadata?.annotations?.[annotations.status.name] !== undefined;
}

/**
 * The redirection lets the sidecar's user through, so whoever runs as that user goes past the mesh
 * (RELIABILITY §4.6). `field` is where the containers stand.
 */
export function uidRefusals(containers: readonly Container[], field: string): Refusal[] {
  return containers
    .filter(
      ({ name, securityContext }) => securityContext?.runAsUser === proxyUid && !reserved.includes(name),
    )
    .map(({ name }) => ({
      reason: 'proxy_uid_used',
      sentence: `${field}[${name}].securityContext.runAsUser is ${proxyUid}, the user of the sidecar; use another`,
    }));
}

function podUidRefusal(pod: Pod): Refusal[] {
  if (pod.spec.securityContext?.runAsUser !== proxyUid) return [];
  return [
    {
      reason: 'proxy_uid_used',
      sentence: `spec.securityContext.runAsUser is ${proxyUid}, the user of the sidecar; use another`,
    },
  ];
}

function nameRefusals(pod: Pod): Refusal[] {
  const spec = pod.spec;
  const taken = [...(spec?.containers ?? []), ...(injectedBefore(pod) ? [] : (spec.initContainers ?? []))]
    .map(({ name }) => name)
    .filter(name => reserved.includes(name));
  return taken.map(name => ({
    reason: 'reserved_name',
    sentence: `a container is named ${name}, which is reserved for the injector; use another name`,
  }));
}

/** Each is caught by the API server too, but with a message about a container that the user has not written. */
function resourceRefusals(settings: AnnotationValues): Refusal[] {
  const pairs = [
    [annotations.proxyCpuRequest.name, settings.proxyCpuRequest, settings.proxyCpuLimit],
    [annotations.proxyMemoryRequest.name, settings.proxyMemoryRequest, settings.proxyMemoryLimit],
  ] as const;
  return pairs
    .filter(([, request, limit]) => quantity(request) > quantity(limit))
    .map(([name, request, limit]) => ({
      reason: 'invalid_annotation',
      sentence: `annotation ${name} is "${request}", more than the limit ${limit}; use at most the limit, or raise it`,
    }));
}

/** Everything for which a pod that asks for injection is not admitted. `problems` are those of its annotations. */
export function refusals(
  pod: Pod,
  settings: AnnotationValues,
  problems: { pod: readonly string[]; namespace: readonly string[] },
): Refusal[] {
  return [
    ...[...problems.pod, ...problems.namespace].map(sentence => ({
      reason: 'invalid_annotation' as const,
      sentence,
    })),
    ...resourceRefusals(settings),
    ...nameRefusals(pod),
    ...podUidRefusal(pod),
    ...uidRefusals(pod.spec.initContainers ?? [], 'spec.initContainers'),
    ...uidRefusals(pod.spec.containers ?? [], 'spec.containers'),
    ...uidRefusals(pod.spec.ephemeralContainers ?? [], 'spec.ephemeralContainers'),
  ];
}
