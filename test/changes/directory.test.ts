/**
 * Rules, Services and endpoints change at random in a folder, under 500 requests/s through real sidecars, and each answer
 * is judged by the rules in force. The same on a cluster: test/cluster/changes.test.ts.
 *
 *     TULLE_CHANGE_SECONDS=120 TULLE_CHANGE_SEED=1 npx vitest run test/changes
 */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { ports } from '../../api/ports.ts';
import type { Deployment } from '../../cli/demo/manifests.ts';
import { freeNetwork, type Pod, World } from '../../cli/demo/world.ts';
import { Application } from '../apps/server.ts';
import { callFresh, type Steady, startSteady } from '../apps/steady.ts';
import { Random } from '../fuzz/http1/random.ts';
import { History } from './history.ts';
import { Judge } from './judge.ts';
import { FRONTS, LASTING, RandomChange } from './random-change.ts';
import { NS, objectsOf, type PodPlace, type Shop, sliceObjects, type Version } from './shop.ts';

const SECONDS = Number(process.env['TULLE_CHANGE_SECONDS'] ?? 10);
const SEED = Number(process.env['TULLE_CHANGE_SEED'] ?? Date.now() % 1_000_000);
const RATE = 500;
const CLIENTS = 2;
/** Longest pause between two changes. */
const MAX_PAUSE_MS = 200;
/** Pods that are replaced, one after the other, with this pause. */
const REPLACE_EVERY_MS = 2500;

const random = new Random(SEED);
const history = new History();
const judge = new Judge(history, true);
let directory: string;
let network: number;
let world: World;
const servers = new Map<string, Server>();
const places = new Map<string, PodPlace>();
const clients: Pod[] = [];

const of = (name: string, version: string, port: number): Deployment => ({
  name,
  namespace: NS,
  replicas: 0,
  labels: { app: name, version },
  serviceAccount: name,
  args: [],
  port,
  env: {},
});

/** A pod whose application is in this process. */
async function startServer(version: Version): Promise<PodPlace> {
  const { name, address } = await world.startPod(of(version, version, 8080));
  const server = new Application(name, version).http1();
  server.listen(8080 + 10_000, address);
  await once(server, 'listening');
  servers.set(name, server);
  const place = { name, address, version };
  places.set(name, place);
  return place;
}

/** By renaming: nobody reads half a state. */
function write(shop: Shop): void {
  const objects = [...objectsOf(shop), ...sliceObjects(shop)];
  writeFileSync(join(directory, 'shop.yaml'), objects.map(object => stringify(object)).join('---\n'));
  renameSync(join(directory, 'shop.yaml'), join(directory, 'manifests', 'shop.yaml'));
}

/** Addresses beside those of the pods, at which nothing listens. */
function addresses(): () => string {
  let last = 0;
  return () => `127.${network}.${200 + (++last >> 8)}.${last & 255}`;
}

beforeAll(async () => {
  process.setMaxListeners(200);
  process.stdout.write(`TULLE_CHANGE_SEED=${SEED}\n`);
  directory = mkdtempSync(join(tmpdir(), 'tulle-changes-'));
  mkdirSync(join(directory, 'manifests'));
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NS } };
  writeFileSync(join(directory, 'manifests', 'namespace.yaml'), stringify(namespace));
  network = await freeNetwork();
  world = new World({
    manifests: join(directory, 'manifests'),
    directory,
    programs: { tulle: [resolve(import.meta.dirname, '../../cli/tulle.ts')], application: null },
    network,
    sidecarSettings: () => ({ TULLE_CONNECT_TIMEOUT_MS: '20000' }),
    controlPlaneSettings: { TULLE_CONNECT_TIMEOUT_MS: '20000' },
  });
  await world.start();
  const startClient = async (): Promise<void> => {
    clients.push(await world.startPod(of('client', 'v1', 0)));
  };
  await Promise.all([
    ...(['v1', 'v1', 'v2', 'v2'] as const).map(startServer),
    ...Array.from({ length: CLIENTS }, startClient),
  ]);
}, 120_000);

afterAll(async () => {
  await world?.stop();
  for (const server of servers.values()) server.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Through the sidecar of a client: a tunnel takes the place of redirection. */
async function tunnel(client: Pod, host: string, port: number): Promise<Socket> {
  const socket = connect(ports.outbound, client.address);
  await once(socket, 'connect');
  socket.write(`CONNECT ${host}:${port} HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  if (!answer.toString().startsWith('HTTP/1.1 200')) throw new Error(`no tunnel: ${answer.toString()}`);
  return socket;
}

/** Calls by name what is always there; and by the address that it has at the moment, or had, what is not. */
function someHost(): string {
  const { fronts } = history.newest;
  const name = random.pick(FRONTS);
  const asName = LASTING.some(lasting => lasting === name) && random.below(2) === 0;
  if (asName) return name;
  const past = history.moments[Math.max(0, history.moments.length - 1 - random.below(3))].shop;
  return (past.fronts[name] ?? fronts[name] ?? fronts[LASTING[0]]).address;
}

function startClientLoad(client: Pod): Steady {
  return startSteady({
    rate: RATE / CLIENTS,
    open: (host, port) => tunnel(client, host, port),
    next: () => {
      const call = {
        host: someHost(),
        method: random.below(10) === 0 ? 'POST' : 'GET',
        delayMs: random.below(10) === 0 ? random.below(400) : 0,
        fresh: random.below(20) === 0,
      } as const;
      const judged = { client: client.name, host: call.host, beganAt: performance.now() };
      return { call, of: { judged, shown: judge.begin(judged) } };
    },
    ended: ({ judged, shown }, answer) => judge.end(judged, shown, { ...answer, endedAt: performance.now() }),
  });
}

/** Every client answers by the newest rules. */
async function whenEverywhere(): Promise<void> {
  const { fronts, rules } = history.newest;
  for (const client of clients)
    for (const [name, { address }] of Object.entries(fronts)) {
      const rule = async (): Promise<string> =>
        (await callFresh(address, (host, port) => tunnel(client, host, port))).rule;
      await expect.poll(rule, { timeout: 60_000 }).toBe(String(rules[name]?.id ?? ''));
    }
}

function begin(shop: Shop, what: string): number {
  const number = history.begin(shop, what, performance.now());
  write(shop);
  return number;
}

/** Asks the control plane when its clients have all that it has read, which is at least what an answer has shown. */
async function followInForce(ended: () => boolean): Promise<void> {
  const url = `http://127.${network}.0.1:${ports.controlPlaneAdmin}/in-force`;
  let known = 0;
  while (!ended()) {
    const number = judge.shown;
    if (number > known && (await fetch(url)).ok) {
      known = number;
      history.inForce(number, performance.now());
    }
    await sleep(20);
  }
}

/** A new pod takes over; the old one leaves the endpoints and hears SIGTERM at the same time, as in Kubernetes. */
async function replacePod(version: Version): Promise<void> {
  const old = random.pick([...places.values()].filter(place => place.version === version));
  await startServer(version);
  places.delete(old.name);
  const { newest } = history;
  const pods = [
    ...newest.pods.filter(({ name }) => name !== old.name),
    places.get([...places.keys()].at(-1) ?? ''),
  ];
  begin({ ...newest, pods: pods.filter(place => place !== undefined) }, `replace ${old.name}`);
  const pod = world.pods.find(({ name }) => name === old.name) as Pod;
  await world.stopPod(pod);
  servers.get(old.name)?.close();
}

test(
  `rules change for ${SECONDS} s under ${RATE} requests/s, and no answer is lost or made by the wrong one`,
  async () => {
    const change = new RandomChange(random, addresses(), () => [...places.values()]);
    begin(change.first(), 'first');
    // Until then addresses would be called of which nobody has heard.
    await whenEverywhere();
    history.inForce(0, performance.now());
    const loads = clients.map(startClientLoad);
    let converged = false;
    const following = followInForce(() => converged);
    const end = performance.now() + SECONDS * 1000;
    const makeChanges = async (): Promise<void> => {
      while (performance.now() < end) {
        const { shop, what } = change.next(history.newest);
        begin(shop, what);
        await sleep(random.below(MAX_PAUSE_MS));
      }
    };
    const replacePods = async (): Promise<void> => {
      while (performance.now() < end) {
        await sleep(REPLACE_EVERY_MS);
        await replacePod(random.pick(['v1', 'v2']));
      }
    };
    await Promise.all([makeChanges(), replacePods()]);
    begin(change.last(history.newest), 'everything is there, by new rules');
    await whenEverywhere();
    converged = true;
    await Promise.all([...loads.map(load => load.stop()), following]);
    const { tally, wrong, wrongTally } = judge.verdicts;
    const requests = loads.reduce((sum, { begun }) => sum + begun, 0);
    process.stdout.write(
      `${history.moments.length} states, ${requests} requests: ${JSON.stringify(tally)}\n`,
    );
    expect({ wrongTally, wrong }).toEqual({ wrongTally: {}, wrong: [] });
  },
  SECONDS * 1000 + 240_000,
);
