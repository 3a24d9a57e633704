import type { Route, RouteFault, RouteRule } from '../../model/model.ts';
import type { Problems } from './fields.ts';
import type { Converted, Metadata } from './object.ts';

/** What has been read of a route; `problems` are those of the route, a rule has its own. */
export interface RouteParts extends Pick<Route, 'kind' | 'parents' | 'hostnames'> {
  readonly problems: Problems;
  readonly rules: readonly { readonly rule: RouteRule; readonly problems: Problems }[];
}

/** The record of a route, with everything that is wrong with it. */
export function routeRecord(
  { namespace, name, uid, generation, created }: Metadata,
  { kind, parents, hostnames, problems, rules }: RouteParts,
): Converted<Route> {
  const faults = faultsOf(problems, null);
  rules.forEach(({ problems: own }, index) => {
    faults.push(...faultsOf(own, index));
    problems.addAll(own);
  });
  return {
    record: {
      kind,
      namespace,
      name,
      uid,
      generation,
      created,
      parents,
      hostnames,
      rules: rules.map(({ rule }) => rule),
      problems: problems.list,
      faults: withoutRules(faults, rules.length),
    },
    problems: problems.list,
  };
}

function faultsOf(problems: Problems, rule: number | null): RouteFault[] {
  return problems.list.map(message => ({ reason: problems.reasonOf(message), rule, parent: null, message }));
}

/** Where each rule has a value that is not supported, it is the route that has. */
function withoutRules(faults: readonly RouteFault[], rules: number): readonly RouteFault[] {
  const broken = new Set(
    faults.flatMap(({ reason, rule }) => (reason === 'UnsupportedValue' && rule !== null ? [rule] : [])),
  );
  if (rules === 0 || broken.size < rules) return faults;
  return faults.map(fault => (fault.reason === 'UnsupportedValue' ? { ...fault, rule: null } : fault));
}
