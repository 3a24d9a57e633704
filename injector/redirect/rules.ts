/**
 * The redirection as iptables rules of the nat table. Pure.
 *
 * Incoming connections go to the sidecar's inbound port, outgoing ones to its outbound port; it reads where they were
 * going from the kernel (SO_ORIGINAL_DST). Only TCP: UDP and others pass as if there were no mesh.
 */

import type { PortRange } from '../../api/annotation-values.ts';
import { applicationSource } from '../../api/ports.ts';
import type { Redirection } from './settings.ts';

export type Family = 'ipv4' | 'ipv6';

export const inboundChain = 'TULLE_INBOUND';
export const outboundChain = 'TULLE_OUTBOUND';

const loopback: Readonly<Record<Family, string>> = { ipv4: '127.0.0.0/8', ipv6: '::1/128' };

/** From the built-in chains into ours. What the sidecar sends to the application comes in over `lo` and is left alone. */
const jumps: readonly { from: string; rule: string }[] = [
  { from: 'PREROUTING', rule: `! -i lo -p tcp -j ${inboundChain}` },
  { from: 'OUTPUT', rule: `-p tcp -j ${outboundChain}` },
];

const ports = ({ from, to }: PortRange): string => `-p tcp --dport ${from === to ? from : `${from}:${to}`}`;

const cidrFamily = (cidr: string): Family => (cidr.includes(':') ? 'ipv6' : 'ipv4');

function inboundRules({ adminPort, inboundPort, skipInboundPorts }: Redirection): string[] {
  return [
    // Probes and metrics are for the kubelet and Prometheus, which are not in the mesh.
    `${ports({ from: adminPort, to: adminPort })} -j RETURN`,
    ...skipInboundPorts.map(range => `${ports(range)} -j RETURN`),
    `-p tcp -j REDIRECT --to-ports ${inboundPort}`,
  ];
}

function outboundRules(of: Redirection, family: Family): string[] {
  const sidecar = `-m owner --uid-owner ${of.proxyUid}`;
  return [
    // The sidecar calls the application of its pod by the pod's address, which is not the same as calling a peer there.
    // There is one loopback address in IPv6, so no second one to tell it by.
    ...(family === 'ipv4' ? [`-s ${applicationSource}/32 -o lo -j RETURN`] : []),
    // A Service may lead back to the pod that calls it: then the sidecar calls itself, by the pod's address, and must
    // find its own inbound side there as any peer does.
    `! -d ${loopback[family]} -o lo ${sidecar} -j ${inboundChain}`,
    `${sidecar} -j RETURN`,
    '-o lo -j RETURN',
    ...of.skipOutboundCidrs.filter(cidr => cidrFamily(cidr) === family).map(cidr => `-d ${cidr} -j RETURN`),
    ...of.skipOutboundPorts.map(range => `${ports(range)} -j RETURN`),
    `-p tcp -j REDIRECT --to-ports ${of.outboundPort}`,
  ];
}

const hasJump = (saved: string, from: string, rule: string): boolean =>
  saved
    .split('\n')
    .some(line => line.startsWith(`-A ${from} `) && line.endsWith(rule.slice(rule.indexOf('-j'))));

/**
 * Input of `iptables-restore --noflush`, applied as a whole or not at all. `saved`: output of `iptables-save -t nat`, as
 * the container may run again where the rules stand already. Rules of others in the table are kept.
 */
export function restoreInput(of: Redirection, family: Family, saved: string): string {
  return [
    '*nat',
    // Naming a chain of our own makes it, or empties it.
    `:${inboundChain} - [0:0]`,
    `:${outboundChain} - [0:0]`,
    ...inboundRules(of).map(rule => `-A ${inboundChain} ${rule}`),
    ...outboundRules(of, family).map(rule => `-A ${outboundChain} ${rule}`),
    ...jumps
      .filter(({ from, rule }) => !hasJump(saved, from, rule))
      .map(({ from, rule }) => `-I ${from} ${rule}`),
    'COMMIT',
    '',
  ].join('\n');
}

/** What is missing of the rules in the output of `iptables-save -t nat`, a phrase each; empty if they are in force. */
export function missingRules(of: Redirection, family: Family, saved: string): string[] {
  const lines = saved.split('\n');
  const expected: [string, number][] = [
    [inboundChain, inboundRules(of).length],
    [outboundChain, outboundRules(of, family).length],
  ];
  return [
    ...jumps
      .filter(({ from, rule }) => !hasJump(saved, from, rule))
      .map(({ from, rule }) => `${from} has no rule ${rule}`),
    ...expected.flatMap(([chain, count]) => {
      const found = lines.filter(line => line.startsWith(`-A ${chain} `)).length;
      return found === count ? [] : [`chain ${chain} has ${found} rules instead of ${count}`];
    }),
  ];
}

/** Addresses for documentation (RFC 5737): nobody is there, so only redirection makes a connection succeed. */
const nobody = ['192.0.2.1', '198.51.100.1', '203.0.113.1'];

function number(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function contains(cidr: string, address: string): boolean {
  const [network, length] = cidr.split('/');
  const size = 2 ** (32 - Number(length));
  return Math.floor(number(network) / size) === Math.floor(number(address) / size);
}

/** Where a connection is redirected and nobody answers otherwise; null if everything of that kind is skipped. */
export function checkTarget(of: Redirection): { address: string; port: number } | null {
  const skipped = of.skipOutboundCidrs.filter(cidr => cidrFamily(cidr) === 'ipv4');
  const address = nobody.find(candidate => !skipped.some(cidr => contains(cidr, candidate)));
  const port = [80, 443, 1, 65_535].find(
    candidate => !of.skipOutboundPorts.some(({ from, to }) => candidate >= from && candidate <= to),
  );
  return address === undefined || port === undefined ? null : { address, port };
}
