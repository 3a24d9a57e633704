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
import { eventually, Scene, SECONDS } from './scene.ts';

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

  /** The whole of an attack on a connection. @returns how many octets were sent */
  async function attackOnce(attack: Http2Attack): Promise<number> {
    const peer = await begin(attack);
    await peer.until(() => isEnded(peer, attack, 1, 1));
    const sent = peer.socket.bytesWritten;
    peer.destroy();
    expectEnd(peer, attack);
    return sent;
  }

  if (SECONDS > 0) test('none', () => scene.measurePeace(), 60_000 + SECONDS * 2000);

  test.each(HTTP2_ATTACKS.filter(({ thenMs }) => thenMs === undefined))(
    '$name',
    attack => scene.withstand(attack, () => attackOnce(attack)),
    60_000 + SECONDS * 2000,
  );

  test.each(HTTP2_ATTACKS.filter(({ thenMs }) => thenMs !== undefined))('$name', async attack => {
    const before = await scene.victim.usage();
    await scene.startNeighbour();
    const peer = await begin(attack);
    const streams = 'released' in attack.ends ? attack.ends.released : 0;
    await eventually(async () => (await scene.application.state()).active >= streams);
    // What the attacker said last may still be on its way when the clock moves for the first time.
    while (!isEnded(peer, attack, await scene.others(), (await scene.application.state()).active)) {
      await scene.passTime(attack.thenMs ?? 0);
    }
    scene.expectUndisturbed(await scene.pauseNeighbour());
    expectEnd(peer, attack);
    peer.destroy();
    scene.expectCounted(attack.counted, before, await scene.forgotten());
  });
});
