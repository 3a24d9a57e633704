import { expect, test } from 'vitest';
import { expectClosed, expectFailure, expectSuccess, HTTP, RETRY, unavailable } from './expected.ts';
import type { World } from './world.ts';

/** RST before the first byte of an answer. */
export function resetsUnread(world: () => World): void {
  test.each(['http1', 'http2'] as const)('is hidden once if the request may be repeated: %s', async kind => {
    const service = await world().service(kind, [world().at('one', 'unread'), world().at('two', 'echo')]);
    const outcome = await world().outcome(service);
    expectSuccess(service, outcome, 2);
    expect(outcome.counts).toEqual({ unread: 1, echo: 1 });
    expect(await world().of(service, 'tulle_retries_total', { reason: 'reset' })).toBe(1);
  });

  test.each(HTTP)('is told if it may not: %s', async kind => {
    const service = await world().service(kind, [world().at('one', 'unread'), world().at('two', 'echo')]);
    const outcome = await world().outcome(service, { method: 'POST', body: 'x' });
    await expectFailure(world(), service, outcome, unavailable('CONNECTION_RESET', 'UC', 1));
    expect(outcome.counts).toEqual({ unread: 1 });
  });

  test.each(HTTP)('is hidden if the rule says so: %s', async kind => {
    const endpoints = [world().at('one', 'unread'), world().at('two', 'echo')];
    const service = await world().service(kind, endpoints, {
      route: { retry: { ...RETRY, anyMethod: true } },
    });
    expectSuccess(service, await world().outcome(service, { method: 'POST', body: 'x' }), 2);
  });

  test.each(['http1', 'http2'] as const)(
    'is tried twice without another, without a sidecar too: %s',
    async kind => {
      for (const server of ['one', 'outside'] as const) {
        const service = await world().service(kind, [world().at(server, 'unread')]);
        const outcome = await world().outcome(service);
        await expectFailure(world(), service, outcome, unavailable('CONNECTION_RESET', 'UC,URX', 2));
        expect(outcome.counts).toEqual({ unread: 2 });
      }
    },
  );

  test('is passed on: tcp', async () => {
    const service = await world().service('tcp', [world().at('one', 'unread')]);
    const { reply, line } = await world().outcome(service);
    expect(reply).toEqual({ error: 'ECONNRESET', body: '' });
    expect(line).toMatchObject({ attempts: 1 });
    await expectClosed(world(), service, 'UC');
  });
}
