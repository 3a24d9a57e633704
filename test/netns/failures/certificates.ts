import { expect, test } from 'vitest';
import { expectClosed, expectFailure, expectSuccess, HTTP, unavailable } from './expected.ts';
import type { World } from './world.ts';

const OTHER = 'spiffe://cluster.local/ns/shop/sa/other';
const ALL = [...HTTP, 'tcp'] as const;

/** One side does not accept the other's certificate, or there is none. */
export function certificates(world: () => World): void {
  const port = (kind: (typeof ALL)[number]) => (kind === 'tcp' ? 'bytes' : 'echo');
  const distrust = (error: string, peer = 'server') => ({ protocol: 'tls', peer, error });
  const counted = (pod: 'client' | 'one', labels: Record<string, string>) =>
    world().metric(pod, 'tulle_protocol_errors_total', labels);
  /** TCP has nobody else to go to, and requests are repeated. */
  const refused = (kind: string, code: 'PEER_IDENTITY' | 'PEER_REJECTED') =>
    kind === 'tcp' ? unavailable(code, 'UF', 1) : unavailable(code, 'UF,URX', 5);

  test.each(ALL)('of somebody else: another endpoint is used, and no byte is sent: %s', async kind => {
    const impostor = world().at('one', port(kind), { identity: OTHER });
    const service = await world().service(kind, [impostor, world().at('two', port(kind))]);
    const outcome = await world().outcome(service, kind === 'tcp' ? {} : { method: 'POST', body: 'x' });
    expectSuccess(service, outcome, 2);
    expect(outcome.counts).toEqual({ [port(kind)]: 1 });
  });

  test.each(ALL)('of somebody else: told, counted, and logged with both names: %s', async kind => {
    const before = await counted('client', distrust('identity'));
    const service = await world().service(kind, [world().at('one', port(kind), { identity: OTHER })]);
    const outcome = await world().outcome(service);
    const failure = refused(kind, 'PEER_IDENTITY');
    await expectFailure(world(), service, outcome, failure);
    expect(outcome.counts).toEqual({});
    expect((await counted('client', distrust('identity'))) - before).toBe(failure.attempts);
    const { log } = await world().logs('client');
    const line = log.findLast(({ msg }) => msg === 'no mutual TLS');
    expect(line).toMatchObject({ expected: OTHER, reason: expect.stringContaining('the peer is spiffe://') });
  });

  test.each(ALL)('of an authority that we do not trust: %s', async kind => {
    await world().identity('one', 'foreign');
    try {
      const service = await world().service(kind, [world().at('one', port(kind))]);
      const outcome = await world().outcome(service);
      await expectFailure(world(), service, outcome, refused(kind, 'PEER_IDENTITY'));
      expect(outcome.counts).toEqual({});
    } finally {
      await world().identity('one', 'own');
    }
  });

  test.each(HTTP)('of ours, which the peer does not trust: not held against the peer: %s', async kind => {
    const before = [
      await counted('client', distrust('rejected')),
      await counted('one', distrust('identity', 'client')),
    ];
    await world().identity('client', 'foreign');
    try {
      const outlier = {
        consecutiveFailures: 1,
        baseEjectionMs: 60_000,
        maxEjectionMs: 60_000,
        maxEjectedFraction: 1,
      };
      const endpoints = [world().at('one', 'echo'), world().at('one', 'error')];
      const service = await world().service(kind, endpoints, { cluster: { outlier } });
      const outcome = await world().outcome(service);
      await expectFailure(world(), service, outcome, refused(kind, 'PEER_REJECTED'));
      expect(outcome.counts).toEqual({});
      expect(await world().of(service, 'tulle_ejected_endpoints')).toBe(0);
      expect((await counted('client', distrust('rejected'))) - before[0]).toBe(5);
      expect((await counted('one', distrust('identity', 'client'))) - before[1]).toBe(5);
    } finally {
      await world().identity('client', 'own');
    }
  });

  test('of ours, which the peer does not trust: the connection is reset: tcp', async () => {
    await world().identity('client', 'foreign');
    try {
      const service = await world().service('tcp', [world().at('one', 'bytes')]);
      const outcome = await world().outcome(service);
      expect(outcome.reply).toEqual({ error: 'ECONNRESET', body: '' });
      expect(outcome.counts).toEqual({});
      await expectClosed(world(), service, 'UC');
    } finally {
      await world().identity('client', 'own');
    }
  });
}

/** An endpoint without a sidecar, and a caller without one. */
export function notMeshed(world: () => World): void {
  const { identity } = { identity: 'spiffe://cluster.local/ns/shop/sa/orders' };

  test.each(ALL)('that should be: no byte in plaintext: %s', async kind => {
    const port = kind === 'tcp' ? 'bytes' : 'echo';
    const endpoints = [world().at('outside', port, { meshed: true, identity })];
    const service = await world().service(kind, endpoints);
    const outcome = await world().outcome(service);
    const code = 'PEER_IDENTITY';
    const failure = kind === 'tcp' ? unavailable(code, 'UF', 1) : unavailable(code, 'UF,URX', 5);
    await expectFailure(world(), service, outcome, failure);
  });

  test.each(ALL)('and known not to be: plaintext: %s', async kind => {
    const service = await world().service(kind, [world().at('outside', kind === 'tcp' ? 'bytes' : 'echo')]);
    expectSuccess(service, await world().outcome(service), 1);
  });

  test.each(HTTP)('calls a port that demands mTLS: %s', async kind => {
    const service = await world().service(kind, [
      world().at('one', 'strict', { meshed: false, identity: '' }),
    ]);
    const { reply, counts } = await world().outcome(service);
    const failure = expect.stringMatching(/^MTLS_REQUIRED; .*\.$/);
    if (kind === 'grpc') expect(reply).toMatchObject({ grpcStatus: 7, failure });
    else expect(reply).toMatchObject({ status: 403, failure });
    expect(counts).toEqual({});
    const { access } = await world().logs('one');
    expect(access.at(-1)).toMatchObject({ response_flags: 'UAEX', failure: 'MTLS_REQUIRED' });
  });

  test('calls a port that demands mTLS: tcp', async () => {
    const service = await world().service('tcp', [
      world().at('one', 'strict', { meshed: false, identity: '' }),
    ]);
    const { reply, counts } = await world().outcome(service);
    expect(reply).toEqual({ error: 'ECONNRESET', body: '' });
    expect(counts).toEqual({});
    await expectClosed(world(), service, 'UC');
    const labels = { protocol: 'tls', peer: 'client', error: 'plaintext' };
    expect(await world().metric('one', 'tulle_protocol_errors_total', labels)).toBe(1);
  });
}
