/**
 * Peak EWMA with two random choices (Finagle's balancer of that name): the cheaper of two endpoints drawn by weight,
 * where the cost is the expected time to the answer times the attempts in flight. One slow answer counts at once; good
 * answers bring the average down with a time constant, so that an endpoint that stalls is left alone quickly and taken
 * back slowly.
 */
import type { Endpoint } from '../cluster/endpoint.ts';
import type { EndpointView, PriorityLevel } from '../cluster/endpoint-view.ts';
import { draw } from './candidate.ts';

/** Time constant of the average in ms: a sample weighs 1/e after that time (Finagle's and Linkerd's default). */
export const DECAY_MS = 10_000;

/**
 * Time to the answer expected now, in ms. Without new samples the average drifts to what is typical for the cluster, not
 * to zero: an idle endpoint is presumed to be like the others and is not flooded when it is drawn again.
 */
export function expectedLatency(endpoint: Endpoint, typicalMs: number, now: number): number {
  const age = now - endpoint.observedAt;
  if (!(age >= 0)) return Number.isNaN(age) ? typicalMs : endpoint.latencyMs;
  if (age < 1) return endpoint.latencyMs;
  return typicalMs + (endpoint.latencyMs - typicalMs) * Math.exp(-age / DECAY_MS);
}

/** Expected cost of one more attempt; in-flight attempts count relative to the endpoint's weight. */
export function cost(endpoint: Endpoint, typicalMs: number, now: number): number {
  return expectedLatency(endpoint, typicalMs, now) * (1 + endpoint.active / endpoint.share);
}

/** Adds a sample: a peak replaces the average, a lower value moves it by the time passed since the last sample. */
export function observeLatency(endpoint: Endpoint, latencyMs: number, now: number): void {
  const age = now - endpoint.observedAt;
  if (!(age >= 0) || latencyMs > endpoint.latencyMs) endpoint.latencyMs = latencyMs;
  else endpoint.latencyMs = latencyMs + (endpoint.latencyMs - latencyMs) * Math.exp(-age / DECAY_MS);
  endpoint.observedAt = now;
}

export function peakEwma(
  level: PriorityLevel,
  view: EndpointView,
  tried: readonly Endpoint[],
  random: () => number,
  now: number,
): Endpoint | null {
  const one = draw(level, tried, null, random);
  if (one === null || level.endpoints.length === 1) return one;
  const other = draw(level, tried, one, random);
  if (other === null) return one;
  return cost(other, view.typicalMs, now) < cost(one, view.typicalMs, now) ? other : one;
}
