/** Attacks of HTTP/1.1 clients on each way into a sidecar; as in http2.test.ts. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HTTP1_ATTACKS, type Http1Attack } from './http1-attacks.ts';
import { RawHttp1 } from './raw-http1.ts';
import { ENTRIES } from './raw-http2.ts';
import { Scene, SECONDS } from './scene.ts';

describe.each(ENTRIES)('by %s:', entry => {
  let scene: Scene;

  beforeAll(async () => {
    scene = await Scene.start(entry, 'http', '');
  });

  afterAll(() => scene.stop());

  function expectEnd(peer: RawHttp1, { name, statuses }: Http1Attack): void {
    if (statuses.length === 0) return;
    expect([name, peer.status, statuses.includes(peer.status)]).toEqual([name, peer.status, true]);
    expect(peer.received).toMatch(/\r\ntulle-error: [A-Z_]+; [^\r]+\r\n/);
  }

  /** The whole of an attack on a connection. @returns how many octets were sent */
  async function attackOnce(attack: Http1Attack): Promise<number> {
    const peer = new RawHttp1(scene.ports, entry);
    await attack.run(peer);
    await peer.untilClosed();
    expectEnd(peer, attack);
    return peer.socket.bytesWritten;
  }

  if (SECONDS > 0) test('none', () => scene.measurePeace(), 60_000 + SECONDS * 2000);

  test.each(HTTP1_ATTACKS.filter(({ thenMs }) => thenMs === undefined))(
    '$name',
    attack => scene.withstand(attack, () => attackOnce(attack)),
    60_000 + SECONDS * 2000,
  );

  test.each(HTTP1_ATTACKS.filter(({ thenMs }) => thenMs !== undefined))('$name', async attack => {
    const before = await scene.victim.usage();
    await scene.startNeighbour();
    const peer = new RawHttp1(scene.ports, entry);
    await attack.run(peer);
    // What the attacker said last may still be on its way when the clock moves for the first time.
    do {
      await scene.passTime(attack.thenMs ?? 0);
    } while ((await scene.others()) > 0 && !peer.over);
    scene.expectUndisturbed(await scene.pauseNeighbour());
    peer.socket.resume();
    await peer.untilClosed();
    expectEnd(peer, attack);
    scene.expectCounted(attack.counted, before, await scene.forgotten());
  });
});
