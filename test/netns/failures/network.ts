/** Pods as network namespaces on one bridge, which is a namespace of its own, and what can go wrong between them. */
import { execFileSync } from 'node:child_process';

const PREFIX = '10.199.';
/** Pods have addresses in 10.199.8.0/24, Services in 10.199.16.0/20; only the default route knows of those. */
export const podAddress = (number: number): string => `${PREFIX}8.${number}`;
export const serviceAddress = (number: number): string => `${PREFIX}${16 + (number >> 8)}.${number & 255}`;

const run = (program: string, ...args: string[]): void => {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
};

export interface Pod {
  readonly name: string;
  readonly namespace: string;
  readonly ip: string;
  readonly number: number;
}

export class Network {
  readonly #tag: string;
  readonly #bridge: string;
  readonly #namespaces = new Set<string>();

  constructor() {
    this.#tag = process.pid.toString(36);
    this.#bridge = `tulle-net-${this.#tag}`;
    this.#add(this.#bridge);
    run('ip', '-n', this.#bridge, 'link', 'add', 'br0', 'type', 'bridge');
    run('ip', '-n', this.#bridge, 'link', 'set', 'br0', 'up');
  }

  #add(namespace: string): void {
    run('ip', 'netns', 'add', namespace);
    this.#namespaces.add(namespace);
  }

  /** The same number gives the same addresses, of IP and of Ethernet. */
  pod(name: string, number: number): Pod {
    const namespace = `tulle-${name}-${this.#tag}`;
    const link = this.#link(number);
    const ip = podAddress(number);
    const mac = `02:00:00:00:08:${number.toString(16).padStart(2, '0')}`;
    this.#add(namespace);
    const peer = ['peer', 'name', 'eth0', 'address', mac, 'netns', namespace];
    run('ip', '-n', this.#bridge, 'link', 'add', link, 'type', 'veth', ...peer);
    run('ip', '-n', this.#bridge, 'link', 'set', link, 'master', 'br0', 'up');
    run('ip', '-n', namespace, 'link', 'set', 'lo', 'up');
    run('ip', '-n', namespace, 'addr', 'add', `${ip}/24`, 'dev', 'eth0');
    run('ip', '-n', namespace, 'link', 'set', 'eth0', 'up');
    run('ip', '-n', namespace, 'route', 'add', 'default', 'dev', 'eth0');
    return { name, namespace, ip, number };
  }

  /** Pulls the pod's cable: nobody hears what becomes of its connections. */
  unplug(pod: Pod): void {
    run('ip', '-n', this.#bridge, 'link', 'set', this.#link(pod.number), 'down');
  }

  #link(number: number): string {
    return `t${number}${this.#tag}`;
  }

  /** Removes a pod with all that its kernel knew. Its processes must have ended. */
  remove(pod: Pod): void {
    // The kernel takes its time with the namespace, and the name of the link is needed again.
    run('ip', '-n', this.#bridge, 'link', 'del', this.#link(pod.number));
    run('ip', 'netns', 'del', pod.namespace);
    this.#namespaces.delete(pod.namespace);
  }

  close(): void {
    for (const namespace of this.#namespaces) run('ip', 'netns', 'del', namespace);
  }
}

const TABLE = 'failures';

function filter(pod: Pod, rules: readonly string[]): void {
  const chain = (hook: string, rule: string): string =>
    `add chain inet ${TABLE} ${hook} { type filter hook ${hook} priority -300 ; } ; add rule inet ${TABLE} ${hook} ${rule}`;
  const text = `add table inet ${TABLE} ; ${chain('input', rules[0])} ; ${chain('output', rules[1])}`;
  run('ip', 'netns', 'exec', pod.namespace, 'nft', text);
}

function unfilter(pod: Pod): void {
  run('ip', 'netns', 'exec', pod.namespace, 'nft', `delete table inet ${TABLE}`);
}

async function during(pod: Pod, rules: readonly string[], what: () => Promise<void>): Promise<void> {
  filter(pod, rules);
  try {
    await what();
  } finally {
    unfilter(pod);
  }
}

/** While it runs, packets between the pod and another vanish. */
export function cutOff(pod: Pod, from: Pod, what: () => Promise<void>): Promise<void> {
  return during(pod, [`ip saddr ${from.ip} drop`, `ip daddr ${from.ip} drop`], what);
}

/** While it runs, this share of the packets to and from the pod vanishes. */
export function lossy(pod: Pod, percent: number, what: () => Promise<void>): Promise<void> {
  const rule = `meta oifname != "lo" meta iifname != "lo" numgen random mod 100 < ${percent} drop`;
  return during(
    pod,
    [rule.replace('meta oifname != "lo" ', ''), rule.replace('meta iifname != "lo" ', '')],
    what,
  );
}
