import type { RetryBudget } from '../../model/model.ts';
import type { PolicyRecord } from '../../model/records.ts';
import { duration } from './duration.ts';
import { fields, integer, listOfFields, Problems, requiredText } from './fields.ts';
import type { Converted, KubernetesObject } from './object.ts';
import { readSession } from './session-persistence.ts';

const HOUR_MS = 3_600_000;
/** Defaults of the schema (RetryConstraint). */
const defaults = { percent: 20, interval: '10s', count: 10, minInterval: '1s' } as const;

/**
 * An XBackendTrafficPolicy (gateway.networking.x-k8s.io v1alpha1). With a mistake in it nothing of it is in force, which
 * its status says.
 */
export function convertTrafficPolicy({
  metadata,
  fields: object,
}: KubernetesObject): Converted<PolicyRecord> {
  const problems = new Problems();
  const { namespace, name, uid, generation, created } = metadata;
  const spec = fields(object.spec, 'spec', problems) ?? {};
  const targets = readTargets(spec.targetRefs, problems);
  const body = new Problems();
  const budget = readBudget(spec.retryConstraint, 'spec.retryConstraint', body);
  const session = readSession(spec.sessionPersistence, 'spec.sessionPersistence', body);
  const [invalid = ''] = body.list.filter(problem => body.reasonOf(problem) !== 'NotApplied');
  problems.addAll(body);
  const found = invalid === '' ? { budget, session } : { budget: null, session: null };
  return {
    record: { namespace, name, uid, generation, created, targets, ...found, invalid },
    problems: problems.list,
  };
}

/** Names of Services. What targets something else is no business of ours, but is said. */
function readTargets(value: unknown, problems: Problems): string[] {
  const names = listOfFields(value, 'spec.targetRefs', problems).flatMap(({ item, path }) => {
    if (item.kind !== 'Service' || (item.group !== '' && item.group !== 'core')) {
      problems.add(path, { group: item.group, kind: item.kind }, 'use group "" and kind Service');
      return [];
    }
    const name = requiredText(item.name, `${path}.name`, problems);
    return name === null ? [] : [name];
  });
  return [...new Set(names)];
}

function readBudget(value: unknown, path: string, problems: Problems): RetryBudget | null {
  const constraint = fields(value, path, problems);
  if (constraint === null) return null;
  const budget = fields(constraint.budget, `${path}.budget`, problems) ?? {};
  const rate = fields(constraint.minRetryRate, `${path}.minRetryRate`, problems) ?? {};
  const percentLimits = { min: 0, max: 100 };
  const countLimits = { min: 1, max: 1_000_000 };
  const at = `${path}.minRetryRate`;
  const percent = integer(
    budget.percent,
    `${path}.budget.percent`,
    percentLimits,
    defaults.percent,
    problems,
  );
  const intervalMs = interval(
    budget.interval ?? defaults.interval,
    `${path}.budget.interval`,
    1000,
    problems,
  );
  const minCount = integer(rate.count, `${at}.count`, countLimits, defaults.count, problems);
  const minIntervalMs = interval(rate.interval ?? defaults.minInterval, `${at}.interval`, 1, problems);
  if (percent === null || intervalMs === null || minCount === null || minIntervalMs === null) return null;
  return { percent, intervalMs, minCount, minIntervalMs };
}

function interval(value: unknown, path: string, least: number, problems: Problems): number | null {
  const ms = duration(value, path, problems);
  if (ms === null || (ms >= least && ms <= HOUR_MS)) return ms;
  problems.add(path, value, `use a duration from ${least}ms to 1h`);
  return null;
}
