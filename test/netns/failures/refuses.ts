import { expect, test } from 'vitest';
import { expectFailure, expectSuccess, HTTP, unavailable } from './expected.ts';
import type { World } from './world.ts';

/** Nobody listens, at the pod or behind its sidecar. */
export function refuses(world: () => World): void {
  test.each([...HTTP, 'tcp'] as const)('is hidden by another: %s', async kind => {
    const port = kind === 'tcp' ? 'bytes' : 'echo';
    const service = await world().service(kind, [world().at('outside', 'closed'), world().at('one', port)]);
    // A method that may not be repeated: nothing has been sent.
    const outcome = await world().outcome(service, kind === 'tcp' ? {} : { method: 'POST', body: 'x' });
    expectSuccess(service, outcome, 2);
    if (kind !== 'tcp')
      expect(await world().of(service, 'tulle_retries_total', { reason: 'connect-failed' })).toBe(1);
  });

  test.each(HTTP)('is told without another, after attempts within the budget: %s', async kind => {
    const service = await world().service(kind, [world().at('outside', 'closed')]);
    const outcome = await world().outcome(service);
    await expectFailure(world(), service, outcome, unavailable('CONNECT_FAILED', 'UF,URX', 5));
    expect(await world().of(service, 'tulle_retries_denied_total', { reason: 'attempts' })).toBe(1);
  });

  test('is told without another, at once: tcp', async () => {
    const service = await world().service('tcp', [world().at('outside', 'closed')]);
    const outcome = await world().outcome(service);
    await expectFailure(world(), service, outcome, unavailable('CONNECT_FAILED', 'UF', 1));
  });

  test.each(HTTP)('behind its sidecar is hidden by another: %s', async kind => {
    const service = await world().service(kind, [world().at('one', 'closed'), world().at('two', 'echo')]);
    expectSuccess(service, await world().outcome(service, { method: 'POST', body: 'x' }), 2);
  });

  test.each(HTTP)('behind its sidecar is told without another: %s', async kind => {
    const service = await world().service(kind, [world().at('one', 'closed')]);
    const outcome = await world().outcome(service);
    await expectFailure(world(), service, outcome, unavailable('CONNECT_FAILED', 'UF,URX', 5));
  });
}
