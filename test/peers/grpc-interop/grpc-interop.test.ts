import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cluster, endpoint, SERVER_ID, testMesh } from '../../integration/proxy/mesh.ts';
import type { Tool } from '../tool-cache.ts';
import { findGoPeer } from './go-peer.ts';
import { COMMON_CASES, freePort, type InteropPeer, listening } from './interop-peer.ts';
import { findJavaPeer } from './java-peer.ts';

const languages = ['Go', 'Java'] as const;
type Language = (typeof languages)[number];

const TIMEOUT_MS = 300_000;
const peers = new Map<Language, Tool<InteropPeer>>();
const ports = new Map<Language, number>();
const servers: ChildProcess[] = [];

beforeAll(async () => {
  peers.set('Go', await findGoPeer());
  peers.set('Java', await findJavaPeer());
  for (const [language, peer] of peers) {
    if (peer.kind === 'missing') console.warn(`gRPC interop with ${language} is skipped: ${peer.reason}`);
    else ports.set(language, await start(peer));
  }
}, TIMEOUT_MS);

afterAll(() => {
  for (const server of servers) server.kill();
});

async function start(peer: InteropPeer): Promise<number> {
  const port = await freePort();
  const server = peer.startServer(port);
  servers.push(server);
  await listening(server, port);
  return port;
}

/** Through one sidecar in plaintext, and through two with mTLS between them. */
const ways = {
  'the sidecar of the client': async (application: number) => ordersAt(application, ''),
  'both sidecars': async (application: number) => {
    const mesh = testMesh();
    const { port } = await mesh.server(application, { protocol: 'grpc', mtls: 'strict' });
    return ordersAt(port, SERVER_ID, mesh);
  },
};

async function ordersAt(port: number, identity: string, mesh = testMesh()): Promise<number> {
  const orders = cluster('orders', [endpoint(port, { identity })], { protocol: 'http2' });
  return (await mesh.orders([orders], { protocol: 'grpc' })).port;
}

const pairs = languages.flatMap(client => languages.map(server => ({ client, server })));

describe.each(Object.entries(ways))('through %s', (_name, way) => {
  it.for(pairs)(
    'a client in $client passes every case with a server in $server',
    { timeout: TIMEOUT_MS },
    async ({ client, server }, context) => {
      const peer = peers.get(client)!;
      const port = ports.get(server);
      if (peer.kind === 'missing') return context.skip(peer.reason);
      if (port === undefined) return context.skip(`there is no server in ${server}`);
      const cases = client === server ? [...COMMON_CASES, ...peer.ownCases] : COMMON_CASES;
      const outcomes = await peer.runCases(await way(port), cases);
      expect(outcomes).toEqual(Object.fromEntries(cases.map(name => [name, 'passed'])));
    },
  );
});
