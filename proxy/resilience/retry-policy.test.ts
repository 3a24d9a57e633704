import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clusterOf } from '../cluster/cluster.fixture.ts';
import { request } from '../route/route.fixture.ts';
import type { RetryConfig } from '../route/route-config.ts';
import { admitRequest, releaseRequest } from './request-limit.ts';
import { hasRetryBudget, returnRetry, takeRetry } from './retry-budget.ts';
import { denyRetry, type FailedAttempt, SAFE_ATTEMPTS, shouldRetry } from './retry-policy.ts';

const failed = (overrides: Partial<FailedAttempt>): FailedAttempt => ({
  reason: 'status',
  unread: false,
  status: 503,
  grpcStatus: -1,
  attempts: 1,
  replayable: true,
  retryAfterMs: -1,
  deadline: Number.POSITIVE_INFINITY,
  ...overrides,
});

const policy = (overrides: Partial<RetryConfig> = {}): RetryConfig => ({
  attempts: 2,
  statuses: [503],
  grpcStatuses: [14],
  onReset: true,
  perTryTimeoutMs: 0,
  anyMethod: false,
  backoff: { baseMs: 25, maxMs: 250 },
  ...overrides,
});

const decide = (
  attempt: Partial<FailedAttempt>,
  retry: RetryConfig | null,
  method = 'GET',
  fields: string[] = [],
  now = 0,
) => shouldRetry(failed(attempt), retry, request('/', { method, fields }), clusterOf(2), now);

describe('shouldRetry', () => {
  it.each(['refused', 'connect-failed'] as const)(
    'repeats %s always, any method, without a policy',
    reason => {
      expect(decide({ reason }, null, 'POST')).toBe('retry');
      expect(decide({ reason }, policy({ attempts: 0 }), 'POST')).toBe('retry');
      expect(decide({ reason, attempts: SAFE_ATTEMPTS + 1 }, null)).toBe('attempts');
      expect(decide({ reason, attempts: 9 }, policy({ attempts: 9 }))).toBe('retry');
    },
  );

  it('counts failed connections as attempts of the route, but not refused requests', () => {
    expect(decide({ reason: 'connect-failed', attempts: 3 }, policy())).toBe('attempts');
    expect(decide({ reason: 'refused', attempts: 3 }, policy())).toBe('retry');
  });

  it.each(['reset', 'timeout', 'status', 'grpc-status'] as const)(
    'does not repeat %s unless the route says so',
    reason => {
      expect(decide({ reason, grpcStatus: 14 }, null)).toBe('not-retriable');
      expect(decide({ reason, grpcStatus: 14 }, policy())).toBe('retry');
      const other = policy({ statuses: [500], grpcStatuses: [8], onReset: false });
      expect(decide({ reason, grpcStatus: 14 }, other)).toBe('not-retriable');
    },
  );

  it.each(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])('repeats %s, which is idempotent', method => {
    expect(decide({}, policy(), method)).toBe('retry');
  });

  it.each(['POST', 'PATCH', 'CONNECT', 'get'])(
    'repeats %s only if the route or the client allows it',
    method => {
      expect(decide({}, policy(), method)).toBe('method');
      expect(decide({}, policy({ anyMethod: true }), method)).toBe('retry');
      expect(decide({}, policy(), method, ['idempotency-key', 'x'])).toBe('retry');
    },
  );

  it('repeats calls whose gRPC status the route names, though they are POST', () => {
    expect(decide({ reason: 'grpc-status', grpcStatus: 14 }, policy(), 'POST')).toBe('retry');
    expect(decide({ reason: 'reset' }, policy(), 'POST')).toBe('method');
  });

  it('takes a timeout for the 504 that it would become', () => {
    expect(decide({ reason: 'timeout' }, policy({ onReset: false, statuses: [504] }))).toBe('retry');
    expect(decide({ reason: 'reset' }, policy({ onReset: false, statuses: [504] }))).toBe('not-retriable');
  });

  it('ends with the attempts of the route', () => {
    expect(decide({ attempts: 2 }, policy())).toBe('retry');
    expect(decide({ attempts: 3 }, policy())).toBe('attempts');
  });

  it('repeats a reset that nobody has read once without a rule, within the budget', () => {
    const unread = { reason: 'reset', unread: true } as const;
    expect(decide(unread, null)).toBe('retry');
    expect(decide(unread, policy({ onReset: false, attempts: 0 }))).toBe('retry');
    expect(decide({ ...unread, attempts: 2 }, null)).toBe('not-retriable');
    expect(decide({ ...unread, attempts: 2 }, policy())).toBe('retry');
    const cluster = clusterOf(2);
    for (let i = 0; i < 3; i++) takeRetry(cluster, 'status', 0);
    expect(shouldRetry(failed(unread), null, request('/'), cluster, 0)).toBe('budget');
  });

  it('needs the whole body', () => {
    expect(decide({ replayable: false }, policy())).toBe('body');
    expect(decide({ replayable: false, reason: 'refused' }, null)).toBe('body');
  });

  it('does not begin what cannot end in time', () => {
    expect(decide({ deadline: 100 }, policy(), 'GET', [], 99)).toBe('retry');
    expect(decide({ deadline: 100 }, policy(), 'GET', [], 100)).toBe('deadline');
    expect(decide({ deadline: 100, retryAfterMs: 50 }, policy(), 'GET', [], 50)).toBe('deadline');
  });

  it('passes an answer on that demands a long wait, or none', () => {
    expect(decide({ retryAfterMs: 1000 }, policy())).toBe('retry');
    expect(decide({ retryAfterMs: 60_000 }, policy())).toBe('retry-after');
    expect(decide({ retryAfterMs: Number.POSITIVE_INFINITY }, policy())).toBe('retry-after');
  });

  it('keeps to the budget, which the first move of a safe failure does not need', () => {
    const cluster = clusterOf(2);
    for (let i = 0; i < 3; i++) takeRetry(cluster, 'status', 0);
    const head = request('/');
    expect(shouldRetry(failed({}), policy(), head, cluster, 0)).toBe('budget');
    for (const reason of ['refused', 'connect-failed'] as const) {
      expect(shouldRetry(failed({ reason }), null, head, cluster, 0)).toBe('retry');
      expect(shouldRetry(failed({ reason, attempts: 2 }), null, head, cluster, 0)).toBe('budget');
      const alone = clusterOf(1);
      for (let i = 0; i < 3; i++) takeRetry(alone, 'status', 0);
      const decision = reason === 'refused' ? 'retry' : 'budget';
      expect(shouldRetry(failed({ reason }), null, head, alone, 0)).toBe(decision);
    }
    returnRetry(cluster);
    expect(shouldRetry(failed({}), policy(), head, cluster, 0)).toBe('retry');
  });

  it('changes nothing', () => {
    const cluster = clusterOf(2);
    const before = structuredClone(cluster.counters);
    shouldRetry(failed({}), policy(), request('/'), cluster, 0);
    expect(cluster.activeRetries).toBe(0);
    expect(cluster.counters).toEqual(before);
  });

  it('counts denials, but not requests without retries', () => {
    const cluster = clusterOf(2);
    denyRetry(cluster, 'body');
    denyRetry(cluster, 'not-retriable');
    expect(cluster.counters.retriesDenied).toMatchObject({ body: 1, 'not-retriable': 0 });
  });
});

describe('retry budget', () => {
  it('never lets more retries be in flight than the fraction or the minimum, and never fewer', () => {
    const step = fc.constantFrom('request', 'request', 'request', 'done', 'retry', 'retried');
    const fraction = fc.double({ min: 0, max: 1, noNaN: true });
    const setting = fc.record({ fraction, min: fc.nat(5), rate: fc.constant(null) });
    fc.assert(
      fc.property(setting, fc.array(step, { maxLength: 200 }), (retryBudget, steps) => {
        const cluster = clusterOf(2, { retryBudget });
        for (const item of steps) {
          if (item === 'request') admitRequest(cluster, 0);
          else if (item === 'done' && cluster.activeRequests > 0) releaseRequest(cluster);
          else if (item === 'retried' && cluster.activeRetries > 0) returnRetry(cluster);
          else if (item === 'retry') {
            const limit = Math.max(
              retryBudget.min,
              Math.floor(retryBudget.fraction * cluster.activeRequests),
            );
            expect(hasRetryBudget(cluster, 0)).toBe(cluster.activeRetries < limit);
            if (hasRetryBudget(cluster, 0)) takeRetry(cluster, 'status', 0);
          }
        }
      }),
    );
  });

  it('counts by reason', () => {
    const cluster = clusterOf(1);
    takeRetry(cluster, 'refused', 0);
    expect(cluster.counters.retries).toMatchObject({ refused: 1, status: 0 });
  });
});

describe('request limit', () => {
  it('admits as many as configured and again after a release', () => {
    const cluster = clusterOf(1, { maxRequests: 2 });
    expect([admitRequest(cluster, 0), admitRequest(cluster, 0), admitRequest(cluster, 0)]).toEqual([
      true,
      true,
      false,
    ]);
    expect(cluster.activeRequests).toBe(2);
    releaseRequest(cluster);
    expect(admitRequest(cluster, 0)).toBe(true);
  });

  it('has no limit with 0', () => {
    const cluster = clusterOf(1);
    for (let i = 0; i < 1000; i++) expect(admitRequest(cluster, 0)).toBe(true);
  });
});
