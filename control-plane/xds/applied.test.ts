import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resourceTypes } from '../../api/xds/any.ts';
import type { DeltaDiscoveryResponse } from '../../api/xds/gen/envoy/service/discovery/v3/discovery.ts';
import { ManualClock } from '../../runtime/clock.ts';
import { createLogger } from '../../runtime/log.ts';
import { FixtureStore, mesh, route, rule, service } from '../translate/mesh.fixture.ts';
import { Applied } from './applied.ts';
import { type DeltaStream, RawClient } from './raw-client.fixture.ts';
import { startServer, type TestServer } from './server.fixture.ts';

const { cluster, endpoints: eds, routes: rds } = resourceTypes;
const name = 'route/default/echo:80';
const services = ['echo', 'other'].map(of => service(of));

describe('a change is in force', () => {
  let store: FixtureStore;
  let server: TestServer;
  let client: RawClient;
  let stream: DeltaStream;
  const told: string[] = [];

  beforeEach(async () => {
    told.length = 0;
    store = new FixtureStore(mesh({ services }));
    server = await startServer(store);
    client = new RawClient(server.port);
    stream = client.delta();
  });

  afterEach(async () => {
    client.close();
    await server.close();
  });

  const ack = (response: DeltaDiscoveryResponse): void =>
    stream.send({ typeUrl: response.typeUrl, responseNonce: response.nonce });

  /** A route to another Service; what is told of it is noted under its name. */
  function change(of: string): void {
    store.set({ services, routes: [route(of, 'echo', [rule({ 'other:80': 1 })])] });
    server.services.whenApplied(() => told.push(of));
  }

  async function subscribe(): Promise<void> {
    stream.send({
      node: { id: 'default/client', userAgentName: 'tulle' },
      typeUrl: rds,
      resourceNamesSubscribe: [name],
    });
    ack(await stream.next());
    await fence();
  }

  /** The server has read everything that was sent before. */
  async function fence(): Promise<void> {
    stream.send({ typeUrl: rds, resourceNamesSubscribe: ['fence'], resourceNamesUnsubscribe: [] });
    const answer = await stream.next();
    expect(answer.removedResources).toEqual(['fence']);
    ack(answer);
  }

  it('at once where nobody is connected, and where nobody uses it', async () => {
    change('unseen');
    expect(told).toEqual(['unseen']);
    stream.send({
      node: { id: 'default/client', userAgentName: 'tulle' },
      typeUrl: cluster,
      resourceNamesSubscribe: ['service/default/other:80'],
    });
    ack(await stream.next());
    await expect
      .poll(() => (server.services.whenApplied(() => told.push('now')), told.includes('now')))
      .toBe(true);
  });

  it('when the client has answered, and not when it has been sent', async () => {
    await subscribe();
    change('seen');
    const pushed = await stream.next();
    expect(told).toEqual([]);
    ack(pushed);
    await expect.poll(() => told).toEqual(['seen']);
  });

  it('when what it refers to has been taken over too', async () => {
    await subscribe();
    change('referring');
    const pushed = await stream.next();
    stream.send({ typeUrl: cluster, resourceNamesSubscribe: ['service/default/other:80'] });
    stream.send({ typeUrl: eds, resourceNamesSubscribe: ['service/default/other:80'] });
    ack(pushed);
    const referred = [await stream.next(), await stream.next()];
    expect(told).toEqual([]);
    for (const response of referred) ack(response);
    await expect.poll(() => told).toEqual(['referring']);
  });

  it('when the client refuses it, and when it goes', async () => {
    await subscribe();
    change('refused');
    const { typeUrl, nonce } = await stream.next();
    stream.send({ typeUrl, responseNonce: nonce, errorDetail: { code: 3, message: 'no' } });
    await expect.poll(() => told).toEqual(['refused']);
    change('gone');
    await stream.next();
    expect(told).toEqual(['refused']);
    stream.cancel();
    await expect.poll(() => told).toEqual(['refused', 'gone']);
  });
});

it('a client that is silent holds a change up once, until it has answered', () => {
  const clock = new ManualClock();
  const client = { isSettled: false };
  const told: string[] = [];
  const applied = new Applied(new Set([client]), clock, 5000, createLogger('control-plane', 'silent'));
  applied.wait(() => told.push('first'));
  clock.advance(4999);
  expect(told).toEqual([]);
  clock.advance(1);
  applied.wait(() => told.push('second'));
  expect(told).toEqual(['first', 'second']);
  applied.settled(client);
  applied.wait(() => told.push('third'));
  expect(told).toEqual(['first', 'second']);
  applied.settled(client);
  expect(told).toEqual(['first', 'second', 'third']);
});
