import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resourceTypes } from '../../api/xds/any.ts';
import { Cluster } from '../../api/xds/gen/envoy/config/cluster/v3/cluster.ts';
import { ClusterLoadAssignment } from '../../api/xds/gen/envoy/config/endpoint/v3/endpoint.ts';
import type { DiscoveryResponse } from '../../api/xds/gen/envoy/service/discovery/v3/discovery.ts';
import {
  endpoint,
  endpoints,
  FixtureStore,
  type MeshParts,
  mesh,
  port,
  route,
  rule,
  service,
} from '../translate/mesh.fixture.ts';
import { RawClient, type SotwStream } from './raw-client.fixture.ts';
import { startServer, type TestServer } from './server.fixture.ts';

const { cluster, endpoints: eds, listener, routes: rds } = resourceTypes;
const envoy = { id: 'envoy-1', userAgentName: 'envoy' };
const grpc = { id: 'default/client', userAgentName: 'gRPC C-core linux' };
const [echo, other] = ['service/default/echo:80', 'service/default/other:80'];

function parts(address = '10.1.0.1'): MeshParts {
  const at = (name: string, ip: string) =>
    endpoints(`default/${name}`, { name: 'port-80', port: 8080 }, [endpoint(ip)]);
  return {
    services: [service('echo', { addresses: ['10.0.0.1'] }), service('other', { addresses: ['10.0.0.2'] })],
    endpoints: [at('echo', address), at('other', '10.1.0.9')],
    routes: [],
  };
}

let store: FixtureStore;
let server: TestServer;
let client: RawClient;
let stream: SotwStream;

beforeEach(async () => {
  store = new FixtureStore(mesh(parts()));
  server = await startServer(store);
  client = new RawClient(server.port);
  stream = client.sotw();
});

afterEach(async () => {
  client.close();
  await server.close();
});

function ack(response: DiscoveryResponse, resourceNames: string[] = []): void {
  const { typeUrl, nonce, versionInfo } = response;
  stream.send({ typeUrl, responseNonce: nonce, versionInfo, resourceNames });
}

function nack(response: DiscoveryResponse, resourceNames: string[] = []): void {
  const { typeUrl, nonce } = response;
  stream.send({ typeUrl, responseNonce: nonce, resourceNames, errorDetail: { code: 3, message: 'no' } });
}

function names(response: DiscoveryResponse): string[] {
  return response.resources.map(({ typeUrl, value }) => {
    if (typeUrl === eds) return ClusterLoadAssignment.decode(value).clusterName;
    return Cluster.decode(value).name;
  });
}

/** Everything that the server said before it answered a subscription that is made now. */
async function fence(): Promise<DiscoveryResponse[]> {
  const second = client.sotw();
  second.send({ node: envoy, typeUrl: cluster });
  await second.next();
  second.cancel();
  return stream.received.splice(0);
}

describe('a state-of-the-world stream', () => {
  it('takes a first request without names for all clusters', async () => {
    stream.send({ node: envoy, typeUrl: cluster });
    const first = await stream.next();
    expect(names(first)).toEqual([echo, other]);
    ack(first);
    store.set({ ...parts(), services: [...(parts().services ?? []), service('third')] });
    expect(names(await stream.next())).toEqual([echo, other, 'service/default/third:80']);
  });

  it('takes an empty list after names as unsubscription, not as all', async () => {
    stream.send({ node: envoy, typeUrl: cluster, resourceNames: [echo] });
    const first = await stream.next();
    expect(names(first)).toEqual([echo]);
    ack(first, []);
    store.set({ ...parts(), services: [service('echo', { ports: [port(80, { protocol: 'grpc' })] })] });
    expect(await fence()).toEqual([]);
  });

  it('knows the wildcard and names beside each other', async () => {
    stream.send({ node: envoy, typeUrl: cluster });
    const first = await stream.next();
    ack(first, ['*', 'pod/default/nobody:1']);
    const second = await stream.next();
    expect(names(second)).toEqual([echo, other]);
    ack(second, [other]);
    store.set({ ...parts(), services: [service('other', { ports: [port(80, { protocol: 'grpc' })] })] });
    expect(names(await stream.next())).toEqual([other]);
  });

  it('processes a subscription with an empty nonce while a response is on its way', async () => {
    stream.send({ node: grpc, typeUrl: eds, resourceNames: [echo] });
    const first = await stream.next();
    stream.send({ typeUrl: eds, resourceNames: [echo, other] });
    ack(first, [echo, other]);
    expect(names(await stream.next())).toEqual([other]);
  });

  it('sends of endpoints only what changed, and of clusters everything', async () => {
    stream.send({ node: envoy, typeUrl: eds, resourceNames: [echo, other] });
    const first = await stream.next();
    expect(names(first)).toEqual([echo, other]);
    ack(first, [echo, other]);
    stream.send({ typeUrl: cluster });
    const clusters = await stream.next();
    ack(clusters);
    const again = await stream.next();
    expect(names(again)).toEqual([echo, other]);
    ack(again, [echo, other]);
    await expect.poll(quiet).toBe(true);
    store.set(parts('10.1.0.2'));
    const changed = await stream.next();
    expect([changed.typeUrl, names(changed)]).toEqual([eds, [echo]]);
  });

  it('does not answer an outdated nonce', async () => {
    stream.send({ node: grpc, typeUrl: eds, resourceNames: [echo] });
    const first = await stream.next();
    stream.send({ typeUrl: eds, responseNonce: 'unknown', resourceNames: [other] });
    ack(first, [echo]);
    expect(await fence()).toEqual([]);
    store.set(parts('10.1.0.2'));
    expect(names(await stream.next())).toEqual([echo]);
  });

  it('answers the first request of a stream whatever version the client claims', async () => {
    stream.send({ node: grpc, typeUrl: eds, resourceNames: [echo] });
    const { versionInfo } = await stream.next();
    stream = client.sotw();
    stream.send({ node: grpc, typeUrl: eds, resourceNames: [echo], versionInfo });
    expect((await stream.next()).versionInfo).toBe(versionInfo);
  });

  it('does not repeat a refused response until something changes', async () => {
    stream.send({ node: envoy, typeUrl: cluster });
    nack(await stream.next());
    store.set({ ...parts(), routes: [route('r', 'echo', [rule({ 'echo:80': 1 })])] });
    expect(await fence()).toEqual([]);
    store.set({ ...parts(), services: [service('echo')] });
    expect(names(await stream.next())).toEqual([echo]);
    expect(await server.metric('tulle_xds_nacks_total')).toBe(1);
  });

  it('names what does not exist in resource_errors', async () => {
    stream.send({ node: grpc, typeUrl: rds, resourceNames: ['route/default/nobody:80'] });
    const response = await stream.next();
    expect(response.resources).toEqual([]);
    expect(response.resourceErrors).toMatchObject([
      { resourceName: { name: 'route/default/nobody:80' }, errorDetail: { code: 5 } },
    ]);
    ack(response, ['route/default/nobody:80']);
    store.set({ ...parts(), services: [service('nobody')] });
    expect((await stream.next()).resources).toHaveLength(1);
  });

  it('tells the deletion of a listener by leaving it out', async () => {
    stream.send({ node: grpc, typeUrl: listener, resourceNames: ['echo.default:80'] });
    const first = await stream.next();
    expect(first.resources).toHaveLength(1);
    ack(first, ['echo.default:80']);
    store.set({ ...parts(), services: [service('other')] });
    expect((await stream.next()).resources).toEqual([]);
  });

  it('keeps a removed cluster in the answer until the routes without it are sent', async () => {
    const split = route('split', 'echo', [rule({ 'echo:80': 1, 'other:80': 1 })]);
    store.set({ ...parts(), routes: [split] });
    stream.send({ node: envoy, typeUrl: cluster });
    ack(await stream.next());
    stream.send({ typeUrl: rds, resourceNames: ['outbound'] });
    ack(await stream.next(), ['outbound']);
    await expect.poll(quiet).toBe(true);
    store.set({ ...parts(), services: [service('echo'), service('new')] });
    const first = await stream.next();
    expect([first.typeUrl, names(first).toSorted()]).toEqual([
      cluster,
      [echo, 'service/default/new:80', other],
    ]);
    expect((await stream.next()).typeUrl).toBe(rds);
    ack(first);
    expect(names(await stream.next())).toEqual([echo, 'service/default/new:80']);
  });

  it('pushes the newest state to a slow reader, once', async () => {
    stream.send({ node: envoy, typeUrl: eds, resourceNames: [echo] });
    const first = await stream.next();
    stream.pause();
    for (let host = 2; host < 100; host++) store.set(parts(`10.1.0.${host}`));
    await fence();
    stream.resume();
    ack(first, [echo]);
    const last = await stream.next();
    expect(Buffer.from(last.resources[0].value).includes('10.1.0.99')).toBe(true);
    ack(last, [echo]);
    expect(await fence()).toEqual([]);
  });

  it('ends with an error when the bytes are no message', async () => {
    stream.send({ node: { ...envoy, metadata: {} }, typeUrl: cluster });
    await stream.next();
    const broken = client.sotwBytes();
    broken.send(Buffer.from([0x0a, 0x7f, 1]));
    expect((await broken.ended()).code).toBe(status.INVALID_ARGUMENT);
  });
});

async function quiet(): Promise<boolean> {
  const text = await server.registry.metrics();
  const sum = (name: string) =>
    [...text.matchAll(new RegExp(`^${name}\\{.*\\} (\\d+)$`, 'gm'))].reduce(
      (all, [, n]) => all + Number(n),
      0,
    );
  return sum('tulle_xds_pushes_total') === sum('tulle_xds_convergence_milliseconds_count');
}
