import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectClosed, expectFailure, expectSuccess, unavailable } from './expected.ts';
import type { TestService, World } from './world.ts';

/** A machine that lost power and is back: it knows nothing of the connections that its peers still have. */
export function restarts(world: () => World): void {
  // Longer than the test, so that no probe finds out before the request does.
  const limits = 'mesh.keepaliveMs=600000,mesh.keepaliveIdleMs=600000,keepaliveTcpMs=600000';
  let get: TestService;
  let post: TestService;
  let grpc: TestService;
  let bytes: TestService;

  beforeAll(async () => {
    await world().startSidecar(world().pods.client, limits);
    const two = world().at('two', 'echo');
    get = await world().service('http1', [two]);
    post = await world().service('http2', [two]);
    grpc = await world().service('grpc', [two]);
    bytes = await world().service('tcp', [world().at('two', 'bytes')]);
    for (const service of [get, post, grpc]) expectSuccess(service, await world().outcome(service), 1);
    await world().resetCounts();
    const talk = world().call(bytes, { everyMs: 100 });
    await world().reached({ bytes: 1 });
    await world().restart('two');
    expect(await talk).toMatchObject({ error: 'ECONNRESET' });
  });
  afterAll(() => world().startSidecar(world().pods.client));

  test('a request that may be repeated is', async () => {
    expectSuccess(get, await world().outcome(get, {}, 1), 2);
  });

  test('one that may not is told, and the next has a new connection', async () => {
    const lost = await world().outcome(post, { method: 'POST', body: 'x' }, 1);
    await expectFailure(world(), post, lost, unavailable('CONNECTION_RESET', 'UC', 1));
    expectSuccess(post, await world().outcome(post, { method: 'POST', body: 'x' }, 2), 1);
  });

  test('a gRPC call is told, and the next has a new connection', async () => {
    const lost = await world().outcome(grpc, {}, 1);
    await expectFailure(world(), grpc, lost, unavailable('CONNECTION_RESET', 'UC', 1));
    expectSuccess(grpc, await world().outcome(grpc, {}, 2), 1);
  });

  test('a connection of bytes is reset', () => expectClosed(world(), bytes, 'UC'));
}
