import { sidecarContainer } from '../../api/installation.ts';
import { sidecarSettings } from '../../api/sidecar.ts';
import { injectedBefore } from '../decide/refuse.ts';
import type { Container, Pod, Resources } from '../pod.ts';
import type { ProbeTable } from './probes.ts';

/**
 * What an earlier pass has taken out of the pod and a second one cannot find there any more. The API server calls again
 * when a later webhook has changed the pod (reinvocationPolicy), and pods are made of copies of injected ones.
 */
export interface EarlierPass {
  probes: ProbeTable;
  /** Null if there was no earlier pass. */
  appMetrics: string | null;
  /** Of the sidecar. LimitRanger adds what we leave open, and refuses the pod if it is taken away again. */
  resources: Resources;
}

function probeTable(raw: string | undefined): ProbeTable {
  try {
    const table: unknown = JSON.parse(raw ?? '{}');
    return typeof table === 'object' && table !== null ? (table as ProbeTable) : {};
  } catch {
    // Only a pod that somebody has edited by hand has this; its probes then stay as they are.
    return {};
  }
}

export function earlierPass(pod: Pod): EarlierPass {
  const sidecar: Container | undefined = injectedBefore(pod)
    ? pod.spec.initContainers?.find(({ name }) => name === sidecarContainer)
    : undefined;
  const env = (name: string): string | undefined => sidecar?.env?.find(entry => entry.name === name)?.value;
  return {
    probes: probeTable(env(sidecarSettings.probes.env)),
    appMetrics: sidecar === undefined ? null : (env(sidecarSettings.appMetrics.env) ?? ''),
    resources: sidecar?.resources ?? {},
  };
}
