/**
 * Cost of choosing an endpoint and of the bookkeeping of its attempt, by the number of endpoints.
 * Run: npx node bench/micro/pick.bench.ts
 */
import {
  clusterConfig,
  clusterOf,
  endpointConfig,
  endpointsConfig,
} from '../../proxy/cluster/cluster.fixture.ts';
import { Cluster } from '../../proxy/cluster/cluster.ts';
import type { BalancingPolicy } from '../../proxy/cluster/cluster-config.ts';
import type { Endpoint } from '../../proxy/cluster/endpoint.ts';
import { beginAttempt, endAttempt } from '../../proxy/resilience/attempt.ts';
import { measure, report } from './measure.ts';

const CALLS = 300_000;
const NONE: Endpoint[] = [];
const policies: BalancingPolicy[] = ['peak-ewma', 'least-request', 'round-robin', 'random'];

for (const balancing of policies) {
  for (const count of [1, 10, 1000]) {
    const cluster = clusterOf(count, { balancing });
    report(
      `${balancing}, ${count} endpoints`,
      measure(CALLS, i => cluster.pick(NONE, Math.random, i / 10)),
    );
  }
}

const weighted = new Cluster(clusterConfig());
weighted.updateEndpoints(
  endpointsConfig(Array.from({ length: 1000 }, (_, i) => endpointConfig(i, { weight: 1 + (i % 7) }))),
);
report(
  'peak-ewma, 1000 endpoints with weights',
  measure(CALLS, i => weighted.pick(NONE, Math.random, i / 10)),
);

const half = clusterOf(1000);
for (let i = 0; i < 500; i++) half.endpoints[i].ejectedUntil = 1e12;
half.invalidate();
report(
  'peak-ewma, 500 of 1000 endpoints ejected',
  measure(CALLS, i => half.pick(NONE, Math.random, i / 10)),
);

const whole = clusterOf(1000);
report(
  'pick, begin and end of an attempt, 1000',
  measure(CALLS, i => {
    const endpoint = whole.pick(NONE, Math.random, i / 10) as Endpoint;
    beginAttempt(endpoint);
    return endAttempt(whole, endpoint, 'success', 1 + (i & 15), i / 10 + 1, Math.random);
  }),
);
