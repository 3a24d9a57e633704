/** Pod in, pod out. Pure and idempotent: a pod that has been through comes out as it went in. */

import { type AnnotationValues, annotations } from '../../api/annotations.ts';
import { redirectContainer, sidecarContainer } from '../../api/installation.ts';
import type { Container, Pod } from '../pod.ts';
import { type MeshFacts, redirect, resources, sidecar, volumes } from './containers.ts';
import { earlierPass } from './earlier.ts';
import { type ProbeTable, rewriteProbes } from './probes.ts';
import { mergeMetrics } from './prometheus.ts';

/** Kubernetes' own default of terminationGracePeriodSeconds. */
const DEFAULT_GRACE_SECONDS = 30;

const added = [redirectContainer, sidecarContainer] as const;

export interface Injected {
  pod: Pod;
  warnings: string[];
}

/** Written on the pod, so that a later pass and `kubectl describe` know what is Tulle's. */
const status = (mesh: MeshFacts): string =>
  JSON.stringify({
    version: mesh.version,
    initContainers: added,
    volumes: volumes.map(({ name }) => name),
  });

/**
 * Adds redirection, sidecar and their volumes, first among the init containers so that those of the application have the
 * mesh too; takes over probes and metrics. `settings` are those of this pod.
 */
export function inject(pod: Pod, settings: AnnotationValues, mesh: MeshFacts): Injected {
  const { spec } = pod;
  const earlier = earlierPass(pod);
  const probes: Record<string, ProbeTable[string]> = {};
  const takeProbes = (container: Container): Container => {
    if (settings.rewriteProbes === 'disabled') return container;
    const grace = spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
    const rewrite = rewriteProbes(container, earlier.probes, grace);
    Object.assign(probes, rewrite.table);
    return rewrite.container;
  };
  const initContainers = (spec.initContainers ?? [])
    .filter(({ name }) => !(added as readonly string[]).includes(name))
    .map(takeProbes);
  const containers = spec.containers.map(takeProbes);

  const given = pod.metadata?.annotations ?? {};
  const scrape =
    settings.mergeMetrics === 'enabled'
      ? mergeMetrics(given, spec.containers, earlier.appMetrics)
      : { annotations: given, appMetrics: '', warnings: [] };
  const of = resources(settings, earlier.resources);

  return {
    pod: {
      ...pod,
      metadata: {
        ...pod.metadata,
        annotations: { ...scrape.annotations, [annotations.status.name]: status(mesh) },
        labels: { ...pod.metadata?.labels, [annotations.injected.name]: 'true' },
      },
      spec: {
        ...spec,
        initContainers: [
          redirect(settings, mesh, of),
          sidecar(settings, mesh, { probes, appMetrics: scrape.appMetrics, resources: of }),
          ...initContainers,
        ],
        containers,
        volumes: [
          ...(spec.volumes ?? []).filter(({ name }) => !volumes.some(ours => ours.name === name)),
          ...volumes,
        ],
      },
    },
    warnings: scrape.warnings,
  };
}
