import type { Backend, RouteMatch } from '../../model/model.ts';
import { brokenBackend, readBackendService } from './backend-service.ts';
import { fields, integer, list, type Problems } from './fields.ts';
import { readFilters } from './route-filter.ts';

/** Reads `backendRefs`. What is wrong with one of them makes it a backend that answers 500 for its share. */
export function readBackends(
  value: unknown,
  path: string,
  namespace: string,
  matches: readonly RouteMatch[],
  problems: Problems,
): Backend[] {
  return list(value, path, problems).map((entry, index) => {
    const at = `${path}[${index}]`;
    const before = problems.list.length;
    const item = fields(entry ?? 'null', at, problems);
    if (item === null) return brokenBackend(problems.list[before]);
    const { service, problem, reason } = readBackendService(item, at, namespace);
    if (problem !== '') problems.addFault(reason, problem);
    const weight = integer(item.weight, `${at}.weight`, { min: 0, max: 1_000_000 }, 1, problems);
    const filters = readFilters(item.filters, `${at}.filters`, 'backend', namespace, matches, problems);
    const first = problems.list[before] ?? '';
    return {
      service: first === '' ? service : null,
      problem: first,
      weight: weight ?? 1,
      requestFields: filters.requestFields,
      responseFields: filters.responseFields,
      policy: null,
    };
  });
}
