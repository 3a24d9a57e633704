/**
 * Session persistence at a Service that has an affinity of its own: "the route MUST be rejected, and a status should be set
 * describing the incompatibility of these two configurations" (GEP-1619, session affinity in K8S Services).
 */
import type { ReferenceFault, Services } from './attachment.ts';
import { type Key, key, type Route, type Service } from './model.ts';
import type { PolicyRecord } from './records.ts';

const remedy = 'set sessionAffinity of the Service to None, or leave sessionPersistence out';

/** For each rule with sessions: the Services with an affinity that it is attached to or sends to. */
export function affinityFaults({ parents, rules }: Route, services: Services): ReferenceFault[] {
  const hasAffinity = (service: Key): boolean => services(service)?.clientAffinity === true;
  return rules.flatMap(({ session, action }, index) => {
    if (session === null || action.kind === 'redirect') return [];
    const backends = action.backends.flatMap(({ service }) => (service === null ? [] : [service]));
    const named = new Set([...parents, ...backends].map(({ namespace, name }) => key(namespace, name)));
    return [...named].filter(hasAffinity).map(service => ({
      reason: 'UnsupportedValue',
      message: affinityProblem(service, `spec.rules[${index}]`),
    }));
  });
}

/** A policy with sessions is not in force at a Service with an affinity. */
export function meetsAffinity({ session }: PolicyRecord, service: Service | undefined): boolean {
  return session !== null && service?.clientAffinity === true;
}

/** What is said of it. */
export function affinityProblem(service: Key, path = 'spec'): string {
  return `${path}.sessionPersistence meets Service ${service}, whose sessionAffinity is "ClientIP"; ${remedy}`;
}
