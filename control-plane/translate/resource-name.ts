import { type Key, key } from '../model/model.ts';

/** What a Cluster, a ClusterLoadAssignment or a RouteConfiguration of ours is about (docs/xds.md). */
export type Subject =
  | { readonly kind: 'service'; readonly service: Key; readonly port: number }
  | { readonly kind: 'pod'; readonly workload: Key; readonly port: number };

/** Reads `service/<ns>/<name>:<port>` and `pod/<ns>/<name>:<port>`; null if it is neither. */
export function parseClusterName(name: string): Subject | null {
  const slash = name.indexOf('/');
  const target = parseTarget(name.slice(slash + 1));
  if (target === null) return null;
  switch (name.slice(0, slash)) {
    case 'service':
      return { kind: 'service', service: target.key, port: target.port };
    case 'pod':
      return { kind: 'pod', workload: target.key, port: target.port };
    default:
      return null;
  }
}

/** Reads `route/<ns>/<name>:<port>[@<consumer>]` and `route/pod/<ns>/<name>:<port>`; null if it is neither. */
export function parseRouteName(name: string): (Subject & { readonly consumer: string | null }) | null {
  if (!name.startsWith('route/')) return null;
  const rest = name.slice('route/'.length);
  if (rest.startsWith('pod/') && rest.split('/').length === 3) {
    const pod = parseTarget(rest.slice('pod/'.length));
    return pod === null ? null : { kind: 'pod', workload: pod.key, port: pod.port, consumer: null };
  }
  const at = rest.indexOf('@');
  const target = parseTarget(at < 0 ? rest : rest.slice(0, at));
  const consumer = at < 0 ? null : rest.slice(at + 1);
  if (target === null || consumer === '') return null;
  return { kind: 'service', service: target.key, port: target.port, consumer };
}

function parseTarget(text: string): { key: Key; port: number } | null {
  const match = /^([^/:@]+)\/([^/:@]+):([1-9][0-9]{0,4})$/.exec(text);
  if (match === null || Number(match[3]) > 65_535) return null;
  return { key: key(match[1], match[2]), port: Number(match[3]) };
}
