import type { Route } from '../../model/model.ts';
import { integer, listOfFields, type Problems, portLimits, requiredText, text } from './fields.ts';

/**
 * The Services among `parentRefs`. Gateways are others' business and are passed over in silence; of what is meant to be
 * a Service every mistake is reported; a route is in force at its other parents.
 */
export function readParents(value: unknown, namespace: string, problems: Problems): Route['parents'] {
  return listOfFields(value, 'spec.parentRefs', problems).flatMap(({ item, path }) => {
    if (item.kind !== 'Service') return [];
    // The group defaults to Gateway API's own, in which there is no Service (ParentReference.group).
    if (item.group !== '' && item.group !== 'core') {
      problems.add(`${path}.group`, item.group, 'use "" for a Service', 'NotApplied');
      return [];
    }
    const name = requiredText(item.name, `${path}.name`, problems);
    const own = text(item.namespace, `${path}.namespace`, problems);
    const port = integer(item.port, `${path}.port`, portLimits, 0, problems);
    const sectionName = text(item.sectionName, `${path}.sectionName`, problems);
    return name === null || own === null || port === null || sectionName === null
      ? []
      : [{ namespace: own === '' ? namespace : own, name, port, sectionName }];
  });
}
