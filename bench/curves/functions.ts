/** Functions of the hot path, and what a change of configuration costs, by the size of what they work on. */
import { durationBuckets } from '../../api/metrics.ts';
import { ClusterLoadAssignment } from '../../api/xds/gen/envoy/config/endpoint/v3/endpoint.ts';
import { clusterOf } from '../../proxy/cluster/cluster.fixture.ts';
import type { Endpoint } from '../../proxy/cluster/endpoint.ts';
import { beginAttempt, endAttempt } from '../../proxy/resilience/attempt.ts';
import { matchRoute } from '../../proxy/route/match-route.ts';
import { request, route, routes } from '../../proxy/route/route.fixture.ts';
import { compileRoutes } from '../../proxy/route/route-table.ts';
import { recordRequest } from '../../proxy/telemetry/edge-series.ts';
import { Metrics } from '../../proxy/telemetry/metrics.ts';
import { renderMetrics } from '../../proxy/telemetry/render-metrics.ts';
import { edgeLabels } from '../../proxy/telemetry/telemetry.fixture.ts';
import { decodeEndpoints } from '../../proxy/xds/decode/clusters.ts';

export interface MeasuredFunction {
  name: string;
  /** What `prepare` is given the number of. */
  of: string;
  /** Calls a round; fewer for a function that goes through everything. */
  calls: (size: number) => number;
  /** Makes what is called, again and again with a growing number. */
  prepare: (size: number) => (i: number) => unknown;
}

const MANY = (): number => 200_000;
const FEW = (size: number): number => Math.max(3, Math.floor(20_000 / size));
const NONE: Endpoint[] = [];
/** Coprime to every size, so that all members take their turn in no order. */
const STRIDE = 7919;

const table = (count: number) =>
  routes(
    ...Array.from({ length: count }, (_, i) =>
      route({ path: { kind: 'path-prefix', value: `/service-${i}` } }),
    ),
  );

function metricsOf(count: number) {
  const metrics = new Metrics(2 * count);
  const series = Array.from({ length: count }, (_, i) =>
    metrics.edge(edgeLabels({ service: { host: `s${i}.default.svc`, name: `s${i}`, namespace: 'default' } })),
  );
  for (const one of series) recordRequest(one, 200, -1, '', durationBuckets[0], 0, 100);
  return { metrics, series };
}

/** Two assignments in turn, which differ in one endpoint: as when a pod is replaced. */
function assignments(count: number): Uint8Array[] {
  return [0, 1].map(version =>
    ClusterLoadAssignment.encode(
      ClusterLoadAssignment.fromPartial({
        clusterName: 'service/default/echo:80',
        endpoints: [
          {
            lbEndpoints: Array.from({ length: count }, (_, i) => {
              const number = i === 0 ? version * count : i;
              const address = `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`;
              const socket = { address, portSpecifier: { $case: 'portValue' as const, value: 8080 } };
              const endpoint = { address: { address: { $case: 'socketAddress' as const, value: socket } } };
              return { hostIdentifier: { $case: 'endpoint' as const, value: endpoint } };
            }),
          },
        ],
      }),
    ).finish(),
  );
}

export const functions: readonly MeasuredFunction[] = [
  {
    name: 'route match',
    of: 'routes',
    calls: MANY,
    prepare(size) {
      const compiled = compileRoutes(table(size), () => null);
      const heads = Array.from({ length: 64 }, (_, i) =>
        request(`/service-${Math.floor((i * (size - 1)) / 63)}/items/7`),
      );
      return i => matchRoute(compiled, heads[i & 63]);
    },
  },
  {
    name: 'pick of an endpoint, with the account of its attempt',
    of: 'endpoints',
    calls: MANY,
    prepare(size) {
      const cluster = clusterOf(size);
      return i => {
        const endpoint = cluster.pick(NONE, Math.random, i / 10) as Endpoint;
        beginAttempt(endpoint);
        return endAttempt(cluster, endpoint, 'success', 1 + (i & 15), i / 10 + 1, Math.random);
      };
    },
  },
  {
    name: 'a request added to its series',
    of: 'series',
    calls: MANY,
    prepare(size) {
      const { series } = metricsOf(size);
      return i => recordRequest(series[(i * STRIDE) % size], 200, -1, '', (i & 15) + 0.5, 0, 100);
    },
  },
  {
    name: 'scrape',
    of: 'series',
    calls: size => Math.max(3, Math.floor(2000 / size)),
    prepare(size) {
      const { metrics } = metricsOf(size);
      return () => {
        let length = 0;
        renderMetrics(metrics, 'text', text => {
          length += text.length;
        });
        return length;
      };
    },
  },
  {
    name: 'new routes: compile',
    of: 'routes',
    calls: FEW,
    prepare(size) {
      const config = table(size);
      return () => compileRoutes(config, () => null);
    },
  },
  {
    name: 'new endpoints: decode and apply, one of them differs',
    of: 'endpoints',
    calls: FEW,
    prepare(size) {
      const cluster = clusterOf(size);
      const bytes = assignments(size);
      return i => {
        const decoded = decodeEndpoints(bytes[i & 1], cluster.config.name, String(i));
        if (decoded.kind === 'rejected') throw new Error(decoded.reasons.join('\n'));
        cluster.updateEndpoints(decoded.value);
      };
    },
  },
];
