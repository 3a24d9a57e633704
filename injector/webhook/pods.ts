/** Admission of pods: decide, inject, and say what changed or why nothing did. */
import { type AnnotationValues, annotations } from '../../api/annotations.ts';
import { decide } from '../decide/decide.ts';
import { type NamespaceFacts, type Refusal, skipReasons } from '../decide/decision.ts';
import { uidRefusals } from '../decide/refuse.ts';
import type { MeshFacts } from '../inject/containers.ts';
import { inject } from '../inject/inject.ts';
import { diff, type Json } from '../inject/json-patch.ts';
import type { Pod } from '../pod.ts';
import { type AdmissionRequest, type Answer, allowed, denied, patched, ReviewError } from './review.ts';

export interface PodAdmission {
  mesh: MeshFacts;
  /** Defaults of the mesh for the settings of pods. */
  defaults: Partial<AnnotationValues>;
  /** The namespace as it is now, not from a cache: a pod may follow its namespace within milliseconds. */
  namespace(name: string): Promise<NamespaceFacts>;
}

function isPod(object: unknown): object is Pod {
  const spec = (object as { spec?: { containers?: unknown } } | null)?.spec;
  return Array.isArray(spec?.containers);
}

function refuse([first, ...rest]: readonly [Refusal, ...Refusal[]], warnings: readonly string[]): Answer {
  const sentences = [first, ...rest].map(({ sentence }) => sentence);
  return denied(first.reason, `the pod cannot be injected: ${sentences.join('; ')}`, warnings);
}

/** An ephemeral container that runs as the sidecar would go past the mesh, as any other. */
function reviewEphemeral(pod: Pod): Answer {
  if (pod.metadata?.labels?.[annotations.injected.name] !== 'true') {
    return allowed('not_injected', 'the pod has no sidecar');
  }
  const [first, ...rest] = uidRefusals(pod.spec.ephemeralContainers ?? [], 'spec.ephemeralContainers');
  return first === undefined
    ? allowed('ephemeral_container', 'the container does not run as the sidecar')
    : refuse([first, ...rest], []);
}

/** Reviews the creation of a pod, or of an ephemeral container in one. */
export async function reviewPod(request: AdmissionRequest, admission: PodAdmission): Promise<Answer> {
  const pod = request.object;
  if (!isPod(pod)) throw new ReviewError(400, 'the object of the review is not a Pod');
  if (request.subResource === 'ephemeralcontainers') return reviewEphemeral(pod);
  if (request.operation !== 'CREATE')
    return allowed('not_created', `nothing is done on ${request.operation}`);

  const decision = decide(pod, await admission.namespace(request.namespace), admission.defaults);
  switch (decision.kind) {
    case 'skip':
      return allowed(decision.reason, decision.sentence, decision.warnings);
    case 'refuse':
      return refuse(decision.refusals, decision.warnings);
    case 'inject': {
      const injected = inject(pod, decision.settings, admission.mesh);
      const patch = diff(pod as unknown as Json, injected.pod as unknown as Json);
      const warnings = [...decision.warnings, ...injected.warnings];
      return patch.length === 0
        ? allowed('already_injected', skipReasons.already_injected)
        : patched('injected', 'the pod gets a sidecar', patch, warnings);
    }
  }
}
