/** Who a client of the control plane's port is: with a certificate, without, with a stranger's; and odd calls to Sign. */
import { createSecureContext, type SecureContext } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SignRequest } from '../../api/xds/gen/tulle/identity/v1/certificate.ts';
import { describeStatus } from '../../proxy/grpc/status.ts';
import type { Identity } from '../../proxy/identity/identity.ts';
import { ControlConnection } from '../../proxy/xds/control-connection.ts';
import { systemClock } from '../../runtime/clock.ts';
import {
  connectionContext,
  Installation,
  type RunningControlPlane,
  sidecarIdentity,
  startControlPlane,
  targetOf,
  type Workload,
} from './identity-fixture.ts';
import { ScriptedAds } from './xds-client-fixture.ts';

const WEB: Workload = { namespace: 'shop', serviceAccount: 'web', pod: 'web-1' };
const DELTA = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
const SIGN = '/tulle.identity.v1.CertificateService/Sign';

const installations: Installation[] = [];
const planes: RunningControlPlane[] = [];
const ads = new ScriptedAds();
let plane: RunningControlPlane;
let strangers: RunningControlPlane;

beforeAll(async () => {
  for (let i = 0; i < 2; i++) installations.push(new Installation());
  plane = await startControlPlane(installations[0], { services: ads.service });
  strangers = await startControlPlane(installations[1]);
  planes.push(plane, strangers);
});
afterAll(async () => {
  for (const running of planes) await running.stop();
  for (const installation of installations) installation.remove();
});

async function issued(running: RunningControlPlane, installation: Installation): Promise<Identity> {
  const source = sidecarIdentity(
    WEB,
    installation.token({ ...WEB, pod: `web-${Math.random()}` }),
    running.port,
  );
  const identity = await new Promise<Identity>(resolve => {
    source.subscribe(resolve);
    source.trust(running.identity.bundlePem);
  });
  source.stop();
  return identity;
}

function open(context: SecureContext, port = plane.port): Promise<ControlConnection> {
  return new Promise((resolve, reject) => {
    void new ControlConnection(connectionContext(), targetOf(port), context, {
      onOpen: resolve,
      onClosed: (_connection, reason) => reject(new Error(reason)),
    });
  });
}

/** What the control plane takes a connection for that opens ADS. */
async function streamOf(connection: ControlConnection): Promise<unknown> {
  const receiver = { onMessage() {}, onEnd() {} };
  connection.call(DELTA, [], receiver)?.send(Buffer.alloc(0));
  return (await ads.stream()).identity;
}

async function seenAs(context: SecureContext): Promise<unknown> {
  const connection = await open(context);
  const identity = await streamOf(connection);
  connection.close();
  return identity;
}

/** Status of a call to Sign. */
async function sign(message: Uint8Array, metadata: string[]): Promise<string> {
  const connection = await open(createSecureContext({ ca: plane.identity.bundlePem }));
  const result = await connection.callOnce(SIGN, metadata, message, 5000);
  connection.close();
  return result.kind === 'failed' ? describeStatus(result.status) : 'signed';
}

test('a workload is who its certificate says', async () => {
  const { context } = await issued(plane, installations[0]);
  expect(await seenAs(context)).toEqual({
    trustDomain: 'cluster.local',
    namespace: 'shop',
    serviceAccount: 'web',
  });
});

test('a client without a certificate is nobody', async () => {
  expect(await seenAs(createSecureContext({ ca: plane.identity.bundlePem }))).toBeNull();
});

test('a client with a certificate of another authority is nobody, whatever name it has', async () => {
  // It trusts our server, but was issued elsewhere.
  const stranger = await issued(strangers, installations[1]);
  stranger.context.context.addCACert(plane.identity.bundlePem);
  expect(await seenAs(stranger.context)).toBeNull();
});

test('a certificate that has ended is nobody, though its connection lives on', async () => {
  const installation = new Installation();
  installations.push(installation);
  let hours = 0;
  const clock = { ...systemClock, unix: () => Date.now() + hours * 3_600_000 };
  const running = await startControlPlane(installation, { clock, services: ads.service });
  planes.push(running);
  const { context } = await issued(running, installation);
  const connection = await open(context, running.port);
  expect(await streamOf(connection)).toMatchObject({ serviceAccount: 'web' });
  hours = 25;
  expect(await streamOf(connection)).toBeNull();
  connection.close();
});

test('Sign says what is wrong with a call, and how to put it right', async () => {
  const good = SignRequest.encode({ csrDer: Buffer.alloc(10) }).finish();
  expect(await sign(good, [])).toMatch(/^UNAUTHENTICATED: there is no token; send/);
  expect(await sign(good, ['authorization', 'Basic abc'])).toMatch(/^UNAUTHENTICATED: there is no token/);
  expect(await sign(good, ['authorization', `Bearer ${'x'.repeat(20_000)}`])).toMatch(/^UNAUTHENTICATED/);
  expect(await sign(Buffer.from([0xff, 0xff]), ['authorization', 'Bearer x'])).toMatch(
    /^INVALID_ARGUMENT: the message is no/,
  );
});
