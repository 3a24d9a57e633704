import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CallKind } from './caller.ts';
import { lossy } from './network.ts';
import { ports } from './ports.ts';
import { startToxiproxy, type Toxiproxy } from './toxiproxy.ts';
import type { TestService, World } from './world.ts';

const KINDS = ['http1', 'http2', 'grpc', 'tcp'] as const satisfies readonly CallKind[];
const BODY = 'b'.repeat(20_000);
const ANSWER_BYTES = 50_000;
const CALLS = 20;
/** Of each kind at once. */
const AT_ONCE = 4;
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Every answer is right to the last byte. */
async function expectRight(world: World, service: TestService): Promise<void> {
  const { kind } = service;
  const expected =
    kind === 'grpc'
      ? { grpcStatus: 0, body: 'ok' }
      : kind === 'tcp'
        ? { body: sha256(BODY), bodyBytes: BODY.length }
        : { status: 200, body: sha256(BODY), bodyBytes: ANSWER_BYTES + 64 };
  let left = CALLS;
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      const options = { method: 'POST', body: BODY, answerBytes: ANSWER_BYTES };
      expect(await world.call(service, options)).toEqual(expected);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  await world.line(service, CALLS - 1);
  // TCP mends it: what the proxies repeat as well would come on top.
  expect(await world.of(service, 'tulle_retries_denied_total')).toBe(0);
  expect(await world.of(service, 'tulle_retries_total')).toBeLessThanOrEqual(CALLS / 5);
}

/** A handshake needs several packets, each of which TCP may have to repeat. */
const cluster = { connectTimeoutMs: 20_000 };

export function loss(world: () => World): void {
  test('every answer is right, and no storm of retries', async () => {
    const make = (kind: CallKind) =>
      world().service(kind, [world().at('one', kind === 'tcp' ? 'bytes' : 'echo')], { cluster });
    const services = await Promise.all(KINDS.map(make));
    await lossy(world().pods.one, 5, async () => {
      await Promise.all(services.map(service => expectRight(world(), service)));
    });
  });
}

export function delay(world: () => World): void {
  const DELAY_MS = 50;
  let toxiproxy: Toxiproxy | null = null;

  beforeAll(async () => {
    toxiproxy = await startToxiproxy(world(), DELAY_MS);
    if (toxiproxy.missing !== '') console.log(`the delay is skipped: ${toxiproxy.missing}`);
  }, 300_000);
  afterAll(() => toxiproxy?.close());

  test('every answer is right, and no retry', async context => {
    if (toxiproxy === null || toxiproxy.missing !== '') return context.skip();
    const { through } = toxiproxy;
    const make = (kind: CallKind) =>
      world().service(kind, [through(kind === 'tcp' ? ports.bytes : ports.echo)], { cluster });
    for (const service of await Promise.all(KINDS.map(make))) {
      await expectRight(world(), service);
      expect(await world().of(service, 'tulle_retries_total')).toBe(0);
      // Both ways, and once more for a body: it was there.
      for (const { duration } of await world().lines(service)) expect(duration).toBeGreaterThan(DELAY_MS);
    }
  });
}
