/**
 * Whether a pod is injected, and if not why. Pure: it sees the pod, its namespace and the defaults of the mesh.
 */

import {
  type AnnotationValues,
  annotations,
  readAnnotations,
  resolveAnnotations,
} from '../../api/annotations.ts';
import { excludedNamespaces } from '../../api/installation.ts';
import type { Pod } from '../pod.ts';
import { type Decision, type NamespaceFacts, type SkipReason, skipReasons } from './decision.ts';
import { refusals } from './refuse.ts';
import { warnings as podWarnings } from './warn.ts';

type Wish = 'enabled' | 'disabled' | 'none' | { invalid: string };

/**
 * What an object asks for by annotation or label. Of two that disagree `disabled` holds: the API server does not even
 * call the injector for a pod with that label.
 */
function wish(of: {
  annotations?: Readonly<Record<string, string>>;
  labels?: Readonly<Record<string, string>>;
}): Wish {
  const { name, values } = annotations.inject;
  const given = [of.annotations?.[name], of.labels?.[name]].filter(value => value !== undefined);
  const invalid = given.find(value => !(values as readonly string[]).includes(value));
  if (invalid !== undefined) return { invalid };
  if (given.includes('disabled')) return 'disabled';
  return given.includes('enabled') ? 'enabled' : 'none';
}

function skipByNature(pod: Pod, namespace: string): SkipReason | null {
  if (excludedNamespaces.includes(namespace)) return 'system_namespace';
  if (pod.metadata?.annotations?.['kubernetes.io/config.mirror'] !== undefined) return 'mirror_pod';
  if (pod.spec.os?.name === 'windows') return 'windows';
  return null;
}

function skipByWish(pod: Wish, namespace: Wish): SkipReason | null {
  if (pod === 'disabled') return 'disabled_by_pod';
  if (pod !== 'none') return null;
  if (namespace === 'disabled') return 'disabled_by_namespace';
  return namespace === 'none' ? 'not_enabled' : null;
}

const skip = (reason: SkipReason, warnings: string[] = []): Decision => ({
  kind: 'skip',
  reason,
  sentence: skipReasons[reason],
  warnings,
});

/** Decides for a pod that is being created. `mesh` holds the defaults of the installation. */
export function decide(pod: Pod, namespace: NamespaceFacts, mesh: Partial<AnnotationValues>): Decision {
  const nature = skipByNature(pod, namespace.name);
  if (nature !== null) return skip(nature);
  const podWish = wish(pod.metadata ?? {});
  const wished = skipByWish(podWish, wish(namespace));
  if (wished !== null) return skip(wished);
  if (pod.spec.hostNetwork === true) {
    return skip('host_network', [`no sidecar is injected: ${skipReasons.host_network}`]);
  }

  const ofNamespace = readAnnotations('namespace', namespace.annotations);
  const ofPod = readAnnotations('pod', pod.metadata?.annotations);
  const given = { ...ofNamespace.values, ...ofPod.values };
  const settings = resolveAnnotations(mesh, given);
  const warnings = [...ofPod.warnings, ...podWarnings(pod, namespace, given)];
  const [first, ...rest] = refusals(pod, settings, {
    pod: [...ofPod.problems, ...labelProblem(pod)],
    namespace: ofNamespace.problems.map(problem => `namespace ${namespace.name}: ${problem}`),
  });
  return first === undefined
    ? { kind: 'inject', settings, warnings }
    : { kind: 'refuse', refusals: [first, ...rest], warnings };
}

/** The label is a wish too, and is not among the annotations that are read. */
function labelProblem(pod: Pod): string[] {
  const label = wish({ labels: pod.metadata?.labels ?? {} });
  if (typeof label !== 'object') return [];
  return [`label ${annotations.inject.name} is ${JSON.stringify(label.invalid)}; use enabled or disabled`];
}
