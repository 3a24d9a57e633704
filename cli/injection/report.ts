/** Which pods have a sidecar, and why the others have none: decided anew by the injector's own code. */
import { annotations } from '../../api/annotations.ts';
import { decide } from '../../injector/decide/decide.ts';
import type { NamespaceFacts } from '../../injector/decide/decision.ts';
import type { ObjectMeta, Pod } from '../../injector/pod.ts';

export type StoredPod = Pod & { metadata: ObjectMeta & { namespace: string } };

export interface Line {
  namespace: string;
  pod: string;
  /** `missing`: it asks for a sidecar and has none, as it is older than the wish, or the injector was not reached. */
  state: 'injected' | 'missing' | 'skipped' | 'refused';
  reason: string;
}

function judge(pod: StoredPod, namespace: NamespaceFacts): Pick<Line, 'state' | 'reason'> {
  if (pod.metadata.labels?.[annotations.injected.name] === 'true') {
    return { state: 'injected', reason: versionOf(pod.metadata.annotations?.[annotations.status.name]) };
  }
  const decision = decide(pod, namespace, {});
  switch (decision.kind) {
    case 'inject':
      return { state: 'missing', reason: 'it was created without the injector; create it anew' };
    case 'skip':
      return { state: 'skipped', reason: `${decision.reason}: ${decision.sentence}` };
    case 'refuse':
      return { state: 'refused', reason: decision.refusals.map(({ sentence }) => sentence).join('; ') };
  }
}

function versionOf(status: string | undefined): string {
  try {
    return `version ${String((JSON.parse(status ?? '') as { version?: unknown }).version)}`;
  } catch {
    return 'of an unknown version';
  }
}

/** One line for each pod, by namespace and name. */
export function report(pods: readonly StoredPod[], namespaces: ReadonlyMap<string, NamespaceFacts>): Line[] {
  return pods
    .map(pod => {
      const { namespace, name } = pod.metadata;
      const facts = namespaces.get(namespace) ?? { name: namespace, annotations: {}, labels: {} };
      return { namespace, pod: name, ...judge(pod, facts) };
    })
    .sort((a, b) =>
      a.namespace === b.namespace ? compare(a.pod, b.pod) : compare(a.namespace, b.namespace),
    );
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** As a table with aligned columns. */
export function format(lines: readonly Line[]): string {
  const rows = [
    ['NAMESPACE', 'POD', 'SIDECAR', 'REASON'],
    ...lines.map(({ namespace, pod, state, reason }) => [namespace, pod, state, reason]),
  ];
  const widths = [0, 1, 2].map(column => Math.max(...rows.map(row => row[column].length)));
  return rows.map(row => `${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('   ')}\n`).join('');
}
