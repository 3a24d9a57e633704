/** What is no attack: links between sidecars carry the cancels of everybody (RELIABILITY, finding 2). */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { frame, headers, uint32 } from '../../proxy/http2/testing/wire.ts';
import { RawHttp2 } from './raw-http2.ts';
import { eventually, Scene } from './scene.ts';

/** More than ten seconds of a thousand a second, which is the interval in which they are counted. */
const CANCELS = 12_000;
/** All of them reach the application before they are cancelled. */
const AT_ONCE = 200;
const CANCEL = 8;
const GET = [':method', 'GET', ':scheme', 'http', ':authority', 'a.test', ':path', '/hang'];

let scene: Scene;

beforeAll(async () => {
  scene = await Scene.start('mtls', 'http2', '');
});

afterAll(() => scene.stop());

test('a peer that cancels a thousand streams a second is not cut off, nor is anybody else', async () => {
  const { application } = scene;
  const peer = new RawHttp2(scene.ports, 'mtls');
  peer.greet();
  await peer.roundTrip();
  await scene.startNeighbour();
  for (let first = 0; first < CANCELS && !peer.over; first += AT_ONCE) {
    const ids = Array.from({ length: AT_ONCE }, (_, i) => (first + i) * 2 + 1);
    peer.say(...ids.map(id => headers(id, GET, true)));
    await eventually(async () => (await application.state()).active >= AT_ONCE || peer.over);
    peer.say(...ids.map(id => frame(3, 0, id, uint32(CANCEL))));
    // Whatever was begun is cancelled at the application as well; one request may be the neighbour's.
    await eventually(async () => (await application.state()).active <= 1 || peer.over);
  }
  await peer.roundTrip();
  scene.expectUndisturbed(await scene.pauseNeighbour());
  expect([peer.goaway, peer.closed]).toEqual([-1, false]);
  expect((await scene.victim.usage()).inbound).toEqual({});
  // Node allows a connection a burst of 1,000 resets: no single one has carried all of these.
  expect((await application.state()).cutOff).toEqual([]);
  peer.destroy();
});
