/**
 * Cost of a route match by the number of routes and their shape.
 * Run: npx node bench/micro/route.bench.ts
 */

import { clusterConfig } from '../../proxy/cluster/cluster.fixture.ts';
import { Cluster } from '../../proxy/cluster/cluster.ts';
import type { RequestHead } from '../../proxy/exchange/stream.ts';
import { matchRoute } from '../../proxy/route/match-route.ts';
import { pickBackend } from '../../proxy/route/pick-backend.ts';
import { backend, forward, request, route, routes } from '../../proxy/route/route.fixture.ts';
import type { RouteConfig } from '../../proxy/route/route-config.ts';
import { compileRoutes, type ForwardRoute } from '../../proxy/route/route-table.ts';
import { measure, report } from './measure.ts';

const fields = ['accept', '*/*', 'user-agent', 'bench', 'x-version', 'v1', 'x-request-id', 'abcdef'];
const CALLS = 300_000;

/** Requests for the first, the last and others in between, in turn. */
function bench(
  name: string,
  count: number,
  config: (i: number) => RouteConfig,
  path: (i: number) => string,
): void {
  const table = compileRoutes(routes(...Array.from({ length: count }, (_, i) => config(i))), () => null);
  const heads: RequestHead[] = [];
  for (let i = 0; i < 64; i++) heads.push(request(path(Math.floor((i * (count - 1)) / 63)), { fields }));
  for (const head of heads)
    if (matchRoute(table, head) === null) throw new Error(`no match for ${head.path}`);
  report(
    `${name}, ${count} routes`,
    measure(CALLS, i => matchRoute(table, heads[i & 63])),
  );
}

for (const count of [1, 10, 100, 1000]) {
  bench(
    'path prefix',
    count,
    i => route({ path: { kind: 'path-prefix', value: `/service-${i}` } }),
    i => `/service-${i}/items/7`,
  );
}
for (const count of [1, 10, 100, 1000]) {
  bench(
    'exact path of gRPC',
    count,
    i => route({ path: { kind: 'exact', value: `/shop.v1.Cart${i}/Get` }, method: 'GET' }),
    i => `/shop.v1.Cart${i}/Get`,
  );
}
for (const count of [10, 1000]) {
  bench(
    'path prefix and header',
    count,
    i =>
      route({
        path: { kind: 'path-prefix', value: `/api/v1/things/${i >> 1}` },
        headers:
          i % 2 === 0 ? [{ name: 'x-version', match: { kind: 'exact', value: 'v2' }, invert: false }] : [],
      }),
    i => `/api/v1/things/${i >> 1}?a=b`,
  );
}
bench(
  'regular expression',
  10,
  i => route({ path: { kind: 'regex', value: `/v${i}/[a-z]+/[0-9]+` } }),
  i => `/v${i}/items/123`,
);

const cluster = new Cluster(clusterConfig());
const table = compileRoutes(
  routes(route({}, { action: forward({ backends: [backend('a', 90), backend('b', 10)] }) })),
  () => cluster,
);
report(
  'weighted backend',
  measure(CALLS, () => pickBackend(table.routes[0] as ForwardRoute, Math.random())),
);
