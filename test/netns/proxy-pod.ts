/**
 * What runs in a pod of proxy.test.ts, one process each:
 *   proxy-pod.ts sidecar JSON          the data path in redirect mode, with the configuration given
 *   proxy-pod.ts app ADDRESS PORT      an HTTP application that answers what it received, or with `tcp` says 220 first
 *   proxy-pod.ts call ADDRESS PORT     prints the answer to one request, or the error's code
 *   proxy-pod.ts talk ADDRESS PORT     prints what the server says first, or the error's code
 * UID in the environment is the user to become.
 */
import { createServer, request } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import type { AuthorityFiles } from '../../control-plane/identity/authority.ts';
import { createDataPath } from '../../proxy/data-path.ts';
import { createInbound } from '../../proxy/inbound.ts';
import { createOriginalDestination } from '../../proxy/listener/original-destination.ts';
import { createOutbound } from '../../proxy/outbound.ts';
import { ownAddresses } from '../../proxy/own-addresses.ts';
import { AccessLog } from '../../proxy/telemetry/access-log.ts';
import { Metrics } from '../../proxy/telemetry/metrics.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createLogger } from '../../runtime/log.ts';
import {
  cluster,
  endpoint,
  forward,
  inboundConfig,
  TestDestinations,
} from '../integration/proxy/configuration.ts';
import { createAuthority, TestIdentity } from '../integration/proxy/identities.ts';

export interface SidecarOptions {
  readonly podIp: string;
  readonly spiffe: string;
  readonly authority: AuthorityFiles;
  readonly mtls: 'permissive' | 'strict';
  /** Meshed destinations: what the application calls, and the one endpoint behind it. */
  readonly destinations: readonly {
    readonly host: string;
    readonly port: number;
    readonly address: string;
    readonly identity: string;
  }[];
}

async function sidecar({ podIp, spiffe, authority, mtls, destinations }: SidecarOptions): Promise<void> {
  const known = new TestDestinations();
  for (const { host, port, address, identity } of destinations) {
    const name = `${host}:${port}`;
    known.set(
      host,
      port,
      'detect',
      [cluster(name, [endpoint(port, { address, identity })])],
      [forward([name])],
    );
  }
  const log = createLogger('sidecar', 'warn');
  const path = createDataPath({
    clock: systemClock,
    random: Math.random,
    log,
    metrics: new Metrics(1000),
    accessLog: new AccessLog(log, 'off'),
    identity: TestIdentity.create(createAuthority(authority), spiffe),
    inbound: { current: inboundConfig('orders', 'detect', mtls) },
  });
  const common = {
    listenAddress: '::',
    originalDestination: createOriginalDestination(),
    isOwn: ownAddresses(() => [14001, 14006, 14020].map(port => ({ address: '::', port })), podIp),
    detectTimeoutMs: 300,
    connectTimeoutMs: 1000,
    maxConnections: 1000,
    listeners: [],
  };
  await createInbound(path, { ...common, port: 14006, podIp }).listen();
  await createOutbound(path, { ...common, port: 14001, destinations: known, expand: host => host }).listen();
}

function app(address: string, port: number, kind: string): Promise<void> {
  const server =
    kind === 'tcp'
      ? createTcpServer(socket => {
          socket.on('error', () => {});
          socket.end('220 ready');
        })
      : createServer((req, res) =>
          res.end(JSON.stringify({ headers: req.headers, version: req.httpVersion })),
        );
  return new Promise(resolve => server.listen(port, address, resolve));
}

function call(host: string, port: number): void {
  const sent = request(
    { host, port, path: '/', agent: false, timeout: Number(process.env['TIMEOUT'] ?? 5000) },
    received => {
      let body = '';
      received.on('data', chunk => (body += chunk));
      received.on('end', () => {
        const failure = received.headers['tulle-error'];
        console.log(
          JSON.stringify({
            status: received.statusCode,
            failure,
            ...(failure === undefined ? JSON.parse(body) : {}),
          }),
        );
      });
    },
  );
  sent.on('timeout', () => sent.destroy(new Error('timeout')));
  sent.on('error', (error: NodeJS.ErrnoException) =>
    console.log(JSON.stringify({ error: error.code ?? error.message })),
  );
  sent.end();
}

function talk(host: string, port: number): void {
  const socket = connect({ host, port, timeout: 5000 });
  let text = '';
  socket.on('data', chunk => (text += chunk));
  socket.on('timeout', () => socket.destroy(new Error('timeout')));
  socket.on('error', (error: NodeJS.ErrnoException) => (text = `error ${error.code ?? error.message}`));
  socket.on('close', () => console.log(JSON.stringify({ text })));
}

const uid = Number(process.env['UID'] ?? 0);
const [command, first, second, third] = process.argv.slice(2);
if (uid !== 0) {
  process.setgid?.(uid);
  process.setuid?.(uid);
}
if (command === 'sidecar') await sidecar(JSON.parse(first) as SidecarOptions);
if (command === 'app') await app(first, Number(second), third);
if (command === 'sidecar' || command === 'app') console.log('listening');
if (command === 'call') call(first, Number(second));
if (command === 'talk') talk(first, Number(second));
