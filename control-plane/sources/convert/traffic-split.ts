import type { SplitRecord } from '../../model/records.ts';
import { fields, listOfFields, oneOf, Problems, requiredText } from './fields.ts';
import type { Converted, KubernetesObject } from './object.ts';

/** Most that weights may be, so that their sum stays an unsigned 32-bit integer (Envoy's weighted_clusters). */
const MOST_WEIGHT = 1_000_000;

/**
 * A weight: an integer, or in v1alpha1 a Kubernetes quantity such as `500m` or `1`. In thousandths, as weights are
 * proportions.
 */
function readWeight(value: unknown): number | null {
  const written = typeof value === 'number' ? String(value) : value;
  const quantity = /^([0-9]{1,7}(?:\.[0-9]{1,3})?)(m?)$/.exec(typeof written === 'string' ? written : '');
  if (quantity === null) return null;
  const thousandths = Math.round(Number(quantity[1]) * (quantity[2] === 'm' ? 1 : 1000));
  return thousandths <= MOST_WEIGHT * 1000 ? thousandths : null;
}

/** Divides by what all weights have in common, so that 90 and 10 stay 9 and 1 and not 90,000 and 10,000. */
function reduce(weights: readonly number[]): number[] {
  const divisor = weights.reduce((a, b) => {
    while (b !== 0) [a, b] = [b, a % b];
    return a;
  }, 0);
  return weights.map(weight => (divisor === 0 ? 0 : weight / divisor));
}

/** Names of the HTTPRouteGroups that say which requests are split (v1alpha3 and later). */
function readGroups(value: unknown, problems: Problems): string[] {
  return listOfFields(value, 'spec.matches', problems).flatMap(({ item, path }) => {
    if ((item.apiGroup ?? 'specs.smi-spec.io') !== 'specs.smi-spec.io')
      problems.add(`${path}.apiGroup`, item.apiGroup, 'use specs.smi-spec.io');
    oneOf(item.kind, `${path}.kind`, ['HTTPRouteGroup'], 'HTTPRouteGroup', problems);
    const name = requiredText(item.name, `${path}.name`, problems);
    return name === null ? [] : [name];
  });
}

/** A TrafficSplit (split.smi-spec.io v1alpha1 to v1alpha4). Any mistake makes it unusable: a split is its weights. */
export function convertTrafficSplit({ metadata, fields: object }: KubernetesObject): Converted<SplitRecord> {
  const problems = new Problems();
  const { namespace, name, uid, generation, created } = metadata;
  const spec = fields(object.spec, 'spec', problems) ?? {};
  const service = requiredText(spec.service, 'spec.service', problems);
  const groups = readGroups(spec.matches, problems);
  const given = listOfFields(spec.backends, 'spec.backends', problems);
  if (given.length === 0) problems.add('spec.backends', spec.backends, 'use a list of at least one backend');
  const backends = given.map(({ item, path }) => {
    const weight = readWeight(item.weight);
    if (weight === null)
      problems.add(
        `${path}.weight`,
        item.weight,
        `use an integer from 0 to ${MOST_WEIGHT}, or a quantity such as 500m`,
      );
    return { service: requiredText(item.service, `${path}.service`, problems) ?? '', weight: weight ?? 0 };
  });
  if (problems.list.length > 0 || service === null) return { record: null, problems: problems.list };
  const weights = reduce(backends.map(backend => backend.weight));
  return {
    record: {
      namespace,
      name,
      uid,
      generation,
      created,
      service,
      groups,
      backends: backends.map((backend, index) => ({ ...backend, weight: weights[index] })),
    },
    problems: [],
  };
}
