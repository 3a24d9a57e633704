/** Pieces of messages that the writers of several dialects need. */

import { pack } from '../../api/xds/any.ts';
import { durationOf } from '../../api/xds/duration.ts';
import type { CircuitBreakers } from '../../api/xds/gen/envoy/config/cluster/v3/circuit_breaker.ts';
import type { OutlierDetection } from '../../api/xds/gen/envoy/config/cluster/v3/outlier_detection.ts';
import type {
  HeaderValueOption,
  Metadata,
  RuntimeFractionalPercent,
} from '../../api/xds/gen/envoy/config/core/v3/base.ts';
import type { ConfigSource } from '../../api/xds/gen/envoy/config/core/v3/config_source.ts';
import type {
  HeaderMatcher,
  QueryParameterMatcher,
} from '../../api/xds/gen/envoy/config/route/v3/route_components.ts';
import { Router } from '../../api/xds/gen/envoy/extensions/filters/http/router/v3/router.ts';
import type { HttpFilter } from '../../api/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import type { StringMatcher } from '../../api/xds/gen/envoy/type/matcher/v3/string.ts';
import type { DeepPartial } from '../../api/xds/gen/google/protobuf/any.ts';
import { metadataKey } from '../../api/xds/names.ts';
import type { FieldEdits, NamedMatch, StringMatch, TrafficPolicy } from '../model/model.ts';
import { defaults } from './defaults.ts';

/** Names of load balancing policies in TypedExtensionConfig; clients go by the type, people by the name. */
export const policyNames = {
  leastRequest: 'envoy.load_balancing_policies.least_request',
  roundRobin: 'envoy.load_balancing_policies.round_robin',
  wrrLocality: 'envoy.load_balancing_policies.wrr_locality',
} as const;

/** Resources over the same stream. Without a timeout: a client waits for the answer rather than go on without it. */
export const overAds: DeepPartial<ConfigSource> = {
  configSourceSpecifier: { $case: 'ads', value: {} },
  initialFetchTimeout: durationOf(0),
  resourceApiVersion: 'V3',
};

/** What has no field of its own in Envoy's messages. A key that is missing means ''. */
export function tulleMetadata(fields: Readonly<Record<string, string>>): DeepPartial<Metadata> {
  const present = Object.entries(fields).filter(([, value]) => value !== '');
  return { filterMetadata: { [metadataKey]: Object.fromEntries(present) } };
}

export function stringMatcher(match: StringMatch): DeepPartial<StringMatcher> {
  return match.kind === 'exact'
    ? { matchPattern: { $case: 'exact', value: match.value } }
    : { matchPattern: { $case: 'safeRegex', value: { regex: match.value } } };
}

export function headerMatcher({ name, match }: NamedMatch): DeepPartial<HeaderMatcher> {
  return { name, headerMatchSpecifier: { $case: 'stringMatch', value: stringMatcher(match) } };
}

export function queryMatcher({ name, match }: NamedMatch): DeepPartial<QueryParameterMatcher> {
  return { name, queryParameterMatchSpecifier: { $case: 'stringMatch', value: stringMatcher(match) } };
}

/** `escape` writes a value for a client that takes it as a format string. */
export function headersToAdd(
  edits: FieldEdits | null,
  escape: (value: string) => string = value => value,
): DeepPartial<HeaderValueOption>[] {
  if (edits === null) return [];
  return [
    ...edits.set.map(({ name, value }) => ({
      header: { key: name, value: escape(value) },
      appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' as const,
    })),
    ...edits.add.map(({ name, value }) => ({
      header: { key: name, value: escape(value) },
      appendAction: 'APPEND_IF_EXISTS_OR_ADD' as const,
    })),
  ];
}

export function headersToRemove(edits: FieldEdits | null): string[] {
  return edits === null ? [] : [...edits.remove];
}

/** A share of requests, 0..1. */
export function fractionOf(share: number): DeepPartial<RuntimeFractionalPercent> {
  return { defaultValue: { numerator: Math.round(share * 1_000_000), denominator: 'MILLION' } };
}

export function routerFilter(): DeepPartial<HttpFilter> {
  return {
    name: 'envoy.filters.http.router',
    configType: { $case: 'typedConfig', value: pack(Router, {}) },
  };
}

export function outlierDetection(): DeepPartial<OutlierDetection> {
  const { consecutiveFailures, baseEjectionMs, maxEjectionMs, maxEjectedPercent } = defaults.outlier;
  return {
    consecutive5xx: consecutiveFailures,
    baseEjectionTime: durationOf(baseEjectionMs),
    maxEjectionTime: durationOf(maxEjectionMs),
    maxEjectionPercent: maxEjectedPercent,
  };
}

/** Of a Service's policy, in an interval; else the default, among what is in flight. */
export function retryBudget(
  policy: TrafficPolicy | null,
): NonNullable<DeepPartial<CircuitBreakers>['thresholds']>[number] {
  const budget = policy?.budget ?? null;
  const { percent, min } = defaults.retryBudget;
  if (budget === null) {
    return { retryBudget: { budgetPercent: { value: percent }, minRetryConcurrency: min } };
  }
  return {
    retryBudget: {
      budgetPercent: { value: budget.percent },
      // Retries that are short reach the least rate only with so many at once.
      minRetryConcurrency: budget.minCount,
      budgetInterval: durationOf(budget.intervalMs),
    },
  };
}

/** First and longest wait between attempts; Envoy wants the second not shorter. */
export function retryBackOff(backoffMs: number): {
  baseInterval: ReturnType<typeof durationOf>;
  maxInterval: ReturnType<typeof durationOf>;
} {
  const base = backoffMs > 0 ? backoffMs : defaults.retryBackoffMs;
  return { baseInterval: durationOf(base), maxInterval: durationOf(base * 10) };
}
