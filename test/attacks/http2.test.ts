/**
 * Attacks of HTTP/2 clients on each way into a sidecar. Every one ends as its table says and is counted, costs the
 * sidecars a bounded amount, and leaves the requests of another connection untouched.
 *
 * `ATTACK_SECONDS=N` makes every attack again and again for so long, by four connections at once; `ATTACK_REPORT=FILE`
 * adds to a file what each cost, and how long the requests of the neighbour took meanwhile, 50 a second: docs/attacks.md.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HTTP2_ATTACKS, type Http2Attack } from './http2-attacks.ts';
import { ENTRIES, RawHttp2 } from './raw-http2.ts';
import { ATTACKERS, cpuMs, eventually, RATE, Scene, SECONDS } from './scene.ts';

/** Links between sidecars allow a hundred times as much; here as much as the others, so that a test ends. */
const MESH_LIMITS =
  'mesh.resets=1000,mesh.emptyData=1000,mesh.priorities=5000,mesh.windowUpdates=10000,mesh.maxHeaderListBytes=65536,mesh.maxFrameBytes=16384';

/**
 * Whether the attacker has got what is coming to it. `connections`: those that the sidecar has besides the neighbour's;
 * `active`: requests that the application works on for the attacker.
 */
function isEnded(peer: RawHttp2, { ends }: Http2Attack, connections: number, active: number): boolean {
  if (connections === 0) return true;
  if ('goaway' in ends) return peer.over;
  if ('reset' in ends) return peer.over || peer.resets.has(1);
  if ('status' in ends) return peer.over || peer.heads.has(1);
  if ('released' in ends) return active === 0;
  return false;
}

function expectEnd(peer: RawHttp2, { name, ends }: Http2Attack): void {
  const seen = { name, goaway: peer.goaway, reset: peer.resets.get(1) ?? -1 };
  if ('goaway' in ends) expect(seen).toMatchObject({ name, goaway: ends.goaway });
  if ('reset' in ends) expect([seen, ends.reset.includes(seen.reset)]).toEqual([seen, true]);
  if ('status' in ends) expect(peer.heads.get(1)?.includes(Buffer.from(ends.status, 'latin1'))).toBe(true);
  if ('closed' in ends) expect(seen).toEqual({ name, goaway: -1, reset: -1 });
}

describe.each(ENTRIES)('by %s:', entry => {
  let scene: Scene;

  beforeAll(async () => {
    scene = await Scene.start(entry, 'http2', entry === 'mtls' ? MESH_LIMITS : '');
  });

  afterAll(() => scene.stop());

  async function begin(attack: Http2Attack): Promise<RawHttp2> {
    const peer = new RawHttp2(scene.ports, entry);
    if (attack.silent) {
      await eventually(async () => (await scene.others()) > 0);
    } else {
      peer.greet(...(attack.greeting ?? []));
      await peer.roundTrip();
    }
    await attack.run(peer);
    return peer;
  }

  /** The whole of an attack, by one connection after another. @returns how often, and how many octets were sent */
  async function attackFor(attack: Http2Attack, ms: number): Promise<{ times: number; sent: number }> {
    const until = performance.now() + ms;
    let times = 0;
    let sent = 0;
    do {
      const peer = await begin(attack);
      await peer.until(() => isEnded(peer, attack, 1, 1));
      sent += peer.socket.bytesWritten;
      times++;
      peer.destroy();
      expectEnd(peer, attack);
    } while (performance.now() < until);
    return { times, sent };
  }

  if (SECONDS > 0) test('none', () => scene.measurePeace(), 60_000 + SECONDS * 2000);

  test.each(HTTP2_ATTACKS.filter(({ thenMs }) => thenMs === undefined))(
    '$name',
    async attack => {
      const before = await scene.victim.usage();
      const cpuBefore = cpuMs();
      await scene.startNeighbour(RATE);
      const attackers = Array.from({ length: ATTACKERS }, () => attackFor(attack, SECONDS * 1000));
      const done = await Promise.all(attackers);
      await scene.settle({
        ...attack,
        before,
        service: await scene.pauseNeighbour(),
        attackerMs: cpuMs() - cpuBefore,
        times: done.reduce((sum, { times }) => sum + times, 0),
        sent: done.reduce((sum, { sent }) => sum + sent, 0),
      });
    },
    60_000 + SECONDS * 2000,
  );

  test.each(HTTP2_ATTACKS.filter(({ thenMs }) => thenMs !== undefined))('$name', async attack => {
    const before = await scene.victim.usage();
    await scene.startNeighbour();
    const peer = await begin(attack);
    const streams = 'released' in attack.ends ? attack.ends.released : 0;
    await eventually(() => scene.application.active >= streams);
    // What the attacker said last may still be on its way when the clock moves for the first time.
    while (!isEnded(peer, attack, await scene.others(), scene.application.active)) {
      await scene.passTime(attack.thenMs ?? 0);
    }
    scene.expectUndisturbed(await scene.pauseNeighbour());
    expectEnd(peer, attack);
    peer.destroy();
    scene.expectCounted(attack.counted, before, await scene.forgotten());
  });
});
