import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  endpoint,
  endpoints,
  FixtureStore,
  type MeshParts,
  match,
  mesh,
  port,
  route,
  rule,
  service,
  workload,
} from '../../control-plane/translate/mesh.fixture.ts';
import type { TestServer } from '../../control-plane/xds/server.fixture.ts';
import { answers, isQuiet } from './answers.ts';
import { type Backend, grpcBackend } from './backend.ts';
import type { ClientProcess } from './client-process.ts';
import { goldenCases } from './golden-case.ts';
import {
  bootstrapOf,
  clientNames,
  linesOf,
  secureMetadata,
  skipIfMissing,
  startClient,
} from './grpc-clients.ts';
import { startServerOfPeers } from './nothing-refused.ts';
import { certify, createAuthority } from './workload-certificate.ts';

/** It takes seconds; a machine may be busy. */
const TEST_MS = 120_000;

describe.each(clientNames)('%s', { timeout: TEST_MS }, name => {
  let store: FixtureStore;
  let server: TestServer;
  let one: Backend;
  let two: Backend;
  let client: ClientProcess | null;

  beforeEach(async () => {
    [one, two] = [await grpcBackend('one'), await grpcBackend('two')];
    store = new FixtureStore(mesh(parts(90, 10)));
    server = await startServerOfPeers(store);
    client = null;
  });

  afterEach(async () => {
    await client?.stop();
    await server.close();
    await Promise.all([one.close(), two.close()]);
  });

  /** Service `echo` in front of Services `one` and `two`, which have a backend each. */
  function parts(first: number, second: number): MeshParts {
    const ports = [port(7070, { name: 'grpc', protocol: 'grpc' })];
    const backend = (name: string, { port }: Backend) =>
      endpoints(`default/${name}`, { name: 'grpc', port }, [endpoint('127.0.0.1')]);
    return {
      services: ['echo', 'one', 'two'].map(name => service(name, { ports })),
      endpoints: [backend('one', one), backend('two', two)],
      routes: [
        route('split', 'echo', [rule({ 'one:7070': first, 'two:7070': second })], { kind: 'GRPCRoute' }),
      ],
    };
  }

  const lines = (count: number): Promise<string[]> => linesOf(client as ClientProcess, count);

  it('resolves xds:///, splits by weight and follows a change without a failed call', async context => {
    skipIfMissing(context, name);
    client = startClient(
      name,
      'call',
      ['xds:///echo.default.svc.cluster.local:7070'],
      bootstrapOf(server.port),
    );
    const before = await lines(400);
    expect(new Set(before)).toEqual(new Set(['ok one', 'ok two']));
    // 10 % of 400 is 40 with a standard deviation of 6: seven of them on either side.
    const share = before.filter(line => line === 'ok two').length / before.length;
    expect(share).toBeGreaterThan(0.01);
    expect(share).toBeLessThan(0.2);

    store.set(parts(0, 100));
    const seen: string[] = [];
    await expect
      .poll(
        async () => {
          const last = await lines(50);
          seen.push(...last);
          return last.every(line => line === 'ok two');
        },
        { timeout: 20_000 },
      )
      .toBe(true);
    expect(seen.filter(line => !line.startsWith('ok '))).toEqual([]);
  });

  it('resolves short names, and goes on while the control plane is away', async context => {
    skipIfMissing(context, name);
    const targets = ['xds:///one.default:7070', 'xds:///two:7070'];
    client = startClient(name, 'call', targets, bootstrapOf(server.port));
    expect(new Set(await lines(20))).toEqual(new Set(['ok one', 'ok two']));
    await server.close();
    expect(new Set(await lines(200))).toEqual(new Set(['ok one', 'ok two']));
  });

  it('gives an invalid backend its share as UNAVAILABLE', async context => {
    skipIfMissing(context, name);
    const routes = [route('split', 'echo', [rule({ 'one:7070': 1, 'gone:7070': 1 })], { kind: 'GRPCRoute' })];
    const action = routes[0].rules[0].action;
    if (action.kind === 'forward') Object.assign(action.backends[1], { service: null });
    store.set({ ...parts(1, 1), routes });
    client = startClient(name, 'call', ['xds:///echo:7070'], bootstrapOf(server.port));
    const answers = await lines(60);
    const failed = answers.filter(line => !line.startsWith('ok one'));
    expect(failed.length).toBeGreaterThan(10);
    expect(failed.length).toBeLessThan(50);
    expect(failed.filter(line => !/^error (14|UNAVAILABLE)/.test(line))).toEqual([]);
  });

  it('fails the calls of a redirect, and does not give them to the next rule', async context => {
    skipIfMissing(context, name);
    const action = {
      kind: 'redirect',
      status: 302,
      scheme: '',
      host: 'a.test',
      port: 0,
      path: null,
    } as const;
    const moved = rule({}, { matches: [match({ path: { kind: 'prefix', value: '/echo.Echo' } })], action });
    store.set({ ...parts(1, 1), routes: [route('moved', 'echo', [moved, rule({ 'one:7070': 1 })])] });
    client = startClient(name, 'call', ['xds:///echo:7070'], bootstrapOf(server.port));
    for (const line of await lines(5)) expect(line).toMatch(/^error (14|UNAVAILABLE)/);
  });

  it('calls a meshed endpoint with mTLS if the bootstrap asks for it, and refuses another identity', async context => {
    skipIfMissing(context, name);
    const authority = createAuthority();
    const identity = { trustDomain: 'cluster.local', namespace: 'default' };
    const own = certify(authority, { ...identity, serviceAccount: 'client' });
    const secure = await grpcBackend('secure', {
      files: certify(authority, { ...identity, serviceAccount: 'echo' }),
    });
    const meshed = (serviceAccount: string): MeshParts => ({
      ...parts(1, 1),
      endpoints: [
        endpoints('default/one', { name: 'grpc', port: secure.port }, [
          endpoint('127.0.0.1', { pod: 'default/pod' }),
        ]),
      ],
      workloads: [workload('pod', { serviceAccount, addresses: ['127.0.0.1'], services: ['default/one'] })],
    });
    store.set(meshed('echo'));
    const secureBootstrap = bootstrapOf(server.port, secureMetadata, own);
    client = startClient(name, 'call-tls', ['xds:///one:7070'], secureBootstrap);
    expect(new Set(await lines(20))).toEqual(new Set(['ok secure']));
    store.set(meshed('somebody-else'));
    if (name === 'grpc-go') {
      // It asks who answers when it connects, and keeps the connections that it has.
      await client.stop();
      client = startClient(name, 'call-tls', ['xds:///one:7070'], secureBootstrap);
    }
    const running = client;
    await expect
      .poll(() => running.lines.splice(0).some(line => /^error (14|UNAVAILABLE)/.test(line)), {
        timeout: 20_000,
      })
      .toBe(true);
    await secure.close();
  });

  it('refuses nothing of the golden files', async context => {
    skipIfMissing(context, name);
    const cases = goldenCases();
    const targets = new Set(cases.flatMap(({ grpc }) => grpc));
    const own = certify(createAuthority(), {
      trustDomain: 'a',
      namespace: 'default',
      serviceAccount: 'client',
    });
    const bootstrap = bootstrapOf(server.port, secureMetadata, own);
    client = startClient(
      name,
      'watch-tls',
      [...targets].map(target => `xds:///${target}`),
      bootstrap,
    );
    for (const { name: golden, parts, grpc } of cases) {
      const before = await answers(server);
      store.set(parts);
      if (grpc.length > 0)
        await expect
          .poll(() => answers(server), { message: golden, timeout: 10_000 })
          .toBeGreaterThan(before);
      await expect.poll(() => isQuiet(server), { timeout: 10_000 }).toBe(true);
      expect(await server.metric('tulle_xds_nacks_total'), golden).toBe(0);
    }
  });
});
