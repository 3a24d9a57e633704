/** What the mesh carries, from one application to the other through both sidecars. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Call } from '../apps/call.ts';
import type { Outcome } from '../apps/outcome.ts';
import { apply, get as getObject, kubectl, rolledOut, waitFor } from './harness/kubectl.ts';
import { deleteNamespaces, disabled, enabled, freshNamespaces, namespace } from './harness/scenario.ts';
import { type Capture, capture, isTlsHandshake, noCapture, openings } from './mesh/capture.ts';
import { call, get } from './mesh/client.ts';
import { clientPod, deployment, service, serviceAccount } from './mesh/workloads.ts';

const NS = 'tulle-test-traffic';
const BANNER = '220 tulle test server\r\n';
const CALLER = `spiffe://cluster.local/ns/${NS}/sa/caller`;
const server = `server.${NS}`;

beforeAll(async () => {
  await freshNamespaces(namespace(NS, enabled));
  const asCaller = { spec: { serviceAccountName: 'caller' } };
  await apply(
    serviceAccount(NS, 'caller'),
    ...deployment(NS, 'server', 1),
    service(
      NS,
      'server',
      { app: 'server' },
      [80, 8081, 9000, 6000, 6001, 3306].map(port => [port, port === 80 ? 8080 : port] as const),
      { 'tulle.dev/opaque-ports': '6000' },
    ),
    clientPod(NS, 'caller', asCaller),
    clientPod(NS, 'captured', asCaller),
    clientPod(NS, 'outsider', { annotations: disabled }),
  );
  await rolledOut('server', NS, 120);
  for (const pod of ['caller', 'captured', 'outsider']) await waitFor(`pod/${pod}`, 'condition=Ready', NS);
});
afterAll(() => deleteNamespaces(NS));

const tcpCall = (port: number, text: string): Call => ({
  kind: 'tcp',
  host: server,
  port,
  banner: BANNER,
  text,
});

/** One call of every kind, with `word` in everything that the application sends. */
const everyKind = (word: string): Call[] => [
  {
    kind: 'http',
    url: `http://${server}/${word}`,
    headers: { authorization: word },
    count: 3,
  },
  { kind: 'http2', url: `http://${server}:8081/${word}` },
  { kind: 'grpc', target: `${server}:9000` },
  { kind: 'websocket', url: `ws://${server}/ws?${word}`, messages: [word] },
  tcpCall(6000, word),
  tcpCall(6001, word),
  tcpCall(3306, word),
];

describe.runIf((await noCaptureReason()) === null)('on the pod network', () => {
  const addressOf = async (selector: string): Promise<string> =>
    await kubectl('get', 'pod', '-n', NS, '-l', selector, '-o', 'jsonpath={.items[0].status.podIP}');

  async function captureCalls(pod: string, calls: readonly Call[]): Promise<Capture> {
    const hosts = [await addressOf(`app=${pod}`), await addressOf('app=server')];
    return capture(`tcp and host ${hosts[0]} and host ${hosts[1]}`, async () => {
      for (const command of calls) {
        const outcome = await call(NS, pod, command);
        expect(outcome.failed, JSON.stringify(command)).toEqual([]);
      }
    });
  }

  test('there is TLS, and no plaintext of any protocol', async () => {
    const word = 'canary-of-the-mesh';
    const { bytes, segments } = await captureCalls('captured', everyKind(word));
    const opened = openings(segments);
    // HTTP on one connection, WebSocket and each TCP call on its own, two directions each.
    expect(opened.length).toBeGreaterThanOrEqual(2 * 5);
    expect(opened.filter(({ payload }) => !isTlsHandshake(payload))).toEqual([]);
    expect(bytes.includes(word)).toBe(false);
    expect(bytes.includes('HTTP/1.1')).toBe(false);
    expect(bytes.includes(BANNER)).toBe(false);
  });

  test('a capture does show the plaintext of a pod outside of the mesh', async () => {
    const word = 'canary-of-the-outsider';
    const { bytes, segments } = await captureCalls('outsider', everyKind(word));
    expect(openings(segments).some(({ payload }) => isTlsHandshake(payload))).toBe(false);
    expect(bytes.includes(word)).toBe(true);
    expect(bytes.includes('HTTP/1.1')).toBe(true);
    expect(bytes.includes(BANNER)).toBe(true);
  });
});

describe('the application', () => {
  const callers = ({ bodies }: Outcome): unknown[] => [...new Set(bodies.map(({ caller }) => caller))];

  test('is told the identity of its caller', async () => {
    expect(callers(await get(NS, 'caller', `http://${server}/`))).toEqual([CALLER]);
  });

  test('is never told an identity that the caller made up', async () => {
    const headers = { 'x-forwarded-client-cert': 'URI=spiffe://cluster.local/ns/prod/sa/admin' };
    expect(callers(await get(NS, 'caller', `http://${server}/`, { headers }))).toEqual([CALLER]);
    const plain = await get(NS, 'outsider', `http://${server}/`, { headers });
    expect(plain.statuses).toEqual({ 200: 1 });
    expect(callers(plain)).toEqual(['']);
  });
});

describe('without any declaration', () => {
  test('HTTP/1.1 works, on kept connections and several at a time', async () => {
    const { statuses, bodies } = await get(NS, 'caller', `http://${server}/a?b=c`, {
      count: 300,
      concurrency: 8,
    });
    expect(statuses).toEqual({ 200: 300 });
    expect(bodies[0]).toMatchObject({ protocol: 'HTTP/1.1', method: 'GET', path: '/a?b=c', caller: CALLER });
  });

  test('HTTP/1.1 to the address of a pod works', async () => {
    const name = await kubectl('get', 'pod', '-n', NS, '-l', 'app=server', '-o', 'name');
    const { status } = await getObject<{ status: { podIP: string } }>('pod', name.trim().slice(4), NS);
    const { statuses } = await get(NS, 'caller', `http://${status.podIP}:8080/`);
    expect(statuses).toEqual({ 200: 1 });
  });

  test('a large answer arrives whole', async () => {
    const { statuses, bodies } = await get(NS, 'caller', `http://${server}/?bytes=3000000`);
    expect(statuses).toEqual({ 200: 1 });
    expect(String(bodies[0].padding).length).toBe(3_000_000);
  });

  test('HTTP/2 with prior knowledge works', async () => {
    const { statuses, bodies } = await call(NS, 'caller', {
      kind: 'http2',
      url: `http://${server}:8081/x`,
      count: 50,
    });
    expect(statuses).toEqual({ 200: 50 });
    expect(bodies[0]).toMatchObject({ protocol: 'HTTP/2', path: '/x', caller: CALLER });
  });

  test('gRPC works', async () => {
    const { statuses, bodies } = await call(NS, 'caller', {
      kind: 'grpc',
      target: `${server}:9000`,
      count: 50,
    });
    expect(statuses).toEqual({ OK: 50 });
    expect(bodies[49]).toMatchObject({ i: 49, caller: CALLER });
  });

  test('WebSocket works', async () => {
    const messages = ['one ', 'two ', 'x'.repeat(100_000)];
    const outcome = await call(NS, 'caller', { kind: 'websocket', url: `ws://${server}/ws`, messages });
    expect(outcome.statuses).toEqual({ OK: 3 });
    expect(outcome.text).toBe(messages.join(''));
  });
});

describe('a protocol in which the server speaks first works', () => {
  test.each([
    ['with the annotation tulle.dev/opaque-ports', 6000],
    ['on a port that is known for it', 3306],
    ['undeclared, after detection has waited', 6001],
  ])('%s (%i)', async (_how, port) => {
    const { statuses, text } = await call(NS, 'caller', tcpCall(port, 'hello'));
    expect(statuses).toEqual({ OK: 1 });
    expect(text).toBe(`${BANNER}hello`);
  });
});

async function noCaptureReason(): Promise<string | null> {
  const reason = await noCapture();
  if (reason !== null) process.stderr.write(`traffic.test.ts: no packet is captured: ${reason}\n`);
  return reason;
}
