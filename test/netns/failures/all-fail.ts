import { expect, test } from 'vitest';
import { expectFailure, HTTP, unavailable } from './expected.ts';
import type { World } from './world.ts';

const outlier = {
  consecutiveFailures: 3,
  baseEjectionMs: 60_000,
  maxEjectionMs: 60_000,
  maxEjectedFraction: 0.5,
};

/** Ejection leaves half of them, whatever they do: a Service whose endpoints all fail fails for a reason that is told. */
export function allFail(world: () => World): void {
  test.each(HTTP)('keep half of themselves in use, and their answers are passed on: %s', async kind => {
    const endpoints = [world().at('one', 'error'), world().at('two', 'error')];
    const service = await world().service(kind, endpoints, { cluster: { outlier } });
    await world().resetCounts();
    for (let i = 0; i < 12; i++) {
      const reply = await world().call(service);
      expect(reply).toMatchObject(kind === 'grpc' ? { grpcStatus: 13 } : { status: 500, body: 'broken' });
      expect(reply).not.toHaveProperty('failure');
    }
    expect(await world().counts()).toEqual({ error: 12 });
    await world().line(service, 11);
    const labels = { response_flags: '-', response_code: kind === 'grpc' ? '200' : '500' };
    expect(await world().of(service, 'istio_requests_total', labels)).toBe(12);
    expect(await world().of(service, 'tulle_ejected_endpoints')).toBe(1);
    expect(await world().of(service, 'tulle_ejections_total')).toBe(1);
    expect(await world().of(service, 'tulle_retries_total')).toBe(0);
  });

  test('that refuse, one of them ejected: the refusal is told', async () => {
    const endpoints = [world().at('one', 'closed'), world().at('two', 'closed')];
    const service = await world().service('http1', endpoints, { cluster: { outlier } });
    for (let i = 0; i < 3; i++) await world().call(service);
    await world().line(service, 2);
    expect(await world().of(service, 'tulle_ejected_endpoints')).toBe(1);
    const outcome = await world().outcome(service, {}, 3);
    expect(outcome.reply).toMatchObject({ status: 503, failure: expect.stringContaining('CONNECT_FAILED;') });
    expect(outcome.line).toMatchObject({ response_flags: 'UF,URX', attempts: 5 });
  });
}

/** The Service has none. */
export function noEndpoints(world: () => World): void {
  test.concurrent.each([...HTTP, 'tcp'] as const)(
    'is told after a moment in which one may appear: %s',
    async kind => {
      const service = await world().service(kind, []);
      const outcome = await world().outcome(service);
      await expectFailure(world(), service, outcome, unavailable('NO_HEALTHY_ENDPOINT', 'UH', 0));
    },
  );
}
