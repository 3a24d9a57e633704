/** The admin port over real sockets: paths, who may ask, the application's metrics, and probes. */

import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer as createHttp,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, connect, createServer as createTcp } from 'node:net';
import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../runtime/clock.ts';
import { createLogger } from '../../runtime/log.ts';
import { alternativeNames, leafExtensions, signCertificate } from '../../runtime/x509/certificate.ts';
import { distinguishedName } from '../../runtime/x509/names.ts';
import { pemOf } from '../../runtime/x509/pem.ts';
import type { ProbeConfig } from '../config/probe-table.ts';
import { proxyLimits } from '../config/proxy-limits.ts';
import { Http1Codec } from '../http1/http1-codec.ts';
import { Http2Workspace } from '../http2/workspace.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { FlushQueue } from '../transport/output.ts';
import { createSharedReadBuffer } from '../transport/read-buffer.ts';
import { adminRoutes } from './admin-routes.ts';
import { type AdminServer, createAdminServer } from './admin-server.ts';
import { type ProbeContext, probe } from './probes.ts';
import { ApplicationScraper, scrape } from './scrape.ts';

const http1 = new Http1Codec({ onLimit() {}, onRefusal() {} });
const workspace = new Http2Workspace();
const transport = { queue: new FlushQueue(), readBuffer: createSharedReadBuffer(), keepaliveMs: 10_000 };
const context = { transport, http1, workspace, clock: systemClock };

const closers: (() => void)[] = [];
let admin: AdminServer;
let waiting: string[];
let drained: number;
const MAX_CONNECTIONS = 20;
let limits: string[];
let probes: Map<string, ProbeConfig>;
let application: ApplicationScraper | null;
const metrics = new Metrics(100);

beforeEach(async () => {
  waiting = [];
  drained = 0;
  limits = [];
  probes = new Map();
  application = null;
  const probing: ProbeContext = {
    ...context,
    table: probes,
    addresses: port => [
      { address: '127.0.0.9', port },
      { address: '127.0.0.1', port },
    ],
  };
  admin = createAdminServer({
    address: '127.0.0.1',
    port: 0,
    transport,
    codecs: {
      http1,
      limits: proxyLimits(),
      workspace,
      observer: { onLimit() {}, onFault() {}, onRoundTrip() {} },
      clock: () => systemClock.now(),
    },
    clock: systemClock,
    log: createLogger('test', 'silent'),
    maxConnections: MAX_CONNECTIONS,
    onLimit: limit => limits.push(limit),
    handler: adminRoutes({
      waiting: () => waiting,
      metrics: accept => scrape(metrics, application, accept),
      probe: path => probe(probing, path),
      config: () => '{"held":true}\n',
      drain: () => {
        drained++;
      },
    }),
  });
  await admin.listen();
});
afterEach(() => {
  admin.close();
  for (const close of closers.splice(0)) close();
});

interface Answer {
  status: number;
  body: string;
  type: string;
}

/** A request with a connection of its own, and any Host field. */
function ask(
  path: string,
  options: { method?: string; host?: string; accept?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { port } = admin.address;
    const headers = { host: options.host ?? `127.0.0.1:${port}`, accept: options.accept ?? '*/*' };
    const sent = request(
      { host: '127.0.0.1', port, path, method: options.method ?? 'GET', headers, agent: false },
      response => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (text: string) => {
          body += text;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body, type: response.headers['content-type'] ?? '' }),
        );
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}

type Listening = { listen(port: number, host: string, callback: () => void): unknown; address(): unknown };

function listen(server: Listening & { close(): unknown; closeAllConnections?(): void }): Promise<number> {
  closers.push(() => {
    server.close();
    server.closeAllConnections?.();
  });
  return new Promise(resolve => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

const app = (handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<number> => {
  const server: Server = createHttp(handler);
  return listen(server);
};

test('alive, ready, and not ready with the reasons', async () => {
  expect(await ask('/live')).toMatchObject({ status: 200, body: 'live\n' });
  expect(await ask('/ready')).toMatchObject({ status: 200, body: 'ready\n' });
  waiting = ['identity: UNAUTHENTICATED: no', 'configuration of this pod'];
  expect(await ask('/ready')).toMatchObject({
    status: 503,
    body: 'waiting for:\nidentity: UNAUTHENTICATED: no\nconfiguration of this pod\n',
  });
  expect(await ask('/nothing')).toMatchObject({ status: 404 });
  expect(await ask('/constructor')).toMatchObject({ status: 404 });
  expect(await ask('/live', { method: 'DELETE' })).toMatchObject({ status: 405 });
  expect(await ask('/live', { method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
});

test('configuration and drain are for this host only, and not for a page that was rebound to it', async () => {
  expect(await ask('/config')).toMatchObject({
    status: 200,
    type: 'application/json',
    body: '{"held":true}\n',
  });
  expect(await ask('/config', { host: 'localhost:14020' })).toMatchObject({ status: 200 });
  expect(await ask('/config', { host: '[::1]' })).toMatchObject({ status: 200 });
  for (const host of ['evil.example', '10.0.0.1:14020', '127.0.0.1.evil.example', 'localhost.evil.example']) {
    expect(await ask('/config', { host })).toMatchObject({ status: 403 });
    expect(await ask('/drain', { host, method: 'POST' })).toMatchObject({ status: 403 });
    expect(await ask('/live', { host })).toMatchObject({ status: 200 });
  }
  expect(await ask('/drain')).toMatchObject({ status: 405 });
  expect(drained).toBe(0);
  expect(await ask('/drain', { method: 'POST' })).toMatchObject({ status: 202 });
  expect(drained).toBe(1);
});

test("the application's metrics come behind the sidecar's", async () => {
  const port = await app((_request, response) => {
    response.end('# TYPE mine counter\nmine 1\nprocess_resident_memory_bytes 5\n');
  });
  application = new ApplicationScraper(context, new URL(`http://127.0.0.1:${port}/metrics`), [
    { address: '127.0.0.9' },
    { address: '127.0.0.1' },
  ]);
  const { body, type } = await ask('/metrics', { accept: 'application/openmetrics-text' });
  expect(type).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(body).toContain('# TYPE istio_requests_total counter');
  expect(body).toContain('mine 1\n');
  expect(body.match(/^process_resident_memory_bytes .*/gm)).toEqual(['process_resident_memory_bytes 5']);
  expect(application.up).toBe(true);
});

test.each([
  [
    'answers 500',
    (response: ServerResponse) => void response.writeHead(500).end('no'),
    'the application answers 500',
  ],
  [
    'breaks off',
    (response: ServerResponse) =>
      void response.writeHead(200, { 'content-length': '10' }).end('abc', () => response.socket?.destroy()),
    /the connection failed/,
  ],
  [
    'sends too much',
    (response: ServerResponse) => void response.end('#'.repeat(5 * 1024 * 1024)),
    'the answer is longer than 4194304 bytes',
  ],
  ['says nothing', () => {}, 'no answer within 3000 ms'],
])('an application that %s does not fail the scrape', async (_what, answer, failure) => {
  const port = await app((_request, response) => answer(response));
  application = new ApplicationScraper(context, new URL(`http://127.0.0.1:${port}/`), [
    { address: '127.0.0.1' },
  ]);
  const { status, body } = await ask('/metrics');
  expect(status).toBe(200);
  expect(body).toContain('# TYPE istio_requests_total counter');
  expect(application.up).toBe(false);
  expect(application.failure).toEqual(typeof failure === 'string' ? failure : expect.stringMatching(failure));
});

test('an HTTP probe asks as the kubelet would, wherever the application listens', async () => {
  const seen: IncomingMessage[] = [];
  const port = await app((asked, response) => {
    seen.push(asked);
    response.writeHead(asked.url === '/moved' ? 302 : asked.url === '/bad' ? 500 : 200).end('fine');
  });
  const http = (path: string, fields: string[] = []): ProbeConfig => ({
    action: { kind: 'http', port, path, tls: false, fields },
    timeoutMs: 1000,
  });
  probes.set('/probe/app/livenessProbe', http('/live?x=1', ['x-probe', '1', 'host', 'app.example']));
  probes.set('/probe/app/moved', http('/moved'));
  probes.set('/probe/app/bad', http('/bad'));
  expect(await ask('/probe/app/livenessProbe')).toMatchObject({ status: 200, body: 'fine' });
  expect(seen[0]).toMatchObject({
    url: '/live?x=1',
    headers: { host: 'app.example', 'x-probe': '1', 'user-agent': 'kube-probe/tulle' },
  });
  expect(await ask('/probe/app/moved')).toMatchObject({ status: 200 });
  expect(await ask('/probe/app/bad')).toMatchObject({ status: 500 });
  expect(await ask('/probe/app/other')).toMatchObject({ status: 404 });
});

test('an HTTPS probe does not look at the certificate', async () => {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = distinguishedName({ commonName: 'app' });
  const cert = signCertificate(
    {
      issuer: name,
      subject: name,
      notBefore: Date.now() - 2e9,
      notAfter: Date.now() - 1e9,
      publicKey: keys.publicKey.export({ type: 'spki', format: 'der' }),
      extensions: [...leafExtensions(['server']), alternativeNames([{ kind: 'dns', value: 'app' }], false)],
    },
    keys.privateKey,
  );
  const key = keys.privateKey.export({ type: 'pkcs8', format: 'pem' });
  const port = await listen(
    createHttps({ key, cert: pemOf([cert]) }, (_request, response) => response.end('secure')),
  );
  probes.set('/probe/app/livenessProbe', {
    action: { kind: 'http', port, path: '/', tls: true, fields: [] },
    timeoutMs: 1000,
  });
  expect(await ask('/probe/app/livenessProbe')).toMatchObject({ status: 200, body: 'secure' });
});

test('a TCP probe is fine when somebody accepts', async () => {
  const server = createTcp(socket => socket.destroy());
  const port = await listen(server);
  probes.set('/probe/db/livenessProbe', { action: { kind: 'tcp', port }, timeoutMs: 1000 });
  expect(await ask('/probe/db/livenessProbe')).toMatchObject({ status: 200 });
  await new Promise(resolve => {
    server.close(resolve);
  });
  expect(await ask('/probe/db/livenessProbe')).toMatchObject({
    status: 503,
    body: expect.stringContaining('ECONNREFUSED') as string,
  });
});

test('a probe that takes too long has failed', async () => {
  const port = await app(() => {});
  probes.set('/probe/app/livenessProbe', {
    action: { kind: 'http', port, path: '/', tls: false, fields: [] },
    timeoutMs: 50,
  });
  expect(await ask('/probe/app/livenessProbe')).toMatchObject({
    status: 503,
    body: 'no answer within 50 ms\n',
  });
});

test('a gRPC probe asks the health service', async () => {
  const server = new GrpcServer();
  closers.push(() => server.forceShutdown());
  const raw = (message: Buffer): Buffer => message;
  const asked: string[] = [];
  server.addService(
    {
      Check: {
        path: '/grpc.health.v1.Health/Check',
        requestStream: false,
        responseStream: false,
        requestSerialize: raw,
        requestDeserialize: raw,
        responseSerialize: raw,
        responseDeserialize: raw,
      },
    },
    {
      Check(call: { request: Buffer }, callback: (error: null, message: Buffer) => void) {
        const service = call.request.subarray(2).toString();
        asked.push(service);
        callback(null, Buffer.from(service === 'sick' ? [8, 2] : [8, 1]));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const grpc = (service: string): ProbeConfig => ({
    action: { kind: 'grpc', port, service },
    timeoutMs: 1000,
  });
  probes.set('/probe/app/well', grpc('well'));
  probes.set('/probe/app/sick', grpc('sick'));
  expect(await ask('/probe/app/well')).toMatchObject({ status: 200, body: 'ok\n' });
  expect(await ask('/probe/app/sick')).toMatchObject({
    status: 503,
    body: 'the application says NOT_SERVING\n',
  });
  expect(asked).toEqual(['well', 'sick']);
});

test('connections beyond the limit are closed and counted', async () => {
  const { port } = admin.address;
  const sockets = Array.from({ length: MAX_CONNECTIONS }, () => connect(port, '127.0.0.1'));
  closers.push(() => sockets.forEach(socket => socket.destroy()));
  await Promise.all(sockets.map(socket => once(socket, 'connect')));
  const oneMore = connect(port, '127.0.0.1');
  oneMore.on('error', () => {});
  await new Promise(resolve => oneMore.once('close', resolve));
  expect(limits).toEqual(['maxAdminConnections']);
});
