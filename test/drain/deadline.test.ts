/** What is still open when the drain time of a sidecar is over, at either end of the connection between two of them. */
import { once } from 'node:events';
import { request } from 'node:http';
import { connect as connectHttp2, constants } from 'node:http2';
import { connect } from 'node:net';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { type SidecarPods, startSidecarPods } from '../integration/sidecar-pods.ts';
import { type Applications, CHAT, NEVER, startApplications } from './applications.ts';

const DRAIN_SECONDS = 1;
const CANCEL = constants.NGHTTP2_CANCEL;
const CUT_OFF =
  'CUT_OFF; The proxy has shut down, and the answer was not complete at the end of its drain time.';

let pods: SidecarPods;
let applications: Applications;

beforeAll(async () => {
  applications = await startApplications(() => 0);
  const { http1, http2, grpc, tcp } = applications;
  pods = await startSidecarPods(
    [
      { name: 'http1', port: 8080, protocol: 'http', application: http1 },
      { name: 'http2', port: 8081, protocol: 'kubernetes.io/h2c', application: http2 },
      { name: 'grpc', port: 8082, protocol: 'grpc', application: grpc },
      { name: 'tcp', port: 8083, protocol: 'tcp', application: tcp },
    ],
    { TULLE_DRAIN_SECONDS: String(DRAIN_SECONDS), TULLE_ACCESS_LOG: 'errors' },
  );
}, 120_000);
afterAll(async () => {
  await pods?.stop();
  applications?.close();
});

/** How something that is open ended, once it has. */
type Ending = Promise<unknown>;

interface Address {
  readonly host: string;
  readonly port: number;
}

function unanswered({ host, port }: Address): Ending {
  const sent = request({ host, port, path: NEVER, headers: { host: 'orders' } }).end();
  return once(sent, 'response').then(([{ statusCode, headers }]) => [
    statusCode,
    headers['tulle-error'],
    headers.connection,
  ]);
}

async function halfAnswered({ host, port }: Address): Promise<{ ending: Ending }> {
  const sent = request({ host, port, method: 'POST', headers: { host: 'orders' } });
  sent.on('error', () => {});
  sent.write('half');
  const [answer] = await once(sent, 'response');
  await once(answer, 'data');
  return { ending: once(answer, 'error').then(([error]) => error.message) };
}

async function http2Streams({ host, port }: Address): Promise<{ ending: Ending }> {
  const session = connectHttp2(`http://${host}:${port}`);
  session.on('error', () => {});
  const half = session.request({ ':method': 'POST', ':path': '/', ':authority': 'orders' });
  half.on('error', () => {});
  half.write('half');
  await once(half, 'data');
  const unanswered = session.request({ ':path': NEVER, ':authority': 'orders' });
  const ending = Promise.all([once(unanswered, 'response'), once(half, 'close')]).then(([[headers]]) => {
    session.close();
    return [headers[':status'], headers['tulle-error'], half.rstCode];
  });
  return { ending };
}

async function grpcStream({ host, port }: Address): Promise<{ ending: Ending }> {
  const client = new Client(`${host}:${port}`, credentials.createInsecure(), {
    'grpc.default_authority': 'orders',
  });
  const call = client.makeBidiStreamRequest(CHAT.path, CHAT.requestSerialize, CHAT.responseDeserialize);
  const ending = new Promise(resolve => {
    call.on('error', (error: ServiceError) => {
      client.close();
      resolve([error.code, error.details]);
    });
  });
  call.write(Buffer.from('half'));
  await once(call, 'data');
  return { ending };
}

async function tcpConnection({ host, port }: Address): Promise<{ ending: Ending }> {
  const socket = connect({ host, port });
  socket.write('half');
  await once(socket, 'data');
  return { ending: once(socket, 'error').then(([error]) => error.code) };
}

async function webSocket({ host, port }: Address): Promise<{ ending: Ending }> {
  const socket = new WebSocket(`ws://${host}:${port}/`);
  await once(socket, 'open');
  socket.on('error', () => {});
  socket.send('half');
  await once(socket, 'message');
  return { ending: once(socket, 'close').then(([code]) => code) };
}

test.each(['client', 'server'] as const)(
  'what a %s’s sidecar cuts off is told so',
  async side => {
    const [server, client] = await Promise.all([pods.server(), pods.client()]);
    onTestFinished(async () => {
      for (const pod of [server, client]) pods.withdraw(pod);
      await Promise.all([server.sidecar.kill(), client.sidecar.kill()]);
    });
    const at = (port: string): Address => pods.callAt(client, port);
    const endings = {
      'HTTP/1.1, half answered': (await halfAnswered(at('http1'))).ending,
      'HTTP/2': (await http2Streams(at('http2'))).ending,
      gRPC: (await grpcStream(at('grpc'))).ending,
      TCP: (await tcpConnection(at('tcp'))).ending,
      WebSocket: (await webSocket(at('http1'))).ending,
      'HTTP/1.1, unanswered': unanswered(at('http1')),
    };
    await applications.unanswered(2);
    const { sidecar } = side === 'client' ? client : server;
    const exited = once(sidecar.process, 'exit');
    sidecar.signal('SIGTERM');
    const results = await Promise.all(Object.values(endings));
    expect(Object.fromEntries(Object.keys(endings).map((name, i) => [name, results[i]]))).toEqual({
      'HTTP/1.1, half answered': 'aborted',
      'HTTP/2': [503, CUT_OFF, CANCEL],
      gRPC: [14, CUT_OFF],
      TCP: 'ECONNRESET',
      WebSocket: 1006,
      'HTTP/1.1, unanswered': [503, CUT_OFF, side === 'client' ? 'close' : undefined],
    });
    expect(await exited).toEqual([0, null]);
    const log = pods
      .logOf(side === 'client' ? client : server)
      .trim()
      .split('\n')
      .map(line => JSON.parse(line));
    const direction = side === 'client' ? 'outbound' : 'inbound';
    expect(
      log.find(({ msg }) => msg === 'the drain time is over: what is under way is cut off'),
    ).toMatchObject({
      deadlineMs: 1000,
      [direction]: { active: 7 },
    });
    expect(log.filter(line => line.failure === 'CUT_OFF' && line.response_flags === 'DR')).toHaveLength(7);
    expect(log.at(-1)).toMatchObject({ msg: 'stopped' });
  },
  60_000,
);
