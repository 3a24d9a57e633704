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
import { freePort } from '../third-party/envoy-process.ts';
import { expectNothingRefused } from '../third-party/nothing-refused.ts';
import { cases } from './cases.ts';
import { judge, requestOf, statusesOf, written } from './judge.ts';
import { applicationPorts, CLIENT, certificate, namespaces, objectsOf, workloads } from './manifests.ts';
import { type Peer, startPeers } from './peers.ts';
import { CONSUMER, NS, type RouteCase, type Step, type Version } from './route-case.ts';

/** It takes seconds; a machine may be busy. */
const PEERS_MS = 120_000;
/** Applications listen beside their sidecar's port, on the same address. */
const OFFSET = 10_000;

const manifests = (objects: readonly KubernetesObject[]): string =>
  objects.map(object => stringify(object)).join('---\n');

const before = manifests([...namespaces, ...workloads('test'), ...objectsOf(cases)]);
let directory: string;
let peers: Peer[] = [];
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
  const controlPort = await freePort();
  mkdirSync(folder);
  writeFileSync(join(folder, 'before.yaml'), before);
  world = new World({
    manifests: folder,
    directory,
    programs: { tulle: [resolve(import.meta.dirname, '../../cli/tulle.ts')], application: null },
    network: await freeNetwork(),
    controlPlaneSettings: { TULLE_PLAINTEXT_PORT: String(controlPort) },
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
  peers = await startPeers(controlPort);
}, 240_000);

afterAll(async () => {
  try {
    await expectNothingRefused(world.controlPlaneAdmin);
  } finally {
    await Promise.all(peers.map(peer => peer.stop()));
    await world?.stop();
  }
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

interface Subject {
  readonly subject: string;
  readonly problems: readonly string[];
}

/** What the control plane says that clients of a dialect cannot be told of the routes of a case. */
async function said({ objects = [] }: RouteCase, { says }: Peer): Promise<string[]> {
  const answer = await fetch(`${world.controlPlaneAdmin}/problems`);
  const names = objects.map(({ kind, metadata }) => `${kind}/${metadata.namespace}/${metadata.name}`);
  return ((await answer.json()) as Subject[])
    .filter(({ subject }) => names.includes(subject))
    .flatMap(({ problems }) => problems.filter(problem => problem.startsWith(`${says} cannot be told `)));
}

const { mesh: meshBefore } = meshOfManifests({ 'before.yaml': before });

/** Whether what a step calls is HTTP: peers have no other listeners (docs/xds.md). */
function isHttp({ name }: RouteCase, { to = name, port = 80 }: Step): boolean {
  const [service, namespace = NS] = typeof to === 'string' ? to.split('.') : [];
  const found = meshBefore.services.get(`${namespace}/${service}`)?.ports.find(other => other.port === port);
  return found !== undefined && found.protocol !== 'opaque';
}

/** What a peer meets in another way than the case has it. */
async function differences(of: RouteCase, peer: Peer): Promise<string[]> {
  const wrong: string[] = [];
  for (const step of here(of).filter(step => isHttp(of, step) && peer.can(of, step))) {
    const request = requestOf(of, step, addressOf);
    const outcome = await peer.send(request, step.from === 'consumer' ? CONSUMER : NS);
    const { method, path, host, fields } = request;
    const sentence = `${method} ${host}${path} ${JSON.stringify(fields)}`;
    wrong.push(...judge(step, outcome, peer.view).map(what => `${sentence}: ${what}`));
  }
  return wrong;
}

/** Case and peer of what differs, where something is said. */
const excused = new Set<string>();

/** Cases that ask for what a dialect cannot express, and see it. */
const differing: Readonly<Record<Peer['dialect'], readonly string[]>> = {
  envoy: [
    // A query that is percent-encoded.
    'queries',
    // TCPRoutes.
    'port-kinds',
    'tcp-consumer',
    'tcp-empty',
    'tcp-first',
    'tcp-nothing',
    'tcp-split',
    'tcp-weight-zero',
  ],
  // Header filters, and applications that serve TLS.
  grpc: ['grpc-matching', 'backend-tls', 'backend-tls-names'],
};

describe('Envoy and gRPC clients do the same, or it is said that they do not', () => {
  test.each(cases.filter(of => here(of).length > 0))(
    '$name',
    async (of: RouteCase) => {
      const found = await Promise.all(peers.map(peer => differences(of, peer)));
      const unsaid: Record<string, string[]> = {};
      for (const [i, wrong] of found.entries()) {
        if (wrong.length === 0) continue;
        if ((await said(of, peers[i])).length > 0) excused.add(`${of.name} ${peers[i].name}`);
        else unsaid[peers[i].name] = wrong;
      }
      expect(unsaid).toEqual({});
    },
    PEERS_MS,
  );

  test('and no more differs than is known', () => {
    const known = peers.flatMap(({ name, dialect }) => differing[dialect].map(of => `${of} ${name}`));
    expect([...excused.keys()].sort()).toEqual(known.sort());
  });
});

test('status says of every route what comes of it', () => {
  const mesh = meshBefore;
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
