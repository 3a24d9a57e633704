/** Every row of docs/failures.md, between pods with real redirection. A file per case, one world for all. */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe } from 'vitest';
import { refuses } from './refuses.ts';
import { World } from './world.ts';

const missing =
  process.getuid?.() !== 0
    ? 'needs root for network namespaces'
    : ['/usr/sbin/iptables-restore', '/usr/sbin/ip6tables-restore', '/usr/sbin/ip', '/usr/sbin/nft'].find(
        path => !existsSync(path),
      );
if (missing !== undefined) console.log(`failures.test.ts is skipped: ${missing}`);

describe.skipIf(missing !== undefined)('an endpoint', () => {
  let world: World | null = null;
  const given = (): World => world as World;

  beforeAll(async () => {
    world = new World();
    await world.start();
  });
  afterAll(() => world?.close());

  describe('refuses', () => refuses(given));
});
