/**
 * What a picker sees of a cluster: the endpoints it may use now, by priority, with everything computed that a pick would
 * otherwise compute. Rebuilt when endpoints change, are ejected or return; never per request.
 */
import { type AliasTable, createAliasTable } from './alias-table.ts';
import type { Endpoint } from './endpoint.ts';

/** A level with this share of usable endpoints still takes all its traffic (1 / 1.4, Envoy's overprovisioning factor). */
const OVERPROVISIONING = 1.4;

/** Below this usable share, when no other level can help, all endpoints are used: ejection would overload the rest. */
export const PANIC_THRESHOLD = 0.5;

/** The usable endpoints of one priority. */
export class PriorityLevel {
  readonly priority: number;
  readonly endpoints: readonly Endpoint[];
  /** null if all weights are equal. */
  readonly weights: AliasTable | null;
  /** Ejected endpoints are used as well. */
  readonly panic: boolean;
  /** Position of round robin. */
  cursor: number;

  constructor(priority: number, endpoints: readonly Endpoint[], panic: boolean, cursor: number) {
    this.priority = priority;
    this.endpoints = endpoints;
    this.panic = panic;
    this.cursor = cursor;
    this.weights = createAliasTable(endpoints);
    let total = 0;
    for (const endpoint of endpoints) total += endpoint.weight;
    for (const endpoint of endpoints) endpoint.share = (endpoint.weight * endpoints.length) / total;
  }
}

export class EndpointView {
  /** By priority; only levels that take traffic. */
  readonly levels: readonly PriorityLevel[];
  /** Cumulative share of traffic per level; the last is 1. */
  readonly shares: readonly number[];
  /** Clock time at which an ejected endpoint returns and the view must be rebuilt. */
  readonly validUntil: number;
  /** Typical time to the response head in ms over all endpoints; an endpoint without samples is taken to be typical. */
  typicalMs: number;

  constructor(
    levels: readonly PriorityLevel[],
    shares: readonly number[],
    validUntil: number,
    typicalMs: number,
  ) {
    this.levels = levels;
    this.shares = shares;
    this.validUntil = validUntil;
    this.typicalMs = typicalMs;
  }
}

interface Group {
  priority: number;
  all: Endpoint[];
  usable: Endpoint[];
}

/** Groups by priority, ascending. */
function groupByPriority(endpoints: readonly Endpoint[], now: number): Group[] {
  const groups = new Map<number, Group>();
  for (const endpoint of endpoints) {
    let group = groups.get(endpoint.priority);
    if (group === undefined) {
      group = { priority: endpoint.priority, all: [], usable: [] };
      groups.set(endpoint.priority, group);
    }
    group.all.push(endpoint);
    if (endpoint.ejectedUntil <= now) group.usable.push(endpoint);
  }
  return [...groups.values()].sort((a, b) => a.priority - b.priority);
}

/**
 * Share of traffic per priority as Envoy computes it: a level takes 1.4 times its usable share, the next ones what is
 * left. When all together cannot take the traffic, it is spread over them in proportion; when none is usable, by size.
 */
function spread(groups: readonly Group[], total: number): { shares: number[]; saturated: boolean } {
  const shares: number[] = [];
  let left = 1;
  for (const group of groups) {
    const share = Math.min(left, (OVERPROVISIONING * group.usable.length) / group.all.length);
    shares.push(share);
    left -= share;
  }
  const taken = 1 - left;
  if (left < 1e-9) return { shares, saturated: false };
  if (taken === 0) return { shares: groups.map(group => group.all.length / total), saturated: true };
  return { shares: shares.map(share => share / taken), saturated: true };
}

/** Builds the view of all endpoints of a cluster at a time; keeps positions and statistics of `previous`. */
export function buildView(
  endpoints: readonly Endpoint[],
  now: number,
  previous: EndpointView | null,
): EndpointView {
  let validUntil = Number.POSITIVE_INFINITY;
  for (const endpoint of endpoints) {
    if (endpoint.ejectedUntil > now && endpoint.ejectedUntil < validUntil) validUntil = endpoint.ejectedUntil;
  }
  const groups = groupByPriority(endpoints, now);
  const { shares, saturated } = spread(groups, endpoints.length);
  const levels: PriorityLevel[] = [];
  const cumulative: number[] = [];
  let sum = 0;
  groups.forEach((group, i) => {
    const panic = saturated && group.usable.length < group.all.length * PANIC_THRESHOLD;
    const members = panic ? group.all : group.usable;
    if (members.length === 0 || (shares[i] === 0 && !panic)) return;
    const cursor = previous?.levels.find(level => level.priority === group.priority)?.cursor ?? 0;
    levels.push(new PriorityLevel(group.priority, members, panic, cursor));
    sum += shares[i];
    cumulative.push(Math.min(1, sum));
  });
  if (cumulative.length > 0) cumulative[cumulative.length - 1] = 1;
  return new EndpointView(levels, cumulative, validUntil, previous?.typicalMs ?? 0);
}
