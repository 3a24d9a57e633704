/**
 * Every case in a folder: a control plane that reads the manifests, and a sidecar process for each pod. The applications
 * and the client are in the process of the test. The same cases run on a cluster in test/cluster/routes.test.ts.
 */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { ports } from '../../api/ports.ts';
import { freeNetwork, type Pod, World } from '../../cli/demo/world.ts';
import { meshOfManifests } from '../../control-plane/sources/mesh-of-manifests.ts';
import { wantedParents } from '../../control-plane/status/route-status.ts';
import { type Open, send } from '../apps/requests.ts';
import { Application } from '../apps/server.ts';
import type { KubernetesObject } from '../cluster/harness/kubectl.ts';
import { cases } from './cases.ts';
import { judge, requestOf, statusesOf, written } from './judge.ts';
import { applicationPorts, CLIENT, certificate, namespaces, objectsOf, workloads } from './manifests.ts';
import { CONSUMER, NS, type RouteCase, type Step, type Version } from './route-case.ts';

/** Applications listen beside their sidecar's port, on the same address. */
const OFFSET = 10_000;

const manifests = (objects: readonly KubernetesObject[]): string =>
  objects.map(object => stringify(object)).join('---\n');

const before = manifests([...namespaces, ...workloads('test'), ...objectsOf(cases)]);
let directory: string;
let world: World;
const servers: Server[] = [];

const addressOf = (version: Version): string => world.podsOf(version)[0].address;
const clientIn = (namespace: string): Pod =>
  world.podsOf(CLIENT).find(pod => pod.deployment.namespace === namespace) as Pod;

/** Through the sidecar of a client: CONNECT takes the place of redirection. */
const through =
  (namespace: string): Open =>
  async (host, port) => {
    const socket = connect(ports.outbound, clientIn(namespace).address);
    await once(socket, 'connect');
    socket.write(`CONNECT ${host}:${port} HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`);
    const [answer] = (await Promise.race([once(socket, 'data'), closed(socket)])) as [Buffer];
    if (!answer.toString().startsWith('HTTP/1.1 200'))
      throw new Error(`tunnel refused: ${answer.toString()}`);
    return socket;
  };

/** A tunnel that leads nowhere may be closed before its answer is read. */
async function closed(socket: Socket): Promise<never> {
  await once(socket, 'close');
  throw Object.assign(new Error('the tunnel was closed'), { code: 'ECONNRESET' });
}

async function listen(server: Server, address: string, port: number): Promise<void> {
  servers.push(server);
  server.listen(port, address);
  await once(server, 'listening');
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tulle-routes-'));
  const folder = join(directory, 'manifests');
  mkdirSync(folder);
  writeFileSync(join(folder, 'before.yaml'), before);
  world = new World({
    manifests: folder,
    directory,
    programs: { tulle: [resolve(import.meta.dirname, '../../cli/tulle.ts')], application: null },
    network: await freeNetwork(),
    sidecarSettings: ({ port }, address) =>
      port === 0
        ? {}
        : {
            TULLE_INBOUND_LISTENERS: Object.values(applicationPorts)
              .map(port => `${address}:${port}=${address}:${port + OFFSET}`)
              .join(','),
          },
  });
  await world.start().catch((error: unknown) => {
    const log = readFileSync(world.path('logs', 'control-plane.log'), 'utf8');
    throw new Error(`the mesh did not start; log of its control plane:\n${log}`, { cause: error });
  });
  for (const version of ['v1', 'v2'] as const) {
    const application = new Application(version, version);
    await listen(application.http1(), addressOf(version), applicationPorts.http + OFFSET);
    await listen(application.http1(), addressOf(version), applicationPorts.other + OFFSET);
    await listen(application.http2(), addressOf(version), applicationPorts.http2 + OFFSET);
    const { cert, key } = certificate;
    await listen(application.tls(cert, key), addressOf(version), applicationPorts.tls + OFFSET);
  }
  const late = manifests(cases.flatMap(({ late }) => late?.(addressOf) ?? []));
  writeFileSync(join(directory, 'late.yaml'), late);
  renameSync(join(directory, 'late.yaml'), join(folder, 'late.yaml'));
}, 120_000);

afterAll(async () => {
  await world?.stop();
  for (const server of servers) server.close();
  rmSync(directory, { recursive: true, force: true });
});

const here = ({ requests }: RouteCase): Step[] => requests.filter(({ on }) => on !== 'cluster');

describe('requests', () => {
  test.each(cases.filter(of => here(of).length > 0))('$name', async (of: RouteCase) => {
    for (const step of here(of)) {
      const request = requestOf(of, step, addressOf);
      const from = step.from === 'consumer' ? CONSUMER : NS;
      const [outcome] = await send([request], through(from));
      const { method, path, host, fields } = request;
      expect(judge(step, outcome), `${method} ${host}${path} ${JSON.stringify(fields)}`).toEqual([]);
    }
  });
});

test('status says of every route what comes of it', () => {
  const { mesh } = meshOfManifests({ 'before.yaml': before });
  for (const of of cases)
    for (const [id, wanted] of statusesOf(of)) {
      const route = mesh.routes.get(id);
      const parents = route === undefined ? [] : wantedParents(route);
      expect(
        parents.map(({ conditions }) => written(conditions)),
        id,
      ).toEqual(wanted);
    }
});
