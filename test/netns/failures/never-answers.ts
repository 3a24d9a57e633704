import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  expectClosed,
  expectCounted,
  expectFailure,
  expectSuccess,
  HTTP,
  late,
  RETRY,
  unavailable,
} from './expected.ts';
import type { World } from './world.ts';

/** Accepts, reads, and says nothing. */
export function neverAnswers(world: () => World): void {
  test.concurrent.each(HTTP)('is told when the time of the request is over: %s', async kind => {
    const endpoints = [world().at('one', 'silent'), world().at('two', 'echo')];
    const service = await world().service(kind, endpoints, { route: { timeoutMs: 500 } });
    const outcome = await world().outcome(service);
    await expectFailure(world(), service, outcome, late('REQUEST_TIMEOUT', 'UT', 1));
  });

  test.concurrent.each(HTTP)('is hidden if the rule limits an attempt: %s', async kind => {
    const retry = { ...RETRY, anyMethod: true, perTryTimeoutMs: 3000 };
    const endpoints = [world().at('one', 'silent'), world().at('two', 'echo')];
    const service = await world().service(kind, endpoints, { route: { retry } });
    expectSuccess(service, await world().outcome(service), 2);
    expect(await world().of(service, 'tulle_retries_total', { reason: 'timeout' })).toBe(1);
  });

  test('is told when all attempts were too long', async () => {
    const route = { retry: { ...RETRY, perTryTimeoutMs: 300 } };
    const service = await world().service('http1', [world().at('one', 'silent')], { route });
    const outcome = await world().outcome(service);
    await expectFailure(world(), service, outcome, late('ATTEMPT_TIMEOUT', 'UT,URX', 3));
  });

  test.concurrent.each(HTTP)('that does not even complete TLS is hidden by another: %s', async kind => {
    const { identity } = world().at('one', 'echo');
    const mute = world().at('outside', 'mute', { meshed: true, identity });
    const cluster = { connectTimeoutMs: 3000 };
    const service = await world().service(kind, [mute, world().at('two', 'echo')], { cluster });
    expectSuccess(service, await world().outcome(service, { method: 'POST', body: 'x' }), 2);
  });

  test.concurrent.each(HTTP)('that does not even complete TLS is told without another: %s', async kind => {
    const { identity } = world().at('one', 'echo');
    const mute = world().at('outside', 'mute', { meshed: true, identity });
    const service = await world().service(kind, [mute], { cluster: { connectTimeoutMs: 100 } });
    const outcome = await world().outcome(service);
    await expectFailure(world(), service, outcome, unavailable('CONNECT_TIMEOUT', 'UF,URX', 5));
  });

  test.concurrent.each(HTTP)('is nobody’s fault but the caller’s if that goes away: %s', async kind => {
    const service = await world().service(kind, [world().at('one', 'silent')]);
    const { line } = await world().outcome(service, { patienceMs: 500 });
    expect(line).toMatchObject({ attempts: 1 });
    await expectCounted(world(), service, 0, null, 'DC');
  });

  test.concurrent('is nobody’s fault but the caller’s if that goes away: tcp', async () => {
    const service = await world().service('tcp', [world().at('one', 'silent')]);
    await world().outcome(service, { patienceMs: 500 });
    await expectClosed(world(), service, 'DC');
  });

  describe('with short limits of patience', () => {
    // As TULLE_LIMITS sets them; by default 5 minutes.
    const limits = 'streamIdleTimeoutMs=1000,answerTimeoutMs=1000';
    beforeAll(() => world().startSidecar(world().pods.client, limits));
    afterAll(() => world().startSidecar(world().pods.client));

    test('is told when nothing has moved for too long, whatever the route allows', async () => {
      const one = async (kind: (typeof HTTP)[number], server: 'one' | 'outside') => {
        const service = await world().service(kind, [world().at(server, 'silent')]);
        const reply = await world().call(service);
        const outcome = { reply, line: await world().line(service, 0), counts: {} };
        await expectFailure(world(), service, outcome, late('IDLE_TIMEOUT', 'SI', 1));
      };
      await Promise.all(HTTP.flatMap(kind => [one(kind, 'one'), one(kind, 'outside')]));
    });
  });
}
