/** Every row of docs/failures.md, between pods with real redirection. A file per case, one world for all. */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe } from 'vitest';
import { allFail, noEndpoints } from './all-fail.ts';
import { delay, loss } from './bad-network.ts';
import { blackHole } from './black-hole.ts';
import { breaksOff } from './breaks-off.ts';
import { certificates, notMeshed } from './certificates.ts';
import { dies } from './dies.ts';
import { neverAnswers } from './never-answers.ts';
import { refuses } from './refuses.ts';
import { resetsUnread } from './resets-unread.ts';
import { restarts } from './restarts.ts';
import { World } from './world.ts';

const missing =
  process.getuid?.() !== 0
    ? 'needs root for network namespaces'
    : ['/usr/sbin/iptables-restore', '/usr/sbin/ip6tables-restore', '/usr/sbin/ip', '/usr/sbin/nft'].find(
        path => !existsSync(path),
      );
if (missing !== undefined) console.log(`failures.test.ts is skipped: ${missing}`);

describe.skipIf(missing !== undefined)('when something fails', () => {
  let world: World | null = null;
  const given = (): World => world as World;

  beforeAll(async () => {
    world = new World();
    await world.start();
  });
  afterAll(() => world?.close());

  describe('an endpoint that refuses', () => refuses(given));
  describe('an endpoint that resets before the first byte of an answer', () => resetsUnread(given));
  describe('an endpoint that ends the connection before the first byte of an answer', () => dies(given));
  describe('an endpoint that breaks its answer off', () => breaksOff(given));
  describe('an endpoint that never answers', () => neverAnswers(given));
  describe('a black hole', () => blackHole(given));
  describe('a peer that restarts silently', () => restarts(given));
  describe('5 % of the packets lost', () => loss(given));
  describe('50 ms of delay each way', () => delay(given));
  describe('endpoints that all fail', () => allFail(given));
  describe('no endpoint', () => noEndpoints(given));
  describe('a certificate', () => certificates(given));
  describe('an endpoint or caller outside the mesh', () => notMeshed(given));
});
