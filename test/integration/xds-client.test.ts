import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { Destination, Resolution } from '../../proxy/cluster/destination.ts';
import type { CertificateSource } from '../../proxy/identity/certificate-source.ts';
import { ManualClock } from '../../runtime/clock.ts';
import {
  Installation,
  type RunningControlPlane,
  sidecarIdentity,
  startControlPlane,
  type Workload,
} from './identity-fixture.ts';
import {
  cluster,
  endpoints,
  INBOUND,
  inbound,
  listener,
  type RunningClient,
  routes,
  ScriptedAds,
  type ScriptedStream,
  startClient,
  types,
} from './xds-client-fixture.ts';

const WEB: Workload = { namespace: 'shop', serviceAccount: 'web', pod: 'web-1' };
const API = 'outbound/api.shop.svc.cluster.local:80';
const ROUTES = 'route/shop/api:80';
const V1 = 'service/shop/api-v1:80';
const V2 = 'service/shop/api-v2:80';

let installation: Installation;
let identity: CertificateSource;
let plane: RunningControlPlane;
let ads: ScriptedAds;
let client: RunningClient;

beforeAll(async () => {
  installation = new Installation();
  const token = installation.token(WEB);
  ads = new ScriptedAds();
  plane = await startControlPlane(installation, { services: ads.service });
  identity = sidecarIdentity(WEB, token, plane.port);
  const issued = new Promise(resolve => {
    identity.subscribe(resolve);
  });
  identity.trust(plane.identity.bundlePem);
  await issued;
});
afterAll(async () => {
  identity.stop();
  await plane.stop();
  installation.remove();
});

let stream: ScriptedStream;

/** A client whose first subscription has been heard. */
async function start(options: Parameters<typeof startClient>[2] = {}): Promise<void> {
  client = startClient(identity, plane.port, options);
  stream = await ads.stream();
  expect(await stream.subscribed('listener')).toEqual([INBOUND]);
}

afterEach(() => client.stop());

function found(resolution: Resolution | null): Destination {
  if (resolution?.kind !== 'found') throw new Error(`not found but ${JSON.stringify(resolution)}`);
  return resolution.destination;
}

/** Answers every subscription that leads from the listener of the API to endpoints. */
async function serve(clusters: string[]): Promise<void> {
  expect(await stream.subscribed('listener')).toEqual([API]);
  expect(await stream.push('listener', [listener(API, ROUTES)])).toBe('');
  expect(await stream.push('routes', [routes(ROUTES, clusters)])).toBe('');
  expect(
    await stream.push(
      'cluster',
      clusters.map(name => cluster(name)),
    ),
  ).toBe('');
  expect(
    await stream.push(
      'endpoints',
      clusters.map(name => endpoints(name, ['10.0.0.1'])),
    ),
  ).toBe('');
}

test('the stream is authenticated, says who it is, and the pod learns how it is served', async () => {
  await start();
  expect(stream.identity).toEqual({ trustDomain: 'cluster.local', namespace: 'shop', serviceAccount: 'web' });
  expect(stream.received[0].node).toMatchObject({ id: 'shop/web-1', userAgentName: 'tulle' });
  expect(client.table.current).toBeNull();
  expect(await stream.push('listener', [inbound()])).toBe('');
  expect(client.table.current?.ports.get(8080)).toMatchObject({ mtls: 'strict', protocol: 'http' });
  expect(client.table.current?.workload.workload).toBe('web');
  expect(client.ads.connected).toBe(true);
});

test('a destination is asked for on demand, and visible only when all it refers to is there', async () => {
  await start();
  expect(client.table.lookup(API)).toBeNull();
  const resolution = client.resolve(API);
  expect(await stream.subscribed('listener')).toEqual([API]);
  expect(await stream.push('listener', [listener(API, ROUTES)])).toBe('');
  expect(client.table.lookup(API)).toBeNull();
  expect(await stream.push('routes', [routes(ROUTES, [V1, V2])])).toBe('');
  expect(await stream.push('cluster', [cluster(V1), cluster(V2)])).toBe('');
  expect(await stream.push('endpoints', [endpoints(V1, ['10.0.0.1'])])).toBe('');
  expect(client.table.lookup(API)).toBeNull();
  expect(await stream.push('endpoints', [endpoints(V2, ['10.0.0.2'])])).toBe('');
  const destination = found(await resolution);
  expect(destination).toMatchObject({ name: API, protocol: 'http', port: 80, cluster: null });
  expect(destination.service.host).toBe('api.shop.svc.cluster.local');
  expect(destination.routes?.routes).toHaveLength(1);
  expect(Object.isFrozen(destination)).toBe(true);
  expect(found(client.table.lookup(API))).toBe(destination);
  // Everything was asked for by name, and nothing else.
  const asked = stream.received.flatMap(({ typeUrl, resourceNamesSubscribe }) =>
    resourceNamesSubscribe.map(name => [typeUrl, name]),
  );
  expect(asked).toEqual([
    [types.listener, INBOUND],
    [types.listener, API],
    [types.routes, ROUTES],
    [types.cluster, V1],
    [types.cluster, V2],
    [types.endpoints, V1],
    [types.endpoints, V2],
  ]);
});

test('the old destination is served until the new one is complete, then swapped as a whole', async () => {
  await start();
  const resolution = client.resolve(API);
  await serve([V1]);
  const before = found(await resolution);
  expect(await stream.push('routes', [routes(ROUTES, [V2], '2')])).toBe('');
  expect(found(client.table.lookup(API))).toBe(before);
  expect(await stream.push('cluster', [cluster(V2)])).toBe('');
  expect(await stream.push('endpoints', [endpoints(V2, ['10.0.0.2'])])).toBe('');
  const after = found(client.table.lookup(API));
  expect(after).not.toBe(before);
  expect(after.routes?.version).toBe('2');
  // The cluster that nothing refers to any more is dropped, and the server is told.
  const names = new Set<string>();
  while (!names.has(`${types.endpoints} ${V1}`)) {
    const { typeUrl, resourceNamesUnsubscribe } = await stream.next();
    for (const name of resourceNamesUnsubscribe) names.add(`${typeUrl} ${name}`);
  }
  expect([...names]).toEqual([`${types.cluster} ${V1}`, `${types.endpoints} ${V1}`]);
  expect([...client.table.clusters()].map(({ name }) => name)).toEqual([V2]);
});

test('new endpoints reach the live cluster without a new destination', async () => {
  await start();
  const resolution = client.resolve(API);
  await serve([V1]);
  const before = found(await resolution);
  const [live] = [...client.table.clusters()];
  const [kept] = live.endpoints;
  expect(await stream.push('endpoints', [endpoints(V1, ['10.0.0.1', '10.0.0.3'], '2')])).toBe('');
  expect(found(client.table.lookup(API))).toBe(before);
  expect(live.endpoints.map(({ address }) => address)).toEqual(['10.0.0.1', '10.0.0.3']);
  expect(live.endpoints[0]).toBe(kept);
});

test('a name that is not in the mesh is absent, and found when it comes to be', async () => {
  await start();
  const resolution = client.resolve(API);
  expect(await stream.subscribed('listener')).toEqual([API]);
  expect(await stream.push('listener', [], [API])).toBe('');
  expect(await resolution).toEqual({ kind: 'absent' });
  expect(client.table.lookup(API)).toEqual({ kind: 'absent' });
  expect(await stream.push('listener', [listener(API, ROUTES)])).toBe('');
  expect(client.table.lookup(API)).toEqual({ kind: 'absent' });
  await stream.push('routes', [routes(ROUTES, [V1])]);
  await stream.push('cluster', [cluster(V1)]);
  await stream.push('endpoints', [endpoints(V1, ['10.0.0.1'])]);
  expect(client.table.lookup(API)?.kind).toBe('found');
  // The Service is deleted.
  expect(await stream.push('listener', [], [API])).toBe('');
  expect(client.table.lookup(API)).toEqual({ kind: 'absent' });
  expect([...client.table.clusters()]).toEqual([]);
});

test('a response with a bad resource is refused with the reason, and the rest of it is in force', async () => {
  await start();
  const resolution = client.resolve(API);
  await serve([V1, V2]);
  const before = found(await resolution);
  const nack = await stream.push('cluster', [cluster(V1, '2', 'sticky'), cluster(V2, '2', 'random')]);
  expect(nack).toBe(
    `cluster ${V1}: metadata["tulle.dev"].balancing is "sticky"; use one of peak-ewma, least-request, round-robin, random`,
  );
  const configs = [...client.table.clusters()].map(({ config }) => [
    config.name,
    config.version,
    config.balancing,
  ]);
  expect(configs).toEqual([
    [V1, '1', 'peak-ewma'],
    [V2, '2', 'random'],
  ]);
  expect(found(client.table.lookup(API))).toBe(before);
  expect(client.rejected).toEqual(['cluster']);
  expect(client.lines.some(({ reasons }) => String(reasons).includes('sticky'))).toBe(true);
  // Put right, it is taken.
  expect(await stream.push('cluster', [cluster(V1, '3', 'round-robin')])).toBe('');
  expect([...client.table.clusters()][0].config.version).toBe('3');
});

test.each([
  [
    'routes with a bad path',
    'routes',
    routes(ROUTES, [V1], '2', 'no-slash'),
    /routes\[0\].*"no-slash" does not begin with "\/"/,
  ],
  [
    'a resource under another name',
    'routes',
    { ...routes('route/x/y:1', [V1], '2'), name: ROUTES },
    /name is "route\/x\/y:1"; it must be/,
  ],
  [
    'bytes that are no message',
    'cluster',
    { name: V1, version: '2', resource: { typeUrl: types.cluster, value: Buffer.from('ff', 'hex') } },
    /not a valid envoy.config.cluster/,
  ],
  [
    'a resource of another type',
    'cluster',
    { ...endpoints(V1, [], '2') },
    /type_url is .*it must be that of the response/,
  ],
  [
    'an endpoint that is no address',
    'endpoints',
    endpoints(V1, ['api.example'], '2'),
    /address is "api.example"; use an IP address/,
  ],
  [
    'a listener of an unknown protocol',
    'listener',
    listener(API, ROUTES, '2', 'quic'),
    /protocol is "quic"; use one of http, http2/,
  ],
] as const)('%s: refused, and the last good state stays', async (_what, kind, bad, reason) => {
  await start();
  const resolution = client.resolve(API);
  await serve([V1]);
  const before = found(await resolution);
  const described = JSON.stringify(client.table.describe().destinations);
  expect(await stream.push(kind, [bad])).toMatch(reason);
  expect(found(client.table.lookup(API))).toBe(before);
  expect(JSON.stringify(client.table.describe().destinations)).toBe(described);
});

test('what is held outlives the stream; a new one is told of it, without what was refused', async () => {
  await start();
  expect(await stream.push('listener', [inbound('7')])).toBe('');
  const resolution = client.resolve(API);
  await serve([V1]);
  const before = found(await resolution);
  await stream.push('cluster', [cluster(V1, '2', 'sticky')]);
  stream.end();
  const again = await ads.stream();
  expect(found(client.table.lookup(API))).toBe(before);
  const told = [];
  for (let i = 0; i < 4; i++) {
    const { typeUrl, resourceNamesSubscribe, initialResourceVersions, node } = await again.next();
    told.push([typeUrl, resourceNamesSubscribe, { ...initialResourceVersions }, node?.id ?? '']);
  }
  expect(told).toEqual([
    [types.listener, [INBOUND, API], { [INBOUND]: '7', [API]: '1' }, 'shop/web-1'],
    [types.routes, [ROUTES], { [ROUTES]: '1' }, ''],
    [types.cluster, [V1], { [V1]: '1' }, ''],
    [types.endpoints, [V1], { [V1]: '1' }, ''],
  ]);
  // Only what the control plane says is gone is gone.
  expect(await again.push('listener', [], [API])).toBe('');
  expect(client.table.lookup(API)).toEqual({ kind: 'absent' });
  expect(client.table.current?.version).toBe('7');
});

test('an answer that does not come is unavailable, and comes too late for nobody', async () => {
  const clock = new ManualClock();
  await start({ clock, resolveTimeoutMs: 1000 });
  const resolution = client.resolve(API);
  expect(await stream.subscribed('listener')).toEqual([API]);
  clock.advance(1000);
  expect(await resolution).toEqual({ kind: 'unavailable' });
  expect(client.table.lookup(API)).toBeNull();
  const second = client.resolve(API);
  expect(await stream.push('listener', [], [API])).toBe('');
  expect(await second).toEqual({ kind: 'absent' });
});

test('an idle destination is forgotten and unsubscribed from; one in use is not', async () => {
  const clock = new ManualClock();
  await start({ clock, idleMs: 8000 });
  const resolution = client.resolve(API);
  await serve([V1]);
  found(await resolution);
  const [live] = [...client.table.clusters()];
  clock.advance(6000);
  expect(client.table.lookup(API)?.kind).toBe('found');
  clock.advance(6000);
  expect([...client.table.clusters()]).toHaveLength(1);
  // A connection that lasts keeps it, too.
  live.activeRequests = 1;
  clock.advance(60_000);
  expect([...client.table.clusters()]).toHaveLength(1);
  live.activeRequests = 0;
  clock.advance(10_000);
  expect([...client.table.clusters()]).toEqual([]);
  expect(client.table.lookup(API)).toBeNull();
  const gone = new Set<string>();
  while (gone.size < 4)
    for (const name of (await stream.next()).resourceNamesUnsubscribe) gone.add(name + gone.size);
  expect([...gone].map(name => name.slice(0, -1))).toEqual([API, ROUTES, V1, V1]);
  // It is asked for anew when it is called again.
  const anew = client.resolve(API);
  await serve([V1]);
  found(await anew);
});

test('destinations that share routes and clusters share them, until the last one is gone', async () => {
  const clock = new ManualClock();
  await start({ clock, idleMs: 8000 });
  const first = client.resolve(API);
  await serve([V1]);
  const other = 'outbound/10.96.0.7:80';
  const second = client.resolve(other);
  expect(await stream.subscribed('listener')).toEqual([other]);
  expect(await stream.push('listener', [listener(other, ROUTES)])).toBe('');
  const shown = found(await first);
  expect(found(await second).routes).toBe(shown.routes);
  // What concerns the other does not swap this one.
  expect(found(client.table.lookup(API))).toBe(shown);
  for (let i = 0; i < 12; i++) {
    client.table.lookup(other);
    clock.advance(1000);
  }
  expect(client.table.lookup(API)).toBeNull();
  expect([...client.table.clusters()]).toHaveLength(1);
  expect(client.table.lookup(other)?.kind).toBe('found');
});

test('a control plane that closes every stream is not asked in a busy loop', async () => {
  await start();
  stream.end();
  for (let i = 0; i < 3; i++) (await ads.stream()).end();
  // One that answers counts as a success, after which the first wait is short again.
  const answering = await ads.stream();
  await answering.subscribed('listener');
  await answering.push('listener', [inbound()]);
  answering.end();
  await ads.stream();
  const waits = client.lines.filter(({ retryMs }) => retryMs !== undefined).map(({ retryMs }) => retryMs);
  // Half of 100, 200, 400 and 800, by the random number of the test.
  expect(waits).toEqual([50, 100, 200, 400, 50]);
});

test('the control plane may be stopped and come back on the same port', async () => {
  await start();
  expect(await stream.push('listener', [inbound()])).toBe('');
  const { port } = plane;
  await plane.stop();
  await vi.waitFor(() => expect(client.ads.connected).toBe(false));
  expect(client.table.current?.version).toBe('1');
  plane = await startControlPlane(installation, { port, services: ads.service });
  const again = await ads.stream();
  expect(await again.subscribed('listener')).toEqual([INBOUND]);
  expect(await again.push('listener', [inbound('2', 'permissive')])).toBe('');
  expect(client.table.current?.ports.get(8080)?.mtls).toBe('permissive');
});
