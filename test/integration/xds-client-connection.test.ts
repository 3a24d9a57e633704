/** The sidecar's connection to the control plane: one that goes silent, one that is replaced by a new identity. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ControlConnection } from '../../proxy/xds/control-connection.ts';
import { ManualClock } from '../../runtime/clock.ts';
import {
  connectionContext,
  Installation,
  type RunningControlPlane,
  sidecarIdentity,
  startControlPlane,
  targetOf,
} from './identity-fixture.ts';
import { INBOUND, inbound, ScriptedAds, startClient } from './xds-client-fixture.ts';

const WEB = { namespace: 'shop', serviceAccount: 'web', pod: 'web-1' };

let installation: Installation;
let plane: RunningControlPlane;
const ads = new ScriptedAds();

beforeAll(async () => {
  installation = new Installation();
  plane = await startControlPlane(installation, { services: ads.service });
});
afterAll(async () => {
  await plane.stop();
  installation.remove();
});

/** A relay that can be made to swallow everything, as a network does that drops packets. */
class Relay {
  readonly #server: Server;
  readonly #sockets: Socket[] = [];
  frozen = false;

  constructor(port: number) {
    this.#server = createServer(from => {
      const to = connect(port, '127.0.0.1');
      this.#sockets.push(from, to);
      for (const [source, target] of [
        [from, to],
        [to, from],
      ]) {
        source.on('error', () => {});
        source.on('data', bytes => {
          if (!this.frozen) target.write(bytes);
        });
      }
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>(resolve => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

test('a control plane that falls silent is noticed within 25 s, and one that answers PINGs is kept', async () => {
  const relay = new Relay(plane.port);
  const port = await relay.listen();
  const clock = new ManualClock();
  const closed: string[] = [];
  const connection = await new Promise<ControlConnection>(resolve => {
    void new ControlConnection(
      connectionContext(clock),
      targetOf(port),
      createSecureContext({ ca: plane.identity.bundlePem }),
      { onOpen: resolve, onClosed: (_connection, reason) => closed.push(reason) },
    );
  });
  // An answer means that SETTINGS have been exchanged.
  const { kind } = await connection.callOnce('/none/None', [], Buffer.alloc(0), 5000);
  expect(kind).toBe('failed');
  const pass = (seconds: number): void => {
    for (let i = 0; i < seconds; i++) clock.advance(1000);
  };
  for (let i = 0; i < 3; i++) {
    const { heardAt } = connection;
    pass(12);
    await vi.waitFor(() => expect(connection.heardAt).toBeGreaterThan(heardAt));
  }
  expect(closed).toEqual([]);
  relay.frozen = true;
  pass(25);
  await vi.waitFor(() => expect(closed).toEqual(['the control plane does not answer']));
  relay.close();
});

test('a new certificate or bundle moves the stream to a new connection, and nothing is lost', async () => {
  const source = sidecarIdentity(WEB, installation.token(WEB), plane.port);
  const issued = new Promise(resolve => {
    source.subscribe(resolve);
  });
  source.trust(plane.identity.bundlePem);
  await issued;
  // The move waits up to ten seconds of this clock.
  const clock = new ManualClock();
  const client = startClient(source, plane.port, { adsClock: clock });
  const first = await ads.stream();
  expect(await first.subscribed('listener')).toEqual([INBOUND]);
  expect(await first.push('listener', [inbound('v1')])).toBe('');
  source.trust(`# the same root\n${plane.identity.bundlePem}`);
  expect(client.ads.connected).toBe(true);
  clock.advance(5000);
  const second = await ads.stream();
  const request = await second.next();
  expect({ ...request.initialResourceVersions }).toEqual({ [INBOUND]: 'v1' });
  expect(await second.push('listener', [inbound('v2')])).toBe('');
  await vi.waitFor(() => expect(client.table.current?.version).toBe('v2'));
  client.stop();
  source.stop();
});
