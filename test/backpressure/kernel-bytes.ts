import { readFileSync } from 'node:fs';

const LISTEN = '0A';

/** 127.16. → 107F, the end of an address as the kernel of a little-endian machine prints it. */
function printed(prefix: string): string {
  const octets = prefix.split('.').filter(octet => octet !== '');
  const hex = octets.map(octet => Number(octet).toString(16).padStart(2, '0'));
  return hex.toReversed().join('').toUpperCase();
}

/**
 * Bytes that the kernel holds for connections on loopback: written and not yet received, or received and not yet read
 * (proc_net_tcp(5)). Of those with an address that begins with `prefix` (whole octets, each with its dot), or with one of the ports.
 */
export function kernelBytes(prefix: string, ports: readonly number[]): number {
  const addressEnd = `${printed(prefix)}:`;
  const portEnds = ports.map(port => `:${port.toString(16).padStart(4, '0').toUpperCase()}`);
  const isOurs = (end: string): boolean =>
    end.includes(addressEnd) || portEnds.some(port => end.endsWith(port));
  let total = 0;
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const [, local = '', remote = '', state, queues = ''] = line.trim().split(/\s+/);
    // A listener counts connections there.
    if (state === LISTEN || !(isOurs(local) || isOurs(remote))) continue;
    for (const queue of queues.split(':')) total += Number.parseInt(queue, 16);
  }
  return total;
}
