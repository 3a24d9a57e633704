export interface Bound {
  readonly address: string;
  readonly port: number;
}

/** Where an application may listen. */
export interface ApplicationAddress {
  readonly address: string;
  /** To be called from there (`applicationSource`); from anywhere if absent. */
  readonly source?: string;
}

/**
 * Whether an address is one of the proxy's own ports, to which nothing is passed on: it would call itself in a circle, and
 * the application would reach the admin port through it as if it came from here.
 */
export function ownAddresses(
  bound: () => readonly Bound[],
  podIp: string,
): (host: string, port: number) => boolean {
  return (host, port) => {
    for (const { address, port: own } of bound()) {
      if (port !== own) continue;
      const any = address === '0.0.0.0' || address === '::';
      if (host === address || (any && (host === podIp || isLocal(host)))) return true;
    }
    return false;
  };
}

/** Names and addresses of this host as such. */
function isLocal(host: string): boolean {
  const name = host.toLowerCase();
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  const plain = name.startsWith('::ffff:') ? name.slice('::ffff:'.length) : name;
  return /^127(?:\.\d{1,3}){3}$/.test(plain) || ['0.0.0.0', '::', '::1'].includes(plain);
}
