import { expect, test } from 'vitest';
import { expectFailure, expectSuccess, HTTP } from './expected.ts';
import type { World } from './world.ts';

/** Nobody listens, at the pod or behind its sidecar. */
export function refuses(world: () => World): void {
  test.each([...HTTP, 'tcp'] as const)('an endpoint that refuses is hidden by another: %s', async kind => {
    const port = kind === 'tcp' ? 'bytes' : 'echo';
    const endpoints = [world().at('outside', 'closed'), world().at('one', port)];
    const service = await world().service(kind, endpoints);
    // A method that may not be repeated: nothing has been sent.
    const outcome = await world().outcome(service, kind === 'tcp' ? {} : { method: 'POST', body: 'x' });
    expectSuccess(service, outcome, 2);
    if (kind !== 'tcp')
      expect(await world().of(service, 'tulle_retries_total', { reason: 'connect-failed' })).toBe(1);
  });

  test.each([...HTTP, 'tcp'] as const)('without another the caller is told: %s', async kind => {
    const service = await world().service(kind, [world().at('outside', 'closed')]);
    const outcome = await world().outcome(service);
    // TCP has nowhere else to go; requests are repeated within the budget.
    const attempts = kind === 'tcp' ? 1 : 5;
    const flags = kind === 'tcp' ? 'UF' : 'UF,URX';
    await expectFailure(world(), service, outcome, {
      code: 'CONNECT_FAILED',
      status: 503,
      grpc: 14,
      flags,
      attempts,
    });
  });

  test.each(HTTP)('an application that is gone is hidden by another sidecar: %s', async kind => {
    const endpoints = [world().at('one', 'closed'), world().at('two', 'echo')];
    const service = await world().service(kind, endpoints);
    expectSuccess(service, await world().outcome(service, { method: 'POST', body: 'x' }), 2);
  });

  test.each(HTTP)('behind the only sidecar it is told as of its application: %s', async kind => {
    const service = await world().service(kind, [world().at('one', 'closed')]);
    const outcome = await world().outcome(service);
    await expectFailure(world(), service, outcome, {
      code: 'CONNECT_FAILED',
      status: 503,
      grpc: 14,
      flags: 'UF,URX',
      attempts: 5,
    });
  });
}
