import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Metrics of the injector. docs/reference/metrics.md names them. */
export interface InjectorMetrics {
  registry: Registry;
  /** One review has been answered. `reason` is one of few words. */
  reviewed(webhook: string, outcome: string, reason: string, seconds: number): void;
}

/** `certificateExpiry` is asked at each scrape: Unix milliseconds at which the serving certificate ends. */
export function injectorMetrics(certificateExpiry: () => number): InjectorMetrics {
  const registry = new Registry();
  const reviews = new Counter({
    name: 'tulle_admission_reviews_total',
    help: 'Admission reviews answered, by webhook, outcome (allowed, patched, denied, errored) and reason.',
    labelNames: ['webhook', 'outcome', 'reason'] as const,
    registers: [registry],
  });
  const duration = new Histogram({
    name: 'tulle_admission_review_duration_seconds',
    help: 'Time from the whole request to the answer, by webhook.',
    labelNames: ['webhook'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [registry],
  });
  new Gauge({
    name: 'tulle_webhook_certificate_expiry_timestamp_seconds',
    help: 'Unix time at which the serving certificate of the webhooks ends; 0 before there is one.',
    registers: [registry],
    collect() {
      this.set(Math.floor(certificateExpiry() / 1000));
    },
  });
  return {
    registry,
    reviewed(webhook, outcome, reason, seconds) {
      reviews.inc({ webhook, outcome, reason });
      duration.observe({ webhook }, seconds);
    },
  };
}
