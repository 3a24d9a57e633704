import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ApiClient, ApiError, type WatchEvent } from './api-client.ts';
import { findCredentials } from './credentials.ts';

let server: Server;
let client: ApiClient;
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  server = createServer((request, response) => answer(request, response));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  let asked = 0;
  client = new ApiClient({
    server: `http://127.0.0.1:${port}`,
    ca: () => '',
    certificate: null,
    authorization: async () => `Bearer token-${++asked}`,
  });
});

afterEach(async () => {
  await client.close();
  server.closeAllConnections();
  server.close();
});

test('a watch is cut at lines, wherever the chunks are cut', async () => {
  const event = (name: string) => `${JSON.stringify({ type: 'ADDED', object: { name } })}\n`;
  const bytes = Buffer.from(`${event('a')}\n${event('ü€')}${event('c')}`);
  answer = (_, response) => {
    const write = (at: number): void => {
      if (at === bytes.length) response.end();
      else response.write(bytes.subarray(at, at + 1), () => setImmediate(write, at + 1));
    };
    write(0);
  };
  const events: WatchEvent[] = [];
  for await (const item of client.watch('/w', new AbortController().signal)) events.push(item);
  expect(events.map(({ object }) => object)).toEqual([{ name: 'a' }, { name: 'ü€' }, { name: 'c' }]);
});

test('what is not JSON in a watch is an error and not passed over', async () => {
  answer = (_, response) => void response.end('<html>\n');
  const watch = async (): Promise<void> => {
    for await (const _ of client.watch('/w', new AbortController().signal));
  };
  await expect(watch()).rejects.toThrow(SyntaxError);
});

test('a watch that is given up closes its connection', async () => {
  const closed = new Promise<void>(resolve => {
    answer = (request, response) => {
      request.socket.on('close', () => resolve());
      response.write('{"type":"BOOKMARK","object":{}}\n');
    };
  });
  const controller = new AbortController();
  const events = client.watch('/w', controller.signal);
  await events.next();
  controller.abort();
  await expect(events.next()).rejects.toThrow('abort');
  await closed;
});

test.each([
  ['{"kind":"Status","message":"pods is forbidden"}', 'GET /x: 403 pods is forbidden'],
  ['upstream failed', 'GET /x: 403 upstream failed'],
])('a refusal carries the words of the server: %s', async (body, message) => {
  answer = (_, response) => response.writeHead(403).end(body);
  const error = await client.get('/x').catch((error: unknown) => error);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ status: 403, message });
});

test('the token is asked for at each request', async () => {
  const tokens: (string | undefined)[] = [];
  answer = (request, response) => {
    tokens.push(request.headers.authorization);
    response.end('{}');
  };
  await client.get('/a');
  await client.create('/a', {});
  expect(tokens).toEqual(['Bearer token-1', 'Bearer token-2']);
});

test('credentials: a kubeconfig, or what is missing', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tulle-kubeconfig-'));
  const file = join(directory, 'config');
  const write = (user: string, current = 'x'): void =>
    writeFileSync(
      file,
      `current-context: ${current}
contexts: [{name: x, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://h:1/", certificate-authority-data: ${Buffer.from('CA').toString('base64')}}}]
users: [{name: u, user: ${user}}]`,
    );
  write('{token: secret}');
  const credentials = await findCredentials({ KUBECONFIG: file });
  expect([credentials.server, credentials.ca(), credentials.certificate]).toEqual([
    'https://h:1',
    'CA',
    null,
  ]);
  expect(await credentials.authorization()).toBe('Bearer secret');
  // An exec plugin, as managed clusters have it, is run.
  const status = { token: 'from-plugin' };
  const credential = { apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status };
  const args = JSON.stringify(['-c', `echo '${JSON.stringify(credential)}'`]);
  write(
    `{exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: ${args}, interactiveMode: Never}}`,
  );
  expect(await (await findCredentials({ KUBECONFIG: file })).authorization()).toBe('Bearer from-plugin');
  write('{token: t}', 'y');
  await expect(findCredentials({ KUBECONFIG: file })).rejects.toThrow(
    `${file}: current-context "y" names no cluster and user; correct it`,
  );
  await expect(findCredentials({})).rejects.toThrow(
    'KUBERNETES_SERVICE_HOST is not set; run in a pod, or name a kubeconfig file in KUBECONFIG',
  );
  rmSync(directory, { recursive: true });
});
