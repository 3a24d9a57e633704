import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CallRequest } from './caller.ts';
import { expectClosed, expectFailure, expectSuccess, HTTP, unavailable } from './expected.ts';
import { cutOff } from './network.ts';
import type { PortName } from './ports.ts';
import type { ServerName, TestService, World } from './world.ts';

/** Packets between the caller's pod and an endpoint vanish. */
export function blackHole(world: () => World): void {
  const ALL = [...HTTP, 'tcp'] as const;
  const port = (kind: (typeof ALL)[number]) => (kind === 'tcp' ? 'bytes' : 'echo');
  const away = (what: () => Promise<void>) => cutOff(world().pods.one, world().pods.client, what);

  test('when a connection is opened: another endpoint is used', async () => {
    const one = async (kind: (typeof ALL)[number]) => {
      const endpoints = [world().at('one', port(kind)), world().at('two', port(kind))];
      const service = await world().service(kind, endpoints, { cluster: { connectTimeoutMs: 3000 } });
      const outcome = await world().outcome(service, kind === 'tcp' ? {} : { method: 'POST', body: 'x' });
      expectSuccess(service, outcome, 2);
    };
    await away(async () => void (await Promise.all(ALL.map(one))));
  });

  test.each(ALL)('when a connection is opened: told without another: %s', async kind => {
    await away(async () => {
      const cluster = { connectTimeoutMs: 100 };
      const service = await world().service(kind, [world().at('one', port(kind))], { cluster });
      const outcome = await world().outcome(service);
      const code = 'CONNECT_TIMEOUT';
      const failure = kind === 'tcp' ? unavailable(code, 'UF', 1) : unavailable(code, 'UF,URX', 5);
      await expectFailure(world(), service, outcome, failure);
    });
  });

  describe('with short limits of silence', () => {
    // As TULLE_LIMITS sets them; by default a dead peer is found in 20 s.
    const limits = 'keepaliveTcpMs=1000,silenceTimeoutMs=3000,mesh.keepaliveMs=1000,keepaliveTimeoutMs=3000';
    beforeAll(() => world().startSidecar(world().pods.client, limits));
    afterAll(() => world().startSidecar(world().pods.client));

    /** Calls that are under way when the packets begin to vanish, and what becomes of them. */
    interface Call {
      readonly service: TestService;
      readonly options: Partial<CallRequest>;
    }

    async function calls(server: ServerName): Promise<Call[]> {
      const make = async (kind: (typeof ALL)[number], to: PortName, options: Partial<CallRequest>) => ({
        service: await world().service(kind, [world().at(server, to)]),
        options,
      });
      return Promise.all([
        ...HTTP.map(kind => make(kind, 'silent', { method: 'POST', body: 'x' })),
        // Silent itself, so that nothing is on its way; and one that goes on to talk.
        make('tcp', 'silent', {}),
        make('tcp', 'bytes', { everyMs: 100 }),
      ]);
    }

    test('a request or connection that is under way is told, whatever its protocol', async () => {
      const meshed = await calls('one');
      const plain = await calls('outside');
      await world().resetCounts();
      const replies = [...meshed, ...plain].map(({ service, options }) => world().call(service, options));
      // All are there, and those that talk have been answered.
      await world().reached({ silent: 8, bytes: 2 });
      const { one, outside, client } = world().pods;
      await cutOff(one, client, () => cutOff(outside, client, async () => void (await Promise.all(replies))));
      for (const [i, { service }] of [...meshed, ...plain].entries()) {
        const reply = await replies[i];
        if (service.kind === 'tcp') {
          expect(reply.error).toBe('ECONNRESET');
          await expectClosed(world(), service, 'UC');
        } else {
          const outcome = { reply, line: await world().line(service, 0), counts: {} };
          await expectFailure(world(), service, outcome, unavailable('CONNECTION_LOST', 'UC', 1));
        }
      }
      const limit = (name: string) =>
        world().metric('client', 'tulle_limits_exceeded_total', { limit: name });
      expect(await limit('silenceTimeoutMs')).toBeGreaterThan(0);
    });

    test('a connection that was idle when it fell silent is told', async () => {
      for (const server of ['one', 'outside'] as const) {
        const service = await world().service('http1', [world().at(server, 'echo')]);
        expectSuccess(service, await world().outcome(service), 1);
        await cutOff(world().pods[server], world().pods.client, async () => {
          const outcome = await world().outcome(service, {}, 1);
          await expectFailure(world(), service, outcome, unavailable('CONNECTION_LOST', 'UC', 1));
        });
      }
    });
  });
}
