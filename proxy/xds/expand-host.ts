import { isIP } from 'node:net';

/**
 * The full name of the Service that an application means by a host: `web`, `web.shop` and `web.shop.svc` become
 * `web.shop.svc.<cluster domain>`, as the search list of a pod's resolv.conf does it. Lower case, without a dot at the
 * end; an address and any other name stay. A name that turns out to be no Service is the original host.
 */
export function expandHost(host: string, namespace: string, clusterDomain: string): string {
  const name = (host.endsWith('.') ? host.slice(0, -1) : host).toLowerCase();
  if (isIP(name) !== 0) return name;
  const labels = name.split('.');
  if (labels.length === 1) return `${name}.${namespace}.svc.${clusterDomain}`;
  if (labels.length === 2) return `${name}.svc.${clusterDomain}`;
  if (labels.length === 3 && labels[2] === 'svc') return `${name}.${clusterDomain}`;
  return name;
}

/** Hosts that are remembered; an application that calls more pays for the expansion each time. */
const MAX_REMEMBERED = 1000;

/** {@link expandHost} for one pod, remembered: it is asked for every request. */
export function hostExpansion(namespace: string, clusterDomain: string): (host: string) => string {
  const known = new Map<string, string>();
  return host => {
    const remembered = known.get(host);
    if (remembered !== undefined) return remembered;
    const expanded = expandHost(host, namespace, clusterDomain);
    if (known.size < MAX_REMEMBERED) known.set(host, expanded);
    return expanded;
  };
}
