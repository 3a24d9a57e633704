import { expect, test } from 'vitest';
import { expectClosed, expectCounted, expectFailure, unavailable } from './expected.ts';
import type { PortName } from './ports.ts';
import type { TestService, World } from './world.ts';

/** The answer had begun: no other endpoint can finish it. */
export function breaksOff(world: () => World): void {
  const both = (port: PortName) => [world().at('one', port), world().at('two', 'echo')];

  test('in the head of the answer is told, since the request was read: http1', async () => {
    const service = await world().service('http1', both('partial'));
    const outcome = await world().outcome(service);
    await expectFailure(world(), service, outcome, unavailable('UPSTREAM_RESET', 'UC', 1));
    expect(outcome.counts).toEqual({ partial: 1 });
  });

  async function cut(kind: 'http1' | 'http2', port: PortName): Promise<TestService> {
    const service = await world().service(kind, both(port));
    const { reply, line, counts } = await world().outcome(service);
    expect(reply).toEqual({ error: kind === 'http1' ? 'ECONNRESET' : 'ERR_HTTP2_STREAM_ERROR' });
    expect(line).toMatchObject({ failure: 'STREAM_RESET', attempts: 1 });
    expect(counts).toEqual({ [port]: 1 });
    return service;
  }

  test.each([
    ['http1', 'halfReset'],
    ['http1', 'halfClosed'],
    ['http2', 'halfReset'],
    ['http2', 'halfClosed'],
  ] as const)('in the body cannot be taken for its end: %s, %s', async (kind, port) => {
    // The status had been sent; the flag says that it is not the whole truth.
    await expectCounted(world(), await cut(kind, port), 200, null, 'UR');
    const { access } = await world().logs('one');
    expect(access.at(-1)).toMatchObject({ response_code: 200, response_flags: 'UC' });
  });

  test.each(['halfReset', 'halfClosed'] as const)('in a message ends with a status: grpc, %s', async port => {
    const service = await world().service('grpc', both(port));
    const { reply, counts } = await world().outcome(service);
    const failure = expect.stringMatching(/^UPSTREAM_RESET; .*\.$/);
    expect(reply).toEqual({ grpcStatus: 14, grpcMessage: failure, failure });
    expect(counts).toEqual({ [port]: 1 });
    await expectCounted(world(), service, 200, 14, 'UC');
  });

  test('is passed on: tcp', async () => {
    const service = await world().service('tcp', [world().at('one', 'bytes')]);
    const { reply } = await world().outcome(service, { body: 'half of it' });
    expect(reply.error).toBe('ECONNRESET');
    await expectClosed(world(), service, 'UC');
  });
}
