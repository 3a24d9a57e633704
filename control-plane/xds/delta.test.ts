import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resourceTypes, unpackAs } from '../../api/xds/any.ts';
import { ClusterLoadAssignment } from '../../api/xds/gen/envoy/config/endpoint/v3/endpoint.ts';
import type { DeltaDiscoveryResponse } from '../../api/xds/gen/envoy/service/discovery/v3/discovery.ts';
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
  workload,
} from '../translate/mesh.fixture.ts';
import { type DeltaStream, RawClient } from './raw-client.fixture.ts';
import { startServer, type TestServer } from './server.fixture.ts';

const { cluster, endpoints: eds, listener, routes: rds } = resourceTypes;
const node = { id: 'default/client', userAgentName: 'tulle' };
const name = 'service/default/echo:80';

function parts(address = '10.1.0.1'): MeshParts {
  return {
    services: [service('echo', { addresses: ['10.0.0.1'] }), service('other', { addresses: ['10.0.0.2'] })],
    endpoints: [
      endpoints('default/echo', { name: 'port-80', port: 8080 }, [
        endpoint(address, { pod: 'default/echo-1' }),
      ]),
      endpoints('default/other', { name: 'port-80', port: 8080 }, [endpoint('10.1.0.9')]),
    ],
    workloads: [workload('echo-1', { addresses: [address], services: ['default/echo'] }), workload('client')],
    routes: [],
  };
}

let store: FixtureStore;
let server: TestServer;
let client: RawClient;
let stream: DeltaStream;

beforeEach(async () => {
  store = new FixtureStore(mesh(parts()));
  server = await startServer(store);
  client = new RawClient(server.port);
  stream = client.delta();
});

afterEach(async () => {
  client.close();
  await server.close();
});

function ack(response: DeltaDiscoveryResponse): void {
  stream.send({ typeUrl: response.typeUrl, responseNonce: response.nonce });
}

function nack(response: DeltaDiscoveryResponse): void {
  const { typeUrl, nonce } = response;
  stream.send({ typeUrl, responseNonce: nonce, errorDetail: { code: 13, message: 'no' } });
}

function names(response: DeltaDiscoveryResponse): string[] {
  return response.resources.map(resource => resource.name);
}

/** Everything that the server had to say before it answered this request; proves that it said nothing else. */
async function fence(): Promise<DeltaDiscoveryResponse[]> {
  const marker = `fence-${Math.random()}`;
  stream.send({ typeUrl: rds, resourceNamesSubscribe: [marker] });
  const before: DeltaDiscoveryResponse[] = [];
  for (;;) {
    const response = await stream.next();
    if (response.removedResources.includes(marker)) {
      ack(response);
      return before;
    }
    before.push(response);
  }
}

describe('a delta stream', () => {
  it('answers a subscription with the resource, its version and its name', async () => {
    stream.send({ node, typeUrl: eds, resourceNamesSubscribe: [name] });
    const response = await stream.next();
    expect(response.typeUrl).toBe(eds);
    expect(names(response)).toEqual([name]);
    expect(response.resources[0].version).toMatch(/^[\w-]{16}$/);
    const unpacked = unpackAs(ClusterLoadAssignment, response.resources[0].resource as never);
    expect(unpacked).toMatchObject({ kind: 'message', message: { clusterName: name } });
  });

  it('names what does not exist in removed_resources, and sends it when it appears', async () => {
    stream.send({ node, typeUrl: listener, resourceNamesSubscribe: ['outbound/10.0.0.7:80'] });
    const first = await stream.next();
    expect(first).toMatchObject({ resources: [], removedResources: ['outbound/10.0.0.7:80'] });
    ack(first);
    const now = parts();
    store.set({ ...now, services: [...(now.services ?? []), service('late', { addresses: ['10.0.0.7'] })] });
    expect(names(await stream.next())).toEqual(['outbound/10.0.0.7:80']);
  });

  it('sends an empty answer to a wildcard of a sidecar', async () => {
    stream.send({ node, typeUrl: listener });
    expect(await stream.next()).toMatchObject({ resources: [], removedResources: [] });
  });

  it('keeps one response on its way for each type, and sends the newest state after the ACK', async () => {
    stream.send({ node, typeUrl: eds, resourceNamesSubscribe: [name] });
    const first = await stream.next();
    store.set(parts('10.1.0.2'));
    store.set(parts('10.1.0.3'));
    expect(await fence()).toEqual([]);
    ack(first);
    const second = await stream.next();
    expect(Buffer.from(second.resources[0].resource?.value ?? []).includes('10.1.0.3')).toBe(true);
    ack(second);
    expect(await fence()).toEqual([]);
  });

  it('pushes nothing when nothing changed for what is subscribed', async () => {
    stream.send({ node, typeUrl: eds, resourceNamesSubscribe: [name] });
    ack(await stream.next());
    const same = parts();
    store.set({ ...same, services: [...(same.services ?? []), service('new')] });
    expect(await fence()).toEqual([]);
  });

  it('sends again what is subscribed to again', async () => {
    stream.send({ node, typeUrl: eds, resourceNamesSubscribe: [name] });
    const first = await stream.next();
    ack(first);
    stream.send({ typeUrl: eds, resourceNamesSubscribe: [name] });
    expect((await stream.next()).resources[0].version).toBe(first.resources[0].version);
  });

  it('forgets what is unsubscribed without a reply', async () => {
    stream.send({ node, typeUrl: eds, resourceNamesSubscribe: [name] });
    ack(await stream.next());
    stream.send({ typeUrl: eds, resourceNamesUnsubscribe: [name] });
    expect(await fence()).toEqual([]);
    store.set(parts('10.1.0.2'));
    expect(await fence()).toEqual([]);
  });

  it('takes an unsubscription that comes before the ACK of an older response', async () => {
    stream.send({ node, typeUrl: eds, resourceNamesSubscribe: [name] });
    const first = await stream.next();
    stream.send({ typeUrl: eds, resourceNamesUnsubscribe: [name] });
    ack(first);
    store.set(parts('10.1.0.2'));
    expect(await fence()).toEqual([]);
  });

  it('sends only what differs from initial_resource_versions, and names what is gone', async () => {
    stream.send({ node, typeUrl: eds, resourceNamesSubscribe: [name] });
    const { version } = (await stream.next()).resources[0];
    stream = client.delta();
    const other = 'service/default/other:80';
    stream.send({
      node,
      typeUrl: eds,
      resourceNamesSubscribe: [name, other],
      initialResourceVersions: { [name]: version, [other]: 'old', 'service/default/gone:80': 'old' },
    });
    const response = await stream.next();
    expect(names(response)).toEqual([other]);
    ack(response);
    const removal = await stream.next();
    expect(removal).toMatchObject({ resources: [], removedResources: ['service/default/gone:80'] });
  });

  it('does not send a refused version again, but the next one', async () => {
    stream.send({ node, typeUrl: eds, resourceNamesSubscribe: [name] });
    ack(await stream.next());
    store.set(parts('10.1.0.2'));
    nack(await stream.next());
    expect(await fence()).toEqual([]);
    store.set(parts('10.1.0.3'));
    expect(names(await stream.next())).toEqual([name]);
    expect(await server.metric('tulle_xds_nacks_total')).toBe(1);
  });

  it('goes back to an older version without a word if the newer one was refused', async () => {
    stream.send({ node, typeUrl: eds, resourceNamesSubscribe: [name] });
    ack(await stream.next());
    store.set(parts('10.1.0.2'));
    nack(await stream.next());
    store.set(parts('10.1.0.1'));
    expect(await fence()).toEqual([]);
  });

  it('finds the bad one of several refused resources, so that the good ones are applied', async () => {
    const other = 'service/default/other:80';
    stream.send({ node, typeUrl: eds, resourceNamesSubscribe: [name, other] });
    const both = await stream.next();
    expect(names(both)).toHaveLength(2);
    nack(both);
    const first = await stream.next();
    expect(names(first)).toEqual([name]);
    nack(first);
    const second = await stream.next();
    expect(names(second)).toEqual([other]);
    ack(second);
    expect(await fence()).toEqual([]);
  });

  it('sends clusters before endpoints before listeners before routes', async () => {
    stream.send({ node, typeUrl: rds, resourceNamesSubscribe: ['route/default/echo:80'] });
    stream.send({ typeUrl: listener, resourceNamesSubscribe: ['outbound/10.0.0.1:80'] });
    stream.send({ typeUrl: eds, resourceNamesSubscribe: [name] });
    stream.send({ typeUrl: cluster, resourceNamesSubscribe: [name] });
    for (let answered = 0; answered < 5; answered++) ack(await stream.next());
    const applied = () => server.registry.getSingleMetricAsString('tulle_xds_convergence_milliseconds');
    await expect.poll(applied).toContain('_count{dialect="sidecar"} 5');
    store.set({
      ...parts('10.1.0.2'),
      services: [service('echo', { addresses: ['10.0.0.1'], ports: [port(80, { protocol: 'grpc' })] })],
      routes: [route('all', 'echo', [rule({ 'echo:80': 1 }, { timeoutMs: 1000 })])],
    });
    const order: string[] = [];
    for (let answered = 0; answered < 4; answered++) order.push((await stream.next()).typeUrl);
    expect(order).toEqual([cluster, eds, listener, rds]);
  });

  it('sends endpoints again after their cluster changed, without waiting for its ACK', async () => {
    stream.send({ node, typeUrl: cluster, resourceNamesSubscribe: [name] });
    ack(await stream.next());
    stream.send({ typeUrl: eds, resourceNamesSubscribe: [name] });
    ack(await stream.next());
    const now = parts();
    store.set({
      ...now,
      services: [service('echo', { addresses: ['10.0.0.1'], ports: [port(80, { protocol: 'grpc' })] })],
    });
    expect((await stream.next()).typeUrl).toBe(cluster);
    const again = await stream.next();
    expect(again.typeUrl).toBe(eds);
    expect(names(again)).toEqual([name]);
  });

  it('removes a cluster only after the routes that named it are sent', async () => {
    const split = route('split', 'echo', [rule({ 'echo:80': 1, 'other:80': 1 })]);
    store.set({ ...parts(), routes: [split] });
    const other = 'service/default/other:80';
    stream.send({ node, typeUrl: cluster, resourceNamesSubscribe: [name, other] });
    ack(await stream.next());
    stream.send({ typeUrl: rds, resourceNamesSubscribe: ['route/default/echo:80'] });
    ack(await stream.next());
    store.set({
      ...parts(),
      services: [service('echo')],
      routes: [route('split', 'echo', [rule({ 'echo:80': 1 })])],
    });
    expect((await stream.next()).typeUrl).toBe(rds);
    expect(await stream.next()).toMatchObject({ typeUrl: cluster, removedResources: [other] });
  });

  it('ignores an unknown type and keeps the stream', async () => {
    stream.send({ node, typeUrl: 'type.googleapis.com/nobody.Knows', resourceNamesSubscribe: ['x'] });
    stream.send({ typeUrl: eds, resourceNamesSubscribe: [name] });
    expect(names(await stream.next())).toEqual([name]);
  });

  it('ends with an error if the node is missing or changes', async () => {
    stream.send({ typeUrl: eds, resourceNamesSubscribe: [name] });
    expect((await stream.ended()).code).toBe(status.INVALID_ARGUMENT);
    stream = client.delta();
    stream.send({ node, typeUrl: eds, resourceNamesSubscribe: [name] });
    await stream.next();
    stream.send({ node: { ...node, id: 'another' }, typeUrl: eds });
    expect((await stream.ended()).details).toContain('the node changed');
  });

  it('serves two streams of one node independently', async () => {
    const second = client.delta();
    stream.send({ node, typeUrl: eds, resourceNamesSubscribe: [name] });
    second.send({ node, typeUrl: eds, resourceNamesSubscribe: [name] });
    const [one, two] = [await stream.next(), await second.next()];
    expect(one.resources[0].version).toBe(two.resources[0].version);
  });

  it('ends with OK when the server drains and when the client closes its side', async () => {
    stream.send({ node, typeUrl: eds, resourceNamesSubscribe: [name] });
    await stream.next();
    const other = client.delta();
    other.send({ node, typeUrl: eds, resourceNamesSubscribe: [name] });
    await other.next();
    other.halfClose();
    expect((await other.ended()).code).toBe(status.OK);
    server.services.close();
    expect((await stream.ended()).code).toBe(status.OK);
    expect(server.services.streams).toBe(0);
  });

  it('holds nothing for a client that went away', async () => {
    stream.send({ node, typeUrl: eds, resourceNamesSubscribe: [name] });
    await stream.next();
    expect(await server.metric('tulle_xds_resources')).toBe(1);
    stream.cancel();
    await stream.ended();
    await expect.poll(() => server.services.streams).toBe(0);
    expect(await server.metric('tulle_xds_resources')).toBe(0);
    expect(await server.metric('tulle_xds_streams')).toBe(0);
  });
});

describe('the wildcard of a delta stream', () => {
  const envoy = { id: 'envoy-1', userAgentName: 'envoy' };
  const other = 'service/default/other:80';
  const pod = 'pod/default/echo-1:8080';

  it('stays when names are added, and names stay when it goes', async () => {
    stream.send({ node: envoy, typeUrl: cluster });
    const all = await stream.next();
    expect(names(all)).toEqual([name, other]);
    ack(all);
    stream.send({ typeUrl: cluster, resourceNamesSubscribe: [pod] });
    const added = await stream.next();
    expect(names(added)).toEqual([pod]);
    ack(added);
    store.set({ ...parts(), services: [...(parts().services ?? []), service('third')] });
    const third = await stream.next();
    expect(names(third)).toEqual(['service/default/third:80']);
    ack(third);
    stream.send({ typeUrl: cluster, resourceNamesUnsubscribe: ['*'] });
    expect(await fence()).toEqual([]);
    store.set(parts());
    expect(await fence()).toEqual([]);
    store.set({ ...parts(), workloads: [] });
    expect(await stream.next()).toMatchObject({ resources: [], removedResources: [pod] });
  });

  it('sends again a name that it covers and that is unsubscribed, and names what is gone', async () => {
    stream.send({ node: envoy, typeUrl: cluster, resourceNamesSubscribe: ['*', name] });
    ack(await stream.next());
    stream.send({ typeUrl: cluster, resourceNamesUnsubscribe: [name] });
    const again = await stream.next();
    expect(names(again)).toEqual([name]);
    ack(again);
    store.set({ ...parts(), services: [service('echo', { addresses: ['10.0.0.1'] })] });
    expect(await stream.next()).toMatchObject({ resources: [], removedResources: [other] });
  });

  it('is answered even if there is nothing', async () => {
    store.set({});
    stream.send({ node: envoy, typeUrl: cluster, resourceNamesSubscribe: ['*'] });
    expect(await stream.next()).toMatchObject({ resources: [], removedResources: [] });
  });
});

describe('a server without a complete state', () => {
  it('answers nothing before the first one', async () => {
    const empty = new FixtureStore(null);
    const early = await startServer(empty);
    const early_client = new RawClient(early.port);
    const waiting = early_client.delta();
    waiting.send({ node, typeUrl: eds, resourceNamesSubscribe: [name] });
    await expect.poll(() => early.services.streams).toBe(1);
    expect(early.services.isReady).toBe(false);
    expect(waiting.received).toEqual([]);
    empty.set(parts());
    expect(names(await waiting.next())).toEqual([name]);
    early_client.close();
    await early.close();
  });
});
