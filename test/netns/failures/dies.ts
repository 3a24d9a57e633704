import { expect, test } from 'vitest';
import type { FailureCode } from '../../../api/failure.ts';
import type { CallKind } from './caller.ts';
import { expectClosed, expectFailure, expectSuccess, HTTP, RETRY, unavailable } from './expected.ts';
import type { Outcome, World } from './world.ts';

/** What of HTTP/2 the application has not read when it closes (an acknowledgement, say) makes its kernel send RST. */
function codeOf(kind: CallKind, { line }: Outcome): FailureCode {
  return kind !== 'http1' && line.failure === 'CONNECTION_RESET' ? 'CONNECTION_RESET' : 'UPSTREAM_RESET';
}

/** FIN before the first byte of an answer: the request was read. */
export function dies(world: () => World): void {
  test.each(HTTP)('is told, so that the next does not die of it: %s', async kind => {
    for (const server of ['one', 'outside'] as const) {
      const service = await world().service(kind, [world().at(server, 'dies'), world().at('two', 'echo')]);
      // With RST what may be repeated would move on (RFC 9112 §9.3.1), so over HTTP/2 it is a request that may not.
      const outcome = await world().outcome(service, kind === 'http2' ? { method: 'POST', body: 'x' } : {});
      await expectFailure(world(), service, outcome, unavailable(codeOf(kind, outcome), 'UC', 1));
      expect(outcome.counts).toEqual({ dies: 1 });
    }
  });

  test.each(HTTP)('is hidden if the rule says so: %s', async kind => {
    const endpoints = [world().at('one', 'dies'), world().at('two', 'echo')];
    const service = await world().service(kind, endpoints, {
      route: { retry: { ...RETRY, anyMethod: true } },
    });
    expectSuccess(service, await world().outcome(service, { method: 'POST', body: 'x' }), 2);
    expect(await world().of(service, 'tulle_retries_total', { reason: 'reset' })).toBe(1);
  });

  test.each(HTTP)('is tried as often as the rule says: %s', async kind => {
    const route = { retry: { ...RETRY, anyMethod: true } };
    const service = await world().service(kind, [world().at('one', 'dies')], { route });
    const outcome = await world().outcome(service);
    await expectFailure(world(), service, outcome, unavailable(codeOf(kind, outcome), 'UC,URX', 3));
    expect(outcome.counts).toEqual({ dies: 3 });
  });

  test('ends the connection as the endpoint ended it: tcp', async () => {
    const service = await world().service('tcp', [world().at('one', 'dies')]);
    expect((await world().outcome(service)).reply).toEqual({ body: '', bodyBytes: 0 });
    await expectClosed(world(), service, '-');
  });
}
