import type { Cluster } from '../cluster/cluster.ts';
import type { Resolution } from '../cluster/destination.ts';
import type { OutboundListenerConfig } from '../listener/listener-config.ts';
import { type ConnectionTable, connectionRoutes } from '../route/connection-table.ts';
import { connectionClusters } from './connections.ts';
import type { CompiledRoutes } from './route-tables.ts';

/** The one resolution of every name that the mesh does not know. */
export const ABSENT: Resolution = Object.freeze({ kind: 'absent' });

export interface Waiter {
  readonly callback: (resolution: Resolution) => void;
  readonly cancel: () => void;
}

/** What the data path sees of a destination, and what must be kept for it. */
export interface Visible {
  readonly resolution: Resolution;
  readonly config: OutboundListenerConfig | null;
  readonly compiled: CompiledRoutes | null;
  readonly cluster: Cluster | null;
  readonly connections: ConnectionTable | null;
}

/** One name that the pod has called. */
export interface Entry {
  readonly name: string;
  readonly port: number;
  /** The newest Listener; null before it came, or if there is none. */
  config: OutboundListenerConfig | null;
  /** null while nothing is known yet. */
  visible: Visible | null;
  readonly waiters: Set<Waiter>;
  /** Set by each lookup; the sweep turns it into {@link usedAt}. */
  used: boolean;
  usedAt: number;
}

/** A connection that lasts uses its endpoint without asking for the destination again. */
export function isBusy({ visible }: Entry): boolean {
  if (visible === null) return false;
  if (visible.cluster !== null && hasWork(visible.cluster)) return true;
  for (const { backends } of visible.connections === null ? [] : connectionRoutes(visible.connections))
    if (backends.some(({ cluster }) => cluster !== null && hasWork(cluster))) return true;
  for (const route of visible.compiled?.table.routes ?? []) {
    if (route.kind !== 'forward') continue;
    if (route.backends.some(({ cluster }) => cluster !== null && hasWork(cluster))) return true;
  }
  return false;
}

function hasWork(cluster: Cluster): boolean {
  return cluster.activeRequests > 0 || cluster.endpoints.some(({ active }) => active > 0);
}

export interface DescribedDestination {
  readonly name: string;
  readonly state: 'waiting' | 'found' | 'absent';
  /** Versions of what is served. */
  readonly listener: string;
  readonly routes: { readonly name: string; readonly version: string } | null;
  readonly clusters: readonly string[];
  /** A newer configuration is there and not complete yet. */
  readonly warming: boolean;
}

export function describeEntry({ name, visible, config }: Entry): DescribedDestination {
  const kind = visible === null ? 'waiting' : visible.resolution.kind === 'found' ? 'found' : 'absent';
  const table = visible?.compiled?.table ?? null;
  const clusters = new Set(visible?.compiled?.clusters);
  const single = visible?.cluster ?? null;
  if (single !== null) clusters.add(single.name);
  for (const name of connectionClusters(visible?.config?.connections ?? null)) clusters.add(name);
  return {
    name,
    state: kind,
    listener: visible?.config?.version ?? '',
    routes: table === null ? null : { name: table.name, version: table.version },
    clusters: [...clusters],
    warming: config !== null && config !== visible?.config,
  };
}
