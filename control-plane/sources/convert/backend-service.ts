import type { Backend, FaultReason } from '../../model/model.ts';
import { type Fields, integer, Problems, portLimits } from './fields.ts';

/** The Service that a BackendObjectReference names, or why it names none. */
export function readBackendService(
  item: Fields,
  path: string,
  namespace: string,
): Pick<Backend, 'service' | 'problem'> & { readonly reason: FaultReason } {
  const problems = new Problems();
  if ((item.group ?? '') !== '' && item.group !== 'core')
    problems.add(`${path}.group`, item.group, 'use "": only Services can be backends');
  if ((item.kind ?? 'Service') !== 'Service')
    problems.add(`${path}.kind`, item.kind, 'use Service: nothing else can be a backend');
  const reason = problems.list.length > 0 ? 'InvalidKind' : 'UnsupportedValue';
  if (typeof item.name !== 'string' || item.name === '')
    problems.add(`${path}.name`, item.name, 'use the name of a Service');
  if (item.namespace !== undefined && typeof item.namespace !== 'string')
    problems.add(`${path}.namespace`, item.namespace, 'use the name of a namespace');
  const port = integer(item.port, `${path}.port`, portLimits, 0, problems) ?? 0;
  // Optional in the schema, but required of a Service (BackendObjectReference.port).
  if (problems.list.length === 0 && port === 0)
    problems.add(`${path}.port`, undefined, 'give the port of the Service');
  if (problems.list.length > 0) return { service: null, problem: problems.list.join('. '), reason };
  return {
    service: {
      namespace: (item.namespace as string | undefined) ?? namespace,
      name: item.name as string,
      port,
    },
    problem: '',
    reason,
  };
}

/** A backend that cannot be used: its requests are answered with 500. */
export function brokenBackend(problem: string): Backend {
  return { service: null, problem, weight: 1, requestFields: null, responseFields: null, policy: null };
}
